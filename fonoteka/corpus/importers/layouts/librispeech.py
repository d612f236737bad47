"""LibriSpeech: speaker/chapter/speaker-chapter.trans.txt, a line each: an id and what is said.

Source: the README.TXT that comes with LibriSpeech (OpenSLR 12). SPEAKERS.TXT says who is a woman.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from fonoteka.corpus.importers.layouts.base import Found, Given, Reading, RefusedError, Source, nfc
from fonoteka.corpus.importers.layouts.text_lines import read_lines

SUFFIX = ".trans.txt"
SPEAKERS = "SPEAKERS.TXT"


def claims(source: Source, name: str) -> bool:  # noqa: ARG001
    """Tell whether a file holds the transcripts of a chapter."""
    return name.lower().endswith(SUFFIX)


def read(source: Source, index: list[str], given: Given) -> Reading:
    """Return a clip for each line of each chapter; a chapter is a session.

    Where SPEAKERS.TXT is there it is LibriSpeech itself, which is English.
    """
    reading = Reading(texts=f"the {SUFFIX} of their chapter", used=set(index))
    sexes = _sexes(source, reading)
    language = "en" if sexes else ""
    if language and "language" not in given.shared:
        reading.notes.append(("language", f"en, as of all LibriSpeech: {SPEAKERS} is there"))
    for name in index:
        for number, line in read_lines(source.folder / name, reading.refused):
            where = f"{source.folder / name}:{number}"
            utterance, text = (*line.split(maxsplit=1), "")[:2]
            speaker, *chapter = utterance.split("-")
            if len(chapter) != 2 or not all((speaker, *chapter)):
                sentence = f"{where}: {utterance!r} is no id; expected speaker-chapter-number"
                reading.refused.append(RefusedError("wrong row", sentence))
                continue
            path = _audio(source, str(PurePosixPath(name).parent / utterance))
            session, sex = f"{speaker}-{chapter[0]}", sexes.get(speaker, "")
            reading.found.append(Found(where, path, text, speaker, language, session, sex))
    return reading


def _audio(source: Source, stem: str) -> str:
    """Return the recording with that name, or the one that should be there."""
    return next(iter(source.audio_by_stem.get(nfc(stem), ())), f"{stem}.flac")


def _sexes(source: Source, reading: Reading) -> dict[str, str]:
    """Return speaker to sex, by all SPEAKERS.TXT below the folder."""
    sexes = {}
    for name in (name for name in source.files if PurePosixPath(name).name == SPEAKERS):
        reading.used.add(name)
        for number, line in read_lines(source.folder / name, reading.refused):
            speaker, *values = (value.strip() for value in line.split("|"))
            if line.startswith(";"):
                continue
            if values:
                sexes[speaker] = values[0]
            else:
                sentence = f"{source.folder / name}:{number}: {line[:40]!r} is no 'id | sex | ...'"
                reading.refused.append(RefusedError("wrong row", sentence))
    return sexes
