"""Read a table that comes with recordings, row by row: a wrong row costs itself and no other.

Which signs part the columns and what quotes mean differs between the programs that write tables:

- Commas and semicolons: RFC 4180. A value that begins with a double quote ends with one; between
  them delimiters and line ends are text and a doubled quote is one quote.
- Tabs: quotes are text, as in Common Voice; if the whole header stands in quotes, RFC 4180.
- Bars: RFC 4180 as long as every row can be read so; else quotes are text, as in LJSpeech.

A first line `sep=;`, which spreadsheets write and read, names the delimiter.

Source: RFC 4180; "Common Format and MIME Type for Comma-Separated Values (CSV) Files".
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.corpus.importers.layouts.base import RefusedError
from fonoteka.corpus.importers.layouts.text_lines import first_lines, lines_with_ends, problem_of
from fonoteka.tables import Row, without_formula_marks

DELIMITERS = ("\t", ";", "|", ",")
WRITTEN = {"\t": "a tab", ";": "';'", "|": "'|'", ",": "','"}
LONGEST = 40  # characters of a line in a message

_SEP = re.compile(r'"?sep=(?P<sign>\\t|.)"?(?P=sign)*', re.IGNORECASE)


@dataclass
class Table:
    """The rows of a table.

    Attributes:
        header: the names of its columns, stripped.
        rows: pairs of the line on which a row begins and the row.
        refused: the rows that are wrong.
    """

    header: list[str]
    rows: list[tuple[int, Row]] = field(default_factory=list)
    refused: list[RefusedError] = field(default_factory=list)


@dataclass(frozen=True)
class _Record:
    """A row before its values are counted: its lines, from 0, and its values or what is wrong."""

    first: int
    end: int
    values: list[str]
    problem: str = ""


def names_delimiter(line: str) -> bool:
    """Tell whether a line is the `sep=;` of spreadsheets.

    >>> names_delimiter("sep=;"), names_delimiter("path;text")
    (True, False)
    """
    return _SEP.fullmatch(line.rstrip("\r\n")) is not None


def delimiter_of(path: Path) -> str:
    """Return what parts the columns: what `sep=` names, a tab in a .tsv, else the commonest sign.

    Raises:
        ValueError: `sep=` names a sign that parts no table here.
    """
    first = next(filter(str.strip, first_lines(path)), "")
    if match := _SEP.fullmatch(first):
        sign = "\t" if match["sign"] == r"\t" else match["sign"]
        if sign not in DELIMITERS:
            raise UserError(
                f"{path}:1: {first!r} names a delimiter that is not one of {list(DELIMITERS)}; "
                "save the table with one of them"
            )
        return sign
    if path.suffix.lower() == ".tsv":
        return "\t"
    plain = re.sub(r'"[^"]*"', "", first)  # what quotes hold is not parted
    return max(DELIMITERS, key=plain.count) if any(d in plain for d in DELIMITERS) else ","


def header_of(path: Path) -> list[str]:
    """Return the columns that a table names, to recognise it by; never raises."""
    lines = first_lines(path)
    start = _start(lines)
    try:
        delimiter = delimiter_of(path)
    except ValueError:
        return []
    line = lines[start] if start < len(lines) else ""
    try:
        names = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        names = line.split(delimiter)
    return [name.strip() for name in names]


def read_table(path: Path) -> Table:
    """Return the rows of a table with a header; a line that holds no value is not a row.

    Raises:
        ValueError: the table as a whole is unreadable: it cannot be opened, it is empty, its header
            is not text or names a column twice, or `sep=` names an unknown delimiter.
    """
    delimiter = delimiter_of(path)
    lines = lines_with_ends(path)
    start = _start(lines)
    if start == len(lines):
        raise UserError(f"{path}: empty; expected a header")
    quoted, at, names = _header(path, lines, start, delimiter)
    table = Table(names)
    _check_header(path, names)
    for record in _dialect(lines, at, delimiter, len(names), quoted):
        _take(table, record, lines, path, delimiter)
    return table


def _start(lines: list[str]) -> int:
    """Return the number of the header's line, from 0: the first that is neither blank nor sep=."""
    seen = False
    for number, line in enumerate(lines):
        if not seen and names_delimiter(line):
            seen = True
        elif line.strip():
            return number
    return len(lines)


def _header(
    path: Path, lines: list[str], start: int, delimiter: str
) -> tuple[bool, int, list[str]]:
    """Return whether all names stand in quotes, the line behind the header, and the names."""
    if problem := problem_of(lines[start]):
        raise UserError(f"{path}:{start + 1}: the header cannot be read: {problem}")
    record = next(_records(lines, start, delimiter, 0))
    raw = lines[start].rstrip("\r\n").split(delimiter)
    if record.problem and delimiter in ",;":
        raise UserError(f"{path}:{start + 1}: the header is not a row: {record.problem}")
    quoted = all(name.strip()[:1] == '"' for name in raw) and not record.problem
    if record.problem or (delimiter == "\t" and not quoted):
        return False, start + 1, [name.strip() for name in raw]
    return quoted, record.end, [name.strip() for name in record.values]


def _check_header(path: Path, header: list[str]) -> None:
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise UserError(f"{path}: column {twice[0]!r} stands twice in {header}")


def _dialect(
    lines: list[str], at: int, delimiter: str, columns: int, quoted: bool
) -> Iterator[_Record]:
    """Return the rows in the dialect of the table.

    Between bars a row that cannot be RFC 4180, but has the right number of values if quotes are
    text, shows that they are text in all rows.
    """
    if quoted or delimiter in ",;":
        return _records(lines, at, delimiter, columns)
    if delimiter == "|":
        records = list(_records(lines, at, delimiter, columns))
        doubtful = (lines[r.first] for r in records if r.problem)
        if not any(line.count(delimiter) + 1 == columns for line in doubtful):
            return iter(records)
    raw = (line.rstrip("\r\n").split(delimiter) for line in lines[at:])
    return (_Record(n, n + 1, values) for n, values in enumerate(raw, start=at))


def _records(lines: list[str], at: int, delimiter: str, columns: int) -> Iterator[_Record]:
    """Give the rows by RFC 4180; after a wrong line it starts again at the next line.

    Otherwise a quote that is never closed would cost all rows behind it.
    """
    while at < len(lines):
        reader = csv.reader(_from(lines, at), delimiter=delimiter, strict=True)
        base = at
        try:
            for values in reader:
                end = base + reader.line_num
                if _likely_rows(lines[at:end], delimiter, columns):
                    break
                yield _Record(at, end, values)
                at = end
            else:
                return
            yield _Record(at, at + 1, [], "a quote is not closed on its line")
        except csv.Error as error:
            yield _Record(at, at + 1, [], str(error))
        at += 1


def _likely_rows(lines: list[str], delimiter: str, columns: int) -> bool:
    """Tell whether each line of a row that takes several looks like a row of its own.

    That is so if a quote that is only text opens in one row and closes in another, as in novels:
    each line has as many values as the header, and its first value has one shape, such as `s1.wav`.
    """
    if len(lines) == 1 or any(line.count(delimiter) + 1 != columns for line in lines):
        return False
    return len({re.sub(r"\w+", "w", line.split(delimiter)[0].strip()) for line in lines}) == 1


def _from(lines: list[str], at: int) -> Iterator[str]:
    for number in range(at, len(lines)):
        yield lines[number]


def _take(table: Table, record: _Record, lines: list[str], path: Path, delimiter: str) -> None:
    """Append a row to a table, or to what is refused if it is wrong."""
    held = lines[record.first : record.end]
    if not any(line.replace(delimiter, "").strip() for line in held):
        return
    problem = next(filter(None, map(problem_of, held)), "") or _problem(record, table, delimiter)
    if problem:
        sentence = f"{path}:{record.first + 1}: {problem}"
        table.refused.append(RefusedError("wrong row", sentence))
        return
    values = map(without_formula_marks, record.values)
    row = {name: value for name, value in zip(table.header, values, strict=True) if name}
    table.rows.append((record.first + 1, row))


def _problem(record: _Record, table: Table, delimiter: str) -> str:
    """Return what is wrong with a row, and what to do in this dialect; empty if nothing is."""
    if record.problem:
        return (
            f"not a row: {record.problem}; a text that begins with a quote stands in quotes as a "
            'whole, and each quote within is doubled, as in """Da,"" reče."'
        )
    found, expected = len(record.values), len(table.header)
    if found == expected:
        return ""
    lines = "" if record.end - record.first == 1 else f" up to line {record.end}"
    sentence = f"{found} values{lines} where the header has {expected}"
    if found < expected:
        return f"{sentence}; add what is missing, each part behind {WRITTEN[delimiter]}"
    end = "" if any(map(str.strip, record.values[expected:])) else ", or remove it at the row's end"
    if delimiter in ",;":
        return f"{sentence}; a text that holds {WRITTEN[delimiter]} stands in double quotes{end}"
    return f"{sentence}; a text cannot hold {WRITTEN[delimiter]}, put a space in its place{end}"
