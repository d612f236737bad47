"""A folder in which a text lies beside each recording: `a.wav` and `a.txt` or `a.lab`."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from fonoteka.corpus.importers.layouts.base import (
    Found,
    Given,
    Reading,
    RefusedError,
    Source,
    nfc,
    stem_of,
)
from fonoteka.corpus.importers.layouts.text_lines import read_lines

SUFFIXES = (".lab", ".txt")
ABOUT = ("authors", "changelog", "changes", "citation", "copying", "credits", "licence",
         "license", "notice", "readme", "source", "speakers")  # fmt: skip
"""Names of texts that are about a corpus."""

MAX_BYTES = 1 << 20  # of a transcript; what is longer is something else, maybe a whole book

_HTK = re.compile(r"\d+ \d{4,} \S+")  # beginning and end in units of 100 ns
_AUDACITY = re.compile(r"\d+\.\d+\t\d+\.\d+(\t.*)?")


def claims(source: Source, name: str) -> bool:
    """Tell whether a file is the text of a recording beside it."""
    return is_text(name) and nfc(stem_of(name)) in source.audio_by_stem


def is_text(name: str) -> bool:
    """Tell whether a file may hold what is said; `.norm.txt` is made from such a one."""
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not path.stem.lower().endswith(".norm")


def read(source: Source, index: list[str], given: Given) -> Reading:  # noqa: ARG001
    """Return a clip for each text."""
    reading = Reading(texts="files beside them named .txt or .lab")
    texts, reading.refused = texts_of(source)
    for stem, (name, text) in texts.items():
        reading.used.add(name)
        if stem not in source.audio_by_stem:
            reading.refused.append(no_audio(source, name))
        for path in source.audio_by_stem.get(stem, ()):
            reading.found.append(Found(str(source.folder / name), path, text))
    return reading


def no_audio(source: Source, name: str) -> RefusedError:
    """Return what is wrong with a text that is alone."""
    return RefusedError(
        "no audio",
        f"{source.folder / name}: there is no recording of that name; add it or remove this file",
    )


def texts_of(source: Source) -> tuple[dict[str, tuple[str, str]], list[RefusedError]]:
    """Return stem to file and text, of all texts but those about the corpus, and what is wrong.

    A recording may have a `.txt` and a `.lab`, if they say the same.
    """
    texts: dict[str, tuple[str, str]] = {}
    refused = []
    for name in filter(is_text, source.files):
        path, stem = source.folder / name, nfc(stem_of(name))
        alone = stem not in source.audio_by_stem
        if alone and PurePosixPath(stem).name.lower().startswith(ABOUT):
            continue
        if (size := path.stat().st_size) > MAX_BYTES:
            sentence = f"{path}: {size} bytes are no transcript, at most {MAX_BYTES}; move it away"
            refused.append(RefusedError("wrong row", sentence))
            continue
        lines, problems = _lines(path)
        if problems:
            refused.append(problems[0])
            continue
        text = " ".join(lines)
        if lines and all(_HTK.fullmatch(line) or _AUDACITY.fullmatch(line) for line in lines):
            refused.append(
                RefusedError("wrong row", f"{path}: holds labels with times and no text")
            )
        elif stem in texts and texts[stem][1] != text:
            other = source.folder / texts[stem][0]
            refused.append(RefusedError("wrong row", f"{path}: says something else than {other}"))
        else:
            texts[stem] = (name, text)
    return texts, refused


def _lines(path: Path) -> tuple[list[str], list[RefusedError]]:
    """Return the lines of a text that are not blank, and what is wrong with it."""
    problems: list[RefusedError] = []
    try:
        return [line for _, line in read_lines(path, problems)], problems
    except RefusedError as error:
        return [], [error]
