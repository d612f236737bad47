"""A folder with a text file beside each recording: `a.wav` and `a.txt` or `a.lab`."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from fonoteka.corpus.importers.layouts.base import (
    ImportOptions,
    ParsedLayout,
    RefusedError,
    SourceFolder,
    UncheckedClip,
    nfc,
    stem_of,
)
from fonoteka.corpus.importers.layouts.text_lines import read_lines

SUFFIXES = (".lab", ".txt")
ABOUT = ("authors", "changelog", "changes", "citation", "copying", "credits", "licence",
         "license", "notice", "readme", "source", "speakers")  # fmt: skip
"""Beginnings of the names of texts that describe a corpus."""

MAX_BYTES = 1 << 20  # of a transcript; a longer text may be a whole book

_HTK = re.compile(r"\d+ \d{4,} \S+")  # start and end in units of 100 ns
_AUDACITY = re.compile(r"\d+\.\d+\t\d+\.\d+(\t.*)?")


def claims(source: SourceFolder, name: str) -> bool:
    """Return whether a file is the text of a recording beside it."""
    return is_text(name) and nfc(stem_of(name)) in source.audio_by_stem


def is_text(name: str) -> bool:
    """Return whether a file may be a transcript; `.norm.txt` is derived from one."""
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not path.stem.lower().endswith(".norm")


def read(source: SourceFolder, index: list[str], options: ImportOptions) -> ParsedLayout:  # noqa: ARG001
    """Return a clip for each text."""
    parsed = ParsedLayout(texts="files beside them named .txt or .lab")
    texts, parsed.refused = texts_of(source)
    for stem, (name, text) in texts.items():
        parsed.used.add(name)
        if stem not in source.audio_by_stem:
            parsed.refused.append(no_audio(source, name))
        for path in source.audio_by_stem.get(stem, ()):
            parsed.clips.append(UncheckedClip(str(source.folder / name), path, text))
    return parsed


def no_audio(source: SourceFolder, name: str) -> RefusedError:
    """Return the error for a text without a recording."""
    return RefusedError(
        "no audio",
        f"{source.folder / name}: there is no recording of that name; add it or remove this file",
    )


def texts_of(source: SourceFolder) -> tuple[dict[str, tuple[str, str]], list[RefusedError]]:
    """Return file and text by stem, without texts about the corpus, and the errors.

    A recording may have both a `.txt` and a `.lab` if they are equal.
    """
    texts: dict[str, tuple[str, str]] = {}
    refused = []
    for name in filter(is_text, source.files):
        path, stem = source.folder / name, nfc(stem_of(name))
        alone = stem not in source.audio_by_stem
        if alone and PurePosixPath(stem).name.lower().startswith(ABOUT):
            continue
        if (size := path.stat().st_size) > MAX_BYTES:
            sentence = (
                f"{path}: too long for a transcript: {size} bytes, at most {MAX_BYTES}; move it"
            )
            refused.append(RefusedError("wrong row", sentence))
            continue
        lines, problems = _lines(path)
        if problems:
            refused.append(problems[0])
            continue
        text = " ".join(lines)
        # HTK and Audacity use .lab and .txt for labels with times: those are not transcripts.
        if lines and all(_HTK.fullmatch(line) or _AUDACITY.fullmatch(line) for line in lines):
            refused.append(
                RefusedError("wrong row", f"{path}: holds labels with times and no text")
            )
        elif stem in texts and texts[stem][1] != text:
            other = source.folder / texts[stem][0]
            refused.append(
                RefusedError("wrong row", f"{path}: another text than {other}; keep one")
            )
        else:
            texts[stem] = (name, text)
    return texts, refused


def _lines(path: Path) -> tuple[list[str], list[RefusedError]]:
    """Return the lines of a text that are not blank, and the errors."""
    problems: list[RefusedError] = []
    try:
        return [line for _, line in read_lines(path, problems)], problems
    except RefusedError as error:
        return [], [error]
