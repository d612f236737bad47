"""Read and write CSV tables whose columns are known, whose bytes are equal for equal rows."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from stages.common.files import atomic_file

Row = dict[str, str]


def read_table(path: Path, needed: Sequence[str], delimiter: str = ",") -> list[Row]:
    """Return the rows of a table with a header, each as column to value.

    A byte-order mark, which spreadsheets write, is not part of the first column's name. Quotes mean
    something in tables parted by commas or semicolons; between tabs they are part of the text, as
    most speech corpora have it.

    Raises:
        ValueError: the file is missing, isn't UTF-8 or not a table, a column of `needed` is not
            there, a column stands twice, or a row has another number of values than the header.
    """
    numbered = read_numbered(path, needed, delimiter)
    return [row for _, row in numbered]


def read_numbered(path: Path, needed: Sequence[str], delimiter: str = ",") -> list[tuple[int, Row]]:
    """Return what `read_table` does, each row with the number of the line on which it ends."""
    if not path.is_file():
        raise ValueError(f"{path}: no such table")
    quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, quoting=quoting, strict=True)
            lines = [(reader.line_num, values) for values in reader if values]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    except csv.Error as error:
        raise ValueError(f"{path}:{reader.line_num}: not a table: {error}") from error
    if not lines:
        raise ValueError(f"{path}: empty; expected a header with the columns {list(needed)}")
    header = [name.strip() for name in lines[0][1]]
    _check_header(path, header, needed)
    for number, values in lines[1:]:
        if len(values) != len(header):
            raise ValueError(
                f"{path}:{number}: {len(values)} values where the header has {len(header)}; "
                f"a text that holds {delimiter!r} stands in double quotes"
            )
    return [(number, dict(zip(header, values, strict=True))) for number, values in lines[1:]]


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows in the order given: UTF-8, commas, one newline a row, quotes where needed."""
    with atomic_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _check_header(path: Path, header: list[str], needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in header]
    if missing:
        raise ValueError(f"{path}: column {missing[0]!r} is missing; found {header}")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ValueError(f"{path}: column {twice[0]!r} stands twice in {header}")
