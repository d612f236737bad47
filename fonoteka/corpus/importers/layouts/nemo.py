"""A NeMo manifest: JSON lines with audio_filepath, text, duration and, of a part, offset.

Source: "Preparing Custom ASR Data" in NeMo's documentation; its loader reads `duration` seconds
from `offset` on, so a duration that is shorter than the file is a part of it.
"""

from __future__ import annotations

import math
import posixpath
from pathlib import PurePosixPath
from typing import Any

from fonoteka.corpus.clip_terms import OWN_COLUMNS, Terms
from fonoteka.corpus.importers.layouts.base import Found, Given, Reading, RefusedError, Source
from fonoteka.corpus.importers.layouts.json_rows import entry_of, has_key, text_of
from fonoteka.corpus.importers.layouts.table import USUAL_NAMES
from fonoteka.corpus.importers.layouts.text_lines import read_lines

PATH = "audio_filepath"
SUFFIXES = (".json", ".jsonl")


def claims(source: Source, name: str) -> bool:
    """Tell whether one of the first lines of a file is an entry of a manifest."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix in SUFFIXES and has_key(source.folder / name, PATH)


def read(source: Source, index: list[str], given: Given) -> Reading:  # noqa: ARG001
    """Return a clip for each line of each manifest."""
    reading = Reading(texts="the manifest", used=set(index), by_name=True)
    for name in index:
        for number, line in read_lines(source.folder / name, reading.refused):
            where = f"{source.folder / name}:{number}"
            try:
                reading.found.append(_clip(line, where, posixpath.dirname(name)))
            except RefusedError as error:
                reading.refused.append(error)
    return reading


def _clip(line: str, where: str, base: str) -> Found:
    entry = entry_of(line, where)
    if not isinstance(entry.get(PATH), str):
        raise RefusedError("wrong row", f"{where}: {line[:40]!r} has no {PATH}")
    offset, duration = _seconds(entry, "offset", where), _seconds(entry, "duration", where)
    start = offset or 0.0
    span = (start, math.inf if duration is None else start + duration)
    for name in ("text", *USUAL_NAMES["speaker"], *USUAL_NAMES["language"]):
        text_of(entry, name, where)  # a text that is a list is a wrong row, and not no text
    values = (_text(entry, USUAL_NAMES[n]) for n in ("speaker", "language", "session", "sex"))
    text = _text(entry, ("text",))
    own = Terms(*(" ".join(_text(entry, USUAL_NAMES[name]).split()) for name in OWN_COLUMNS))
    return Found(where, entry[PATH], text, *values, base=base, span_s=span, terms=own)


def _text(entry: dict[str, Any], names: tuple[str, ...]) -> str:
    """Return the first of some keys as text; numbers name speakers too."""
    values = (entry[name] for name in names if isinstance(entry.get(name), str | int))
    return str(next(values, ""))


def _seconds(entry: dict[str, Any], name: str, where: str) -> float | None:
    value = entry.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise RefusedError("wrong row", f"{where}: {name} {value!r} is no number of seconds")
    return float(value)
