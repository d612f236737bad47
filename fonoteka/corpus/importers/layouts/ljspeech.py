"""LJSpeech: metadata.csv with `id|text|text as read` and no header, and the folder wavs beside it.

Many corpora have this form with another third column: a speaker, phones, an emotion. The third
column counts as the text as read only if it mostly repeats the words of the second; else the user
must name the columns by their numbers.

Source: the README that comes with LJSpeech 1.1.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.corpus.clip_terms import OWN_COLUMNS, ClipTerms
from fonoteka.corpus.corpus import KNOWN_COLUMNS, TABLE_COLUMNS
from fonoteka.corpus.importers.layouts.base import (
    ImportOptions,
    ParsedLayout,
    RefusedError,
    SourceFolder,
    UncheckedClip,
    nfc,
    sounds,
)
from fonoteka.corpus.importers.layouts.table import usual
from fonoteka.corpus.importers.layouts.table_rows import LONGEST, header_of, names_delimiter
from fonoteka.corpus.importers.layouts.text_lines import first_lines, read_lines
from fonoteka.text.transliteration import to_latin

TABLE, AUDIO = "metadata.csv", "wavs"
FIELDS = (*TABLE_COLUMNS[1:], *KNOWN_COLUMNS)
ALIKE = 0.5  # smallest share of equal words: numbers and abbreviations are read differently

_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class _Row:
    """A line with its values, stripped."""

    place: str
    line: str
    values: list[str]


def claims(source: SourceFolder, name: str) -> bool:
    """Return whether a file is LJSpeech's table: bars in most lines, and no header."""
    path = source.folder / name
    if path.name != TABLE or not (path.parent / AUDIO).is_dir():
        return False
    lines = [line for line in first_lines(path) if line.strip() and not names_delimiter(line)]
    barred = [line for line in lines if "|" in line]
    if 2 * len(barred) <= len(lines) or usual("path", header_of(path)):
        return False
    return not usual("path", [barred[0].split("|")[0].strip().strip('"')])


def read(source: SourceFolder, index: list[str], options: ImportOptions) -> ParsedLayout:
    """Return a clip for each line, with the text as read, in which numbers are words.

    Raises:
        ValueError: the contents of a column are unknown.
    """
    parsed = ParsedLayout(texts=TABLE, used=set(index), declared=set(options.columns))
    for name in index:
        path = source.folder / name
        rows = [
            _Row(f"{path}:{number}", line, [value.strip() for value in line.split("|")])
            for number, line in read_lines(path, parsed.refused)
        ]
        count = _usual_count(rows)
        columns = _named_columns(options.columns, count, path) if options.columns else {}
        max_values = count if columns else _max_values(rows, count, path)
        if columns:
            shown = ", ".join(f"{ours} from column {n + 1}" for ours, n in columns.items())
            parsed.notes.append(("columns", shown))
        folder = posixpath.join(posixpath.dirname(name), AUDIO)
        for row in rows:
            try:
                parsed.clips.append(_clip(source, row, columns, max_values, folder))
            except RefusedError as error:
                parsed.refused.append(error)
    return parsed


def _clip(
    source: SourceFolder, row: _Row, columns: Mapping[str, int], max_values: int, folder: str
) -> UncheckedClip:
    """Return the clip of a line; the columns are LJSpeech's if no others are given.

    Raises:
        RefusedError: the line has too few or too many values, or names no recording.
    """
    values = row.values[:2] if row.values[2:] == [""] and not columns else row.values
    fits = (max_values if columns else 2) <= len(values) <= max_values
    clip = values[columns.get("path", 0)] if fits else ""
    if not clip:
        form = "neither id|text nor id|text|text as read" if max_values > 2 else "not id|text"
        form = f"not a clip and {max_values - 1} values" if columns else form
        sentence = f"{row.place}: {row.line[:LONGEST]!r} is {form}; a text cannot contain '|'"
        raise RefusedError("wrong row", sentence)
    stem = nfc(posixpath.join(folder, clip))
    path = clip if sounds(clip) else next(iter(source.audio_by_stem.get(stem, ())), f"{stem}.wav")
    if not columns:
        return UncheckedClip(row.place, path, values[-1] or values[1], base=folder)
    written = [values[columns[name]] if name in columns else "" for name in (*FIELDS, *OWN_COLUMNS)]
    terms = ClipTerms(*written[len(FIELDS) :])
    return UncheckedClip(row.place, path, *written[: len(FIELDS)], base=folder, terms=terms)


def _usual_count(rows: list[_Row]) -> int:
    """Return the most frequent number of values per line; the first of equally frequent ones."""
    counts = Counter(len(row.values) for row in rows)
    return max(counts, key=counts.__getitem__, default=0)


def _named_columns(column_options: Mapping[str, str], count: int, path: Path) -> dict[str, int]:
    """Return the columns that the user names, from 0, with path and text.

    Raises:
        ValueError: a number is invalid or given twice, or several columns are left for the text.
    """
    columns: dict[str, int] = {}
    for ours, written in column_options.items():
        if not re.fullmatch(r"[0-9]{1,3}", written) or not 1 <= int(written) <= count:
            raise UserError(
                f"{path}: --{ours}-column {written!r}: there is no header; give the number of a "
                f"column, 1 to {count}"
            )
        columns[ours] = int(written) - 1
    columns.setdefault("path", 0)
    free = [n for n in range(count) if n not in columns.values()]
    if "text" not in columns and len(free) == 1:
        columns["text"] = free[0]
    if "text" not in columns:
        raise UserError(
            f"{path}: columns {[n + 1 for n in free]} are left for the text; give --text-column"
        )
    if len(set(columns.values())) < len(columns):
        raise UserError(f"{path}: two of {sorted(columns)} are given the same column")
    return columns


def _max_values(rows: list[_Row], count: int, path: Path) -> int:
    """Return the maximum number of values per line: 3 if the third is the text as read, else 2.

    Raises:
        ValueError: most lines have another third value, or a fourth; the message quotes some.
    """
    if count > 3:
        raise UserError(
            f"{path}: {count} columns, as in {rows[0].line[:LONGEST]!r}; say what they hold by "
            "number, as --text-column 2 and --speaker-column 4"
        )
    pairs = [(row.values[1], row.values[2]) for row in rows if len(row.values) == 3]
    pairs = [(text, other) for text, other in pairs if other]
    if not pairs or _is_reading(pairs):
        return 3
    if count > 2:
        texts, others = (", ".join(_few(column)) for column in zip(*pairs, strict=True))
        raise UserError(
            f"{path}: column 3 holds {others}, which is not column 2 as read: {texts}; say what "
            "they hold by number, as --text-column 2 and --speaker-column 3"
        )
    return 2


def _is_reading(pairs: list[tuple[str, str]]) -> bool:
    """Return whether the second texts are the first as read: mostly the same words.

    All clips are compared together, because a single text may be a year, and another may be only
    the name of its speaker. Different texts must also have different second texts, which a column
    of speakers does not have.
    """
    common, total = 0, 0
    for text, other in pairs:
        words = Counter(_words(text))
        common += (words & Counter(_words(other))).total()
        total += words.total()
    texts, others = (len(set(column)) for column in zip(*pairs, strict=True))
    return 0 < ALIKE * total <= common and ALIKE * texts < others


def _words(text: str) -> list[str]:
    """Return the words of a text in Latin script without case and accents."""
    plain = unicodedata.normalize("NFD", to_latin(nfc(text)).casefold())
    return _WORD.findall("".join(c for c in plain if not unicodedata.combining(c)))


def _few(values: Iterable[str]) -> list[str]:
    return [repr(value[:LONGEST]) for value in list(dict.fromkeys(values))[:3]]
