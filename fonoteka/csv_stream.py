"""Read a table that `fonoteka.tables` wrote row by row, without loading all of it."""

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
    """Yield the rows of a table that `fonoteka.tables` wrote.

    Args:
        path: of the table.
        columns: all columns of the table, in order.
        wanted: two or more of them.

    Returns:
        For each row the values of the wanted columns, and the text of the whole row.

    Raises:
        ValueError: the table is missing, has other columns, or a row has another number of values
            than the header.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such table")
    with path.open(encoding="utf-8", newline="") as file:
        raw_lines: list[str] = []

        def lines() -> Iterator[str]:
            for line in file:
                raw_lines.append(line)  # a row has several lines if a text contains line breaks
                yield line

        reader = csv.reader(lines(), strict=True)
        header = next(reader, [])
        if missing := [name for name in columns if name not in header]:
            raise UserError(f"{path}: column {missing[0]!r} is missing; found {header}")
        if header != list(columns):
            raise UserError(f"{path}: has the columns {header}; run the stage that wrote it again")
        raw_lines.clear()
        # itemgetter takes the wanted values without a dict per row.
        choose, width = itemgetter(*(header.index(name) for name in wanted)), len(header)
        for values in reader:
            if len(values) != width:
                raise UserError(
                    f"{path}:{reader.line_num}: {len(values)} values where the header has "
                    f"{width}; run the stage that wrote it again"
                )
            text = "".join(raw_lines)
            raw_lines.clear()
            chosen: tuple[str, ...] = choose(values)
            yield tuple(map(without_formula_marks, chosen)) if "'" in text else chosen, text
