"""A NeMo manifest: JSON lines with audio_filepath, text, duration and optionally offset.

Source: "Preparing Custom ASR Data" in NeMo's documentation; its loader reads `duration` seconds
from `offset` on, so an entry with a shorter duration than the file is a part of it.
"""

from __future__ import annotations

import math
import posixpath
from pathlib import PurePosixPath
from typing import Any

from fonoteka.corpus.clip_terms import OWN_COLUMNS, ClipTerms
from fonoteka.corpus.importers.layouts.base import (
    ImportOptions,
    ParsedLayout,
    RefusedError,
    SourceFolder,
    UncheckedClip,
)
from fonoteka.corpus.importers.layouts.json_rows import entry_of, has_key, text_of
from fonoteka.corpus.importers.layouts.table import USUAL_NAMES
from fonoteka.corpus.importers.layouts.text_lines import read_lines

PATH = "audio_filepath"
SUFFIXES = (".json", ".jsonl")


def claims(source: SourceFolder, name: str) -> bool:
    """Return whether one of the first lines of a file is an entry of a manifest."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix in SUFFIXES and has_key(source.folder / name, PATH)


def read(source: SourceFolder, index: list[str], options: ImportOptions) -> ParsedLayout:  # noqa: ARG001
    """Return a clip for each line of each manifest."""
    parsed = ParsedLayout(texts="the manifest", used=set(index), by_name=True)
    for name in index:
        for number, line in read_lines(source.folder / name, parsed.refused):
            place = f"{source.folder / name}:{number}"
            try:
                parsed.clips.append(_clip(line, place, posixpath.dirname(name)))
            except RefusedError as error:
                parsed.refused.append(error)
    return parsed


def _clip(line: str, place: str, base: str) -> UncheckedClip:
    entry = entry_of(line, place)
    if not isinstance(entry.get(PATH), str):
        raise RefusedError("wrong row", f"{place}: {line[:40]!r} has no {PATH}")
    offset, duration = _seconds(entry, "offset", place), _seconds(entry, "duration", place)
    start = offset or 0.0
    span = (start, math.inf if duration is None else start + duration)
    for name in ("text", *USUAL_NAMES["speaker"], *USUAL_NAMES["language"]):
        text_of(entry, name, place)  # refuses values such as lists, which `_text` would skip
    values = (_text(entry, USUAL_NAMES[n]) for n in ("speaker", "language", "session", "sex"))
    text = _text(entry, ("text",))
    terms = ClipTerms(*(" ".join(_text(entry, USUAL_NAMES[name]).split()) for name in OWN_COLUMNS))
    return UncheckedClip(place, entry[PATH], text, *values, base=base, span_s=span, terms=terms)


def _text(entry: dict[str, Any], names: tuple[str, ...]) -> str:
    """Return the value of the first of some keys as text; numbers are converted."""
    values = (entry[name] for name in names if isinstance(entry.get(name), str | int))
    return str(next(values, ""))


def _seconds(entry: dict[str, Any], name: str, place: str) -> float | None:
    value = entry.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise RefusedError("wrong row", f"{place}: {name} {value!r} is not a number of seconds")
    return float(value)
