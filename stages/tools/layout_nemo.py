"""A NeMo manifest: JSON lines with audio_filepath, text, duration and, of a part, offset.

Source: "Preparing Custom ASR Data" in NeMo's documentation; its loader reads `duration` seconds
from `offset` on, so a duration that is shorter than the file is a part of it.
"""

from __future__ import annotations

import json
import math
import posixpath
from pathlib import PurePosixPath
from typing import Any

from stages.common.terms import OWN_COLUMNS, Terms
from stages.tools.corpus_table import USUAL_NAMES
from stages.tools.layout import Found, Given, Reading, RefusedError, Source, read_lines

PATH = "audio_filepath"
SUFFIXES = (".json", ".jsonl")
_FIRST_BYTES = 65536


def claims(source: Source, name: str) -> bool:
    """Tell whether the first line of a file is an entry of a manifest."""
    if PurePosixPath(name).suffix.lower() not in SUFFIXES:
        return False
    with (source.folder / name).open("rb") as file:
        first = file.readline(_FIRST_BYTES)
    try:
        entry = json.loads(first.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return False
    return isinstance(entry, dict) and PATH in entry


def read(source: Source, index: list[str], given: Given) -> Reading:  # noqa: ARG001
    """Return a clip for each line of each manifest."""
    reading = Reading(texts="the manifest", used=set(index), by_name=True)
    for name in index:
        for number, line in read_lines(source.folder / name):
            where = f"{source.folder / name}:{number}"
            try:
                reading.found.append(_clip(line, where, posixpath.dirname(name)))
            except RefusedError as error:
                reading.refused.append(error)
    return reading


def _clip(line: str, where: str, base: str) -> Found:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RefusedError("wrong row", f"{where}: {line[:40]!r} is not JSON") from error
    if not isinstance(entry, dict) or not isinstance(entry.get(PATH), str):
        raise RefusedError("wrong row", f"{where}: {line[:40]!r} has no {PATH}")
    offset, duration = _seconds(entry, "offset", where), _seconds(entry, "duration", where)
    start = offset or 0.0
    span = (start, math.inf if duration is None else start + duration)
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
