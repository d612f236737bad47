"""Read a table of ours a row at a time, where the table may be longer than memory should hold."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.tables import without_formula_marks


def each_row(
    path: Path, columns: Sequence[str], wanted: Sequence[str]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Give the rows of a table that `fonoteka.tables` wrote.

    Args:
        path: of the table.
        columns: that it has, in their order.
        wanted: two or more of them.

    Returns:
        For each row the values that are wanted, and the row as it was written.

    Raises:
        ValueError: the table is missing, has other columns, or a row is of another length than the
            header.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such table")
    with path.open(encoding="utf-8", newline="") as file:
        taken: list[str] = []

        def lines() -> Iterator[str]:
            for line in file:
                taken.append(line)  # a row may have several: a text may hold a line break
                yield line

        reader = csv.reader(lines(), strict=True)
        header = next(reader, [])
        if missing := [name for name in columns if name not in header]:
            raise UserError(f"{path}: column {missing[0]!r} is missing; found {header}")
        if header != list(columns):
            raise UserError(f"{path}: has the columns {header}; run the stage that wrote it again")
        taken.clear()
        choose, width = itemgetter(*(header.index(name) for name in wanted)), len(header)
        for values in reader:
            if len(values) != width:
                raise UserError(
                    f"{path}:{reader.line_num}: {len(values)} values where the header has "
                    f"{width}; run the stage that wrote it again"
                )
            text = "".join(taken)
            taken.clear()
            chosen: tuple[str, ...] = choose(values)
            yield tuple(map(without_formula_marks, chosen)) if "'" in text else chosen, text
