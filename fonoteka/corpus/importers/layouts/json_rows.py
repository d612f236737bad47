"""Read JSON lines row by row: an invalid line is refused and does not affect the others."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.corpus.importers.layouts.base import RefusedError
from fonoteka.corpus.importers.layouts.table_rows import LONGEST, Table
from fonoteka.corpus.importers.layouts.text_lines import first_lines, read_lines

Entry = dict[str, Any]


def has_key(path: Path, key: str) -> bool:
    """Return whether one of the first lines of a file is a JSON object with a key.

    Not only the first line counts: it may be damaged, which is not a sign of another layout.
    """
    return any(key in entry for entry in _objects(path))


def _objects(path: Path) -> Iterator[Entry]:
    for line in first_lines(path):
        try:
            yield entry_of(line.strip(), "")
        except RefusedError:
            continue


def entry_of(line: str, place: str) -> Entry:
    """Return the JSON object on a line.

    Args:
        line: the line.
        place: file and line, for messages.

    Raises:
        RefusedError: the line is not JSON, not an object, or has a key twice.
    """
    try:
        entry = json.loads(line, object_pairs_hook=_unique_keys)
    except RefusedError as error:
        raise RefusedError("wrong row", f"{place}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise RefusedError("wrong row", f"{place}: {line[:LONGEST]!r} is not JSON") from error
    if not isinstance(entry, dict):
        raise RefusedError("wrong row", f"{place}: {line[:LONGEST]!r} is not a JSON object")
    return entry


def text_of(entry: Entry, key: str, place: str) -> str:
    """Return a value as text; numbers are converted, and null is empty.

    Raises:
        RefusedError: the value is of another type.

    >>> text_of({"speaker": 7, "text": None}, "speaker", "m.json:1")
    '7'
    """
    value = entry.get(key)
    if value is None:
        return ""
    is_invalid = isinstance(value, float) and not math.isfinite(value)
    if is_invalid or isinstance(value, bool) or not isinstance(value, str | int | float):
        shown = json.dumps(value, ensure_ascii=False)[:LONGEST]
        raise RefusedError("wrong row", f"{place}: {key} is {shown}, expected text")
    return str(value)


def read_table(path: Path, used_columns: Callable[[list[str]], Collection[str]]) -> Table:
    """Return the objects of JSON lines as a table; its header is the most frequent set of keys.

    Args:
        path: the file.
        used_columns: returns the columns to read for a header; other columns may have any type.

    Raises:
        ValueError: the file cannot be opened or contains no object, or `used_columns` raises.
    """
    table = Table([])
    entries: list[tuple[int, Entry, str]] = []
    for number, line in read_lines(path, table.refused):
        try:
            entries.append((number, entry_of(line, f"{path}:{number}"), line))
        except RefusedError as error:
            table.refused.append(error)
    if not entries:
        raise UserError(f"{path}: no line is a JSON object")
    counts = Counter(frozenset(entry) for _, entry, _ in entries)
    usual = max(counts, key=counts.__getitem__)  # the first of those that are as frequent
    table.header = next(list(entry) for _, entry, _ in entries if entry.keys() == usual)
    wanted = used_columns(table.header)
    for number, entry, line in entries:
        place = f"{path}:{number}"
        try:
            _check_keys(entry, table.header, place, line)
            table.rows.append((number, {key: text_of(entry, key, place) for key in wanted}))
        except RefusedError as error:
            table.refused.append(error)
    return table


def _check_keys(entry: Entry, header: list[str], place: str, line: str) -> None:
    missing = [key for key in header if key not in entry]
    unknown = [key for key in entry if key not in header]
    if missing or unknown:
        sentence = (
            f"{place}: {line[:LONGEST]!r} is not a JSON object with the same keys as most lines: "
            f"missing {missing}, unknown {unknown}"
        )
        raise RefusedError("wrong row", sentence)


def _unique_keys(pairs: list[tuple[str, Any]]) -> Entry:
    entry = dict(pairs)
    if len(entry) != len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise RefusedError("wrong row", f"key {twice!r} occurs twice")
    return entry
