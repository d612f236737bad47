"""Read a table of ours a row at a time, where the table may be longer than memory should hold."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from stages.common.tables import Row, without_formula_marks


def each_row(path: Path, needed: Sequence[str]) -> Iterator[Row]:
    """Give the rows of a table that `stages.common.tables` wrote.

    Raises:
        ValueError: the table is missing, lacks a column of `needed`, or a row is of another length
            than the header.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such table")
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, strict=True)
        header = next(reader, [])
        if missing := [name for name in needed if name not in header]:
            raise ValueError(f"{path}: column {missing[0]!r} is missing; found {header}")
        for values in reader:
            if len(values) != len(header):
                raise ValueError(
                    f"{path}:{reader.line_num}: {len(values)} values where the header has "
                    f"{len(header)}; run the stage that wrote it again"
                )
            yield dict(zip(header, map(without_formula_marks, values), strict=True))
