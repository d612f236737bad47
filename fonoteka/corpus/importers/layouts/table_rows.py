"""Read a table row by row: an invalid row is refused and does not affect the others.

Programs that write tables differ in their delimiters and in the meaning of quotes:

- Commas and semicolons: RFC 4180. A value that begins with a double quote ends with one; between
  them delimiters and line ends are text and a doubled quote is one quote.
- Tabs: quotes are text, as in Common Voice; RFC 4180 if all names of the header are quoted.
- Bars: RFC 4180 if every row can be parsed so; else quotes are text, as in LJSpeech.

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
        rows: pairs of the first line number of a row and the row.
        refused: errors of invalid rows.
    """

    header: list[str]
    rows: list[tuple[int, Row]] = field(default_factory=list)
    refused: list[RefusedError] = field(default_factory=list)


@dataclass(frozen=True)
class _Record:
    """A parsed row: its lines, from 0, and its values or the parser's error."""

    first: int
    end: int
    values: list[str]
    problem: str = ""


def names_delimiter(line: str) -> bool:
    """Return whether a line is the `sep=;` of spreadsheets.

    >>> names_delimiter("sep=;"), names_delimiter("path;text")
    (True, False)
    """
    return _SEP.fullmatch(line.rstrip("\r\n")) is not None


def delimiter_of(path: Path) -> str:
    """Return the delimiter: from `sep=`, a tab in a .tsv, else the most frequent candidate.

    Raises:
        ValueError: `sep=` names a delimiter that is not supported.
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
    plain = re.sub(r'"[^"]*"', "", first)  # delimiters within quotes do not count
    return max(DELIMITERS, key=plain.count) if any(d in plain for d in DELIMITERS) else ","


def header_of(path: Path) -> list[str]:
    """Return the header of a table, for detection; empty if it cannot be read."""
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
    """Return the rows of a table with a header; a line without any value is not a row.

    Raises:
        ValueError: the whole table is unreadable: it cannot be opened, it is empty, its header is
            not text or has a column twice, or `sep=` names an unknown delimiter.
    """
    delimiter = delimiter_of(path)
    lines = lines_with_ends(path)
    start = _start(lines)
    if start == len(lines):
        raise UserError(f"{path}: empty; expected a header")
    quoted, position, names = _header(path, lines, start, delimiter)
    table = Table(names)
    _check_header(path, names)
    for record in _dialect(lines, position, delimiter, len(names), quoted):
        _add_record(table, record, lines, path, delimiter)
    return table


def _start(lines: list[str]) -> int:
    """Return the index of the header's line: the first line that is neither blank nor sep=."""
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
    """Return whether all names are quoted, the index after the header, and the names."""
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
        raise UserError(f"{path}: column {twice[0]!r} occurs twice in {header}; rename one")


def _dialect(
    lines: list[str], position: int, delimiter: str, columns: int, quoted: bool
) -> Iterator[_Record]:
    """Return the rows in the dialect of the table.

    With bars, a row that violates RFC 4180 but has the expected number of values if quotes are text
    shows that quotes are text in all rows.
    """
    if quoted or delimiter in ",;":
        return _records(lines, position, delimiter, columns)
    if delimiter == "|":
        records = list(_records(lines, position, delimiter, columns))
        doubtful = (lines[r.first] for r in records if r.problem)
        if not any(line.count(delimiter) + 1 == columns for line in doubtful):
            return iter(records)
    raw = (line.rstrip("\r\n").split(delimiter) for line in lines[position:])
    return (_Record(n, n + 1, values) for n, values in enumerate(raw, start=position))


def _records(lines: list[str], position: int, delimiter: str, columns: int) -> Iterator[_Record]:
    """Yield the rows by RFC 4180; after an invalid line, parsing restarts at the next line.

    Otherwise a quote that is never closed would swallow all rows after it.
    """
    while position < len(lines):
        reader = csv.reader(_from(lines, position), delimiter=delimiter, strict=True)
        base = position
        try:
            for values in reader:
                end = base + reader.line_num
                if _likely_rows(lines[position:end], delimiter, columns):
                    break
                yield _Record(position, end, values)
                position = end
            else:
                return
            yield _Record(position, position + 1, [], "a quote is not closed on its line")
        except csv.Error as error:
            yield _Record(position, position + 1, [], str(error))
        position += 1


def _likely_rows(lines: list[str], delimiter: str, columns: int) -> bool:
    """Return whether each line of a multi-line row looks like a row of its own.

    This happens if a quote that is only text opens in one row and closes in another, as in novels.
    Then each line has as many values as the header, and the first values have one form, such as
    `s1.wav`.
    """
    if len(lines) == 1 or any(line.count(delimiter) + 1 != columns for line in lines):
        return False
    return len({re.sub(r"\w+", "w", line.split(delimiter)[0].strip()) for line in lines}) == 1


def _from(lines: list[str], position: int) -> Iterator[str]:
    for number in range(position, len(lines)):
        yield lines[number]


def _add_record(
    table: Table, record: _Record, lines: list[str], path: Path, delimiter: str
) -> None:
    """Append a row to the table's rows, or its error to the refused ones."""
    record_lines = lines[record.first : record.end]
    if not any(line.replace(delimiter, "").strip() for line in record_lines):
        return
    problem = next(filter(None, map(problem_of, record_lines)), "") or _problem(
        record, table, delimiter
    )
    if problem:
        sentence = f"{path}:{record.first + 1}: {problem}"
        table.refused.append(RefusedError("wrong row", sentence))
        return
    values = map(without_formula_marks, record.values)
    row = {name: value for name, value in zip(table.header, values, strict=True) if name}
    table.rows.append((record.first + 1, row))


def _problem(record: _Record, table: Table, delimiter: str) -> str:
    """Return the problem of a row with the remedy in this dialect; empty if the row is valid."""
    if record.problem:
        return (
            f"not a row: {record.problem}; quote the whole of a text that begins with a quote, and "
            'double each quote within, as in """Da,"" reče."'
        )
    count, expected = len(record.values), len(table.header)
    if count == expected:
        return ""
    lines = "" if record.end - record.first == 1 else f" up to line {record.end}"
    sentence = f"{count} values{lines} where the header has {expected}"
    if count < expected:
        return f"{sentence}; add the missing values, each after {WRITTEN[delimiter]}"
    end = "" if any(map(str.strip, record.values[expected:])) else ", or remove it at the row's end"
    if delimiter in ",;":
        return f"{sentence}; put a text with {WRITTEN[delimiter]} in double quotes{end}"
    return f"{sentence}; a text cannot contain {WRITTEN[delimiter]}, replace it by a space{end}"
