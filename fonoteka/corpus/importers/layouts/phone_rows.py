"""Read phones.jsonl row by row: an invalid line is refused and does not affect the others."""

from __future__ import annotations

from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.corpus.corpus import TimedPhones, timed_phones
from fonoteka.corpus.importers.layouts.base import RefusedError
from fonoteka.corpus.importers.layouts.json_rows import entry_of
from fonoteka.corpus.importers.layouts.table_rows import LONGEST
from fonoteka.corpus.importers.layouts.text_lines import read_lines


def read_phones(path: Path, refused: list[RefusedError]) -> dict[str, TimedPhones]:
    """Return the phones with their times, by the path of their clip.

    Args:
        path: the file, lines of `{"path", "phones", "times_s"}`.
        refused: errors of invalid lines are appended here.
    """
    phones_by_path: dict[str, TimedPhones] = {}
    for number, line in read_lines(path, refused):
        place = f"{path}:{number}"
        try:
            name, timed = _row(line, place)
        except RefusedError as error:
            refused.append(error)
            continue
        if name in phones_by_path:
            sentence = f"{place}: {name!r} is on an earlier line too"
            refused.append(RefusedError("named twice", sentence))
        else:
            phones_by_path[name] = timed
    return phones_by_path


def _row(line: str, place: str) -> tuple[str, TimedPhones]:
    entry = entry_of(line, place)
    try:
        return timed_phones(entry, place, line[:LONGEST])
    except UserError as error:
        raise RefusedError("wrong row", str(error)) from error
