"""Read and write CSV tables with known columns; equal rows give equal bytes.

A spreadsheet runs a cell that begins like a formula. Such a cell is written with an apostrophe
before it, which spreadsheets interpret as "this is text"; reading removes it. The same applies
after a semicolon, a comma, a tab or a line break inside a cell: in Bosnia, Croatia and Serbia the
semicolon separates columns, so a spreadsheet begins a new cell there.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file

Row = dict[str, str]

_STARTS_FORMULA = re.compile(r"(?:^|(?<=[;,\t\r\n]))(?='*[=+\-@＝＋－＠\t\r])")
_MARKED = re.compile(r"(?:^|(?<=[;,\t\r\n]))'(?='*[=+\-@＝＋－＠\t\r])")
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")  # not a formula: -6.02 must stay a number
_PLAIN = re.compile(r"[\w/][\w./ -]*")  # most cells: nothing to quote, nothing to mark
_QUOTED = re.compile(r'[",\r\n]')


def read_table(path: Path, needed: Sequence[str], delimiter: str = ",") -> list[Row]:
    """Return the rows of a table with a header, each as column to value.

    A byte-order mark, which spreadsheets write, is not part of the first column's name. Quotes are
    syntax in tables with commas or semicolons; in tables with tabs they are text, as in most speech
    corpora. An apostrophe that prevents a spreadsheet from running a cell is removed, see
    `without_formula_marks`.

    Raises:
        ValueError: the file is missing, is not UTF-8 or not a table, a column of `needed` is
            missing, a column occurs twice, or a row has another number of values than the header.
    """
    numbered = read_numbered(path, needed, delimiter)
    return [row for _, row in numbered]


def read_numbered(path: Path, needed: Sequence[str], delimiter: str = ",") -> list[tuple[int, Row]]:
    """Return the rows as `read_table` does, each with the number of its last line."""
    if not path.is_file():
        raise UserError(f"{path}: no such table")
    quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    # Strict: without it, csv reads a quote that is never closed as one cell up to the file's end.
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, quoting=quoting, strict=True)
            lines = [(reader.line_num, values) for values in reader if values]
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    except csv.Error as error:
        raise UserError(f"{path}:{reader.line_num}: not a table: {error}") from error
    if not lines:
        raise UserError(f"{path}: empty; expected a header with the columns {list(needed)}")
    header = [name.strip() for name in lines[0][1]]
    _check_header(path, header, needed)
    for number, values in lines[1:]:
        if len(values) != len(header):
            raise UserError(
                f"{path}:{number}: {len(values)} values where the header has {len(header)}; "
                f"put a text with {delimiter!r} in double quotes"
            )
    return [
        (number, dict(zip(header, map(without_formula_marks, values), strict=True)))
        for number, values in lines[1:]
    ]


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows in the given order: UTF-8, commas, one newline per row, quotes where needed.

    Raises:
        ValueError: a row has a value for an unknown column.
    """
    with atomic_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        file.write(table_line(columns))
        names = set(columns)
        for row in rows:
            if unknown := sorted(row.keys() - names):
                raise UserError(f"{path}: no column {unknown[0]!r} among {list(columns)}")
            file.write(table_line([row.get(name, "") for name in columns]))


def table_line(values: Sequence[object]) -> str:
    """Return one row as `write_table` writes it.

    >>> print(table_line(["a", 1, "x, y", "=SUM(A1)", "-6.02"]), end="")
    a,1,"x, y",'=SUM(A1),-6.02
    """
    line = ",".join([_cell(value) for value in values])
    return (line or '""') + "\n"  # readers skip empty lines


def with_formula_marks(text: str) -> str:
    """Insert an apostrophe wherever a spreadsheet could begin to parse a formula.

    >>> with_formula_marks("=1+1"), with_formula_marks("da;@x"), with_formula_marks("-6.02")
    ("'=1+1", "da;'@x", '-6.02')
    """
    return text if _NUMBER.fullmatch(text) else _STARTS_FORMULA.sub("'", text)


def without_formula_marks(text: str) -> str:
    """Undo `with_formula_marks`: remove one apostrophe wherever it inserted one.

    >>> without_formula_marks("'=1+1"), without_formula_marks("''=1"), without_formula_marks("'tis")
    ('=1+1', "'=1", "'tis")
    """
    return _MARKED.sub("", text) if "'" in text else text


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    if not text or text.isalnum() or _PLAIN.fullmatch(text):
        return text
    text = with_formula_marks(text)
    if _QUOTED.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text


def _check_header(path: Path, header: list[str], needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in header]
    if missing:
        raise UserError(f"{path}: column {missing[0]!r} is missing; found {header}")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise UserError(f"{path}: column {twice[0]!r} occurs twice in {header}; rename one")
