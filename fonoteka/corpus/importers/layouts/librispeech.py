"""LibriSpeech: speaker/chapter/speaker-chapter.trans.txt with an id and a transcript per line.

Source: README.TXT of LibriSpeech (OpenSLR 12). SPEAKERS.TXT states the sex of each speaker.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from fonoteka.corpus.importers.layouts.base import (
    ImportOptions,
    ParsedLayout,
    RefusedError,
    SourceFolder,
    UncheckedClip,
    nfc,
)
from fonoteka.corpus.importers.layouts.text_lines import read_lines

SUFFIX = ".trans.txt"
SPEAKERS = "SPEAKERS.TXT"


def claims(source: SourceFolder, name: str) -> bool:  # noqa: ARG001
    """Return whether a file contains the transcripts of a chapter."""
    return name.lower().endswith(SUFFIX)


def read(source: SourceFolder, index: list[str], options: ImportOptions) -> ParsedLayout:
    """Return a clip for each line of each chapter; a chapter is a session.

    A folder with SPEAKERS.TXT is LibriSpeech itself, so its language is English.
    """
    parsed = ParsedLayout(texts=f"the {SUFFIX} of their chapter", used=set(index))
    sexes = _sexes(source, parsed)
    language = "en" if sexes else ""
    if language and "language" not in options.shared:
        parsed.notes.append(("language", f"en, as of all LibriSpeech: {SPEAKERS} is there"))
    for name in index:
        for number, line in read_lines(source.folder / name, parsed.refused):
            place = f"{source.folder / name}:{number}"
            utterance, text = (*line.split(maxsplit=1), "")[:2]
            speaker, *chapter = utterance.split("-")
            if len(chapter) != 2 or not all((speaker, *chapter)):
                sentence = f"{place}: {utterance!r} is not an id; expected speaker-chapter-number"
                parsed.refused.append(RefusedError("wrong row", sentence))
                continue
            path = _audio(source, str(PurePosixPath(name).parent / utterance))
            session, sex = f"{speaker}-{chapter[0]}", sexes.get(speaker, "")
            parsed.clips.append(UncheckedClip(place, path, text, speaker, language, session, sex))
    return parsed


def _audio(source: SourceFolder, stem: str) -> str:
    """Return the recording with that name, or the expected name if there is none."""
    return next(iter(source.audio_by_stem.get(nfc(stem), ())), f"{stem}.flac")


def _sexes(source: SourceFolder, parsed: ParsedLayout) -> dict[str, str]:
    """Return sex by speaker from all SPEAKERS.TXT below the folder."""
    sexes = {}
    for name in (name for name in source.files if PurePosixPath(name).name == SPEAKERS):
        parsed.used.add(name)
        for number, line in read_lines(source.folder / name, parsed.refused):
            speaker, *values = (value.strip() for value in line.split("|"))
            if line.startswith(";"):
                continue
            if values:
                sexes[speaker] = values[0]
            else:
                sentence = f"{source.folder / name}:{number}: {line[:40]!r} is not 'id | sex | ...'"
                parsed.refused.append(RefusedError("wrong row", sentence))
    return sexes
