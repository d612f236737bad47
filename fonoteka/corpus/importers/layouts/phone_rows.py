"""Read the phones.jsonl of a corpus of ours, row by row: a wrong line costs itself and no other."""

from __future__ import annotations

from pathlib import Path

from fonoteka.corpus.corpus import TimedPhones
from fonoteka.corpus.importers.layouts.base import RefusedError
from fonoteka.corpus.importers.layouts.json_rows import entry_of
from fonoteka.corpus.importers.layouts.table_rows import LONGEST
from fonoteka.corpus.importers.layouts.text_lines import read_lines


def read_phones(path: Path, refused: list[RefusedError]) -> dict[str, TimedPhones]:
    """Return the phones with their times, by the path of their clip.

    Args:
        path: the file, lines of `{"path", "phones", "times_s"}`.
        refused: what is wrong is appended here.
    """
    known: dict[str, TimedPhones] = {}
    for number, line in read_lines(path, refused):
        where = f"{path}:{number}"
        try:
            name, timed = _row(line, where)
        except RefusedError as error:
            refused.append(error)
            continue
        if name in known:
            sentence = f"{where}: {name!r} is on an earlier line too"
            refused.append(RefusedError("named twice", sentence))
        else:
            known[name] = timed
    return known


def _row(line: str, where: str) -> tuple[str, TimedPhones]:
    entry = entry_of(line, where)
    try:
        times = tuple((float(start), float(end)) for start, end in entry["times_s"])
        timed = TimedPhones(tuple(map(str, entry["phones"])), times)
        name = str(entry["path"])
    except (ValueError, TypeError, KeyError) as error:
        sentence = f'expected {{"path", "phones", "times_s"}}, found {line[:LONGEST]!r}'
        raise RefusedError("wrong row", f"{where}: {sentence}") from error
    if len(timed.phones) != len(times):
        sentence = f"{where}: {len(timed.phones)} phones but {len(times)} times"
        raise RefusedError("wrong row", sentence)
    return name, timed
