"""LJSpeech: metadata.csv with `id|text|text as read` and no header, and the folder wavs beside it.

Many corpora have this shape and another third column: a speaker, phones, an emotion. A third column
is only taken for the text as read if it mostly repeats the second one's words; else the user says
what the columns are, by their numbers.

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
from fonoteka.corpus.clip_terms import OWN_COLUMNS, Terms
from fonoteka.corpus.corpus import KNOWN_COLUMNS, TABLE_COLUMNS
from fonoteka.corpus.importers.layouts.base import (
    Found,
    Given,
    Reading,
    RefusedError,
    Source,
    nfc,
    sounds,
)
from fonoteka.corpus.importers.layouts.table import usual
from fonoteka.corpus.importers.layouts.table_rows import LONGEST, header_of, names_delimiter
from fonoteka.corpus.importers.layouts.text_lines import first_lines, read_lines
from fonoteka.text.transliteration import to_latin

TABLE, AUDIO = "metadata.csv", "wavs"
FIELDS = (*TABLE_COLUMNS[1:], *KNOWN_COLUMNS)
ALIKE = 0.5  # of the words at least: numbers and abbreviations are read otherwise

_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class _Row:
    """A line and its values, stripped."""

    where: str
    line: str
    values: list[str]


def claims(source: Source, name: str) -> bool:
    """Tell whether a file is LJSpeech's table: bars in most lines, and no names of columns."""
    path = source.folder / name
    if path.name != TABLE or not (path.parent / AUDIO).is_dir():
        return False
    lines = [line for line in first_lines(path) if line.strip() and not names_delimiter(line)]
    barred = [line for line in lines if "|" in line]
    if 2 * len(barred) <= len(lines) or usual("path", header_of(path)):
        return False
    return not usual("path", [barred[0].split("|")[0].strip().strip('"')])


def read(source: Source, index: list[str], given: Given) -> Reading:
    """Return a clip for each line; of its two texts the one as read, which has numbers in words.

    Raises:
        ValueError: nothing says what a column holds.
    """
    reading = Reading(texts=TABLE, used=set(index), says=set(given.columns))
    for name in index:
        path = source.folder / name
        rows = [
            _Row(f"{path}:{number}", line, [value.strip() for value in line.split("|")])
            for number, line in read_lines(path, reading.refused)
        ]
        count = _usual_count(rows)
        columns = _given_columns(given.columns, count, path) if given.columns else {}
        longest = count if columns else _longest(rows, count, path)
        if columns:
            shown = ", ".join(f"{ours} from column {n + 1}" for ours, n in columns.items())
            reading.notes.append(("columns", shown))
        folder = posixpath.join(posixpath.dirname(name), AUDIO)
        for row in rows:
            try:
                reading.found.append(_clip(source, row, columns, longest, folder))
            except RefusedError as error:
                reading.refused.append(error)
    return reading


def _clip(
    source: Source, row: _Row, columns: Mapping[str, int], longest: int, folder: str
) -> Found:
    """Return what a line says; its columns are LJSpeech's if no others are given.

    Raises:
        RefusedError: it has too few values or too many, or names no recording.
    """
    values = row.values[:2] if row.values[2:] == [""] and not columns else row.values
    fits = (longest if columns else 2) <= len(values) <= longest
    clip = values[columns.get("path", 0)] if fits else ""
    if not clip:
        form = "neither id|text nor id|text|text as read" if longest > 2 else "not id|text"
        form = f"not a clip and {longest - 1} values" if columns else form
        sentence = f"{row.where}: {row.line[:LONGEST]!r} is {form}; a text cannot hold '|'"
        raise RefusedError("wrong row", sentence)
    stem = nfc(posixpath.join(folder, clip))
    path = clip if sounds(clip) else next(iter(source.audio_by_stem.get(stem, ())), f"{stem}.wav")
    if not columns:
        return Found(row.where, path, values[-1] or values[1], base=folder)
    written = [values[columns[name]] if name in columns else "" for name in (*FIELDS, *OWN_COLUMNS)]
    own = Terms(*written[len(FIELDS) :])
    return Found(row.where, path, *written[: len(FIELDS)], base=folder, terms=own)


def _usual_count(rows: list[_Row]) -> int:
    """Return how many values most lines have; the first of equals."""
    counts = Counter(len(row.values) for row in rows)
    return max(counts, key=counts.__getitem__, default=0)


def _given_columns(given: Mapping[str, str], count: int, path: Path) -> dict[str, int]:
    """Return the columns that the user names, from 0, with path and text.

    Raises:
        ValueError: a number is wrong or given twice, or several columns are left for the text.
    """
    columns: dict[str, int] = {}
    for ours, written in given.items():
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


def _longest(rows: list[_Row], count: int, path: Path) -> int:
    """Return how many values a line may have: 3 if a third one is the second one as read, else 2.

    Raises:
        ValueError: most lines have a third value that is not, or a fourth; it shows some.
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
    """Tell whether the second texts are the first as read: other signs, but mostly the same words.

    All clips are judged together, as one text may be a year, and another nothing but the name of
    its speaker; and different texts are read differently, while one speaker says many.
    """
    common, total = 0, 0
    for text, other in pairs:
        words = Counter(_words(text))
        common += (words & Counter(_words(other))).total()
        total += words.total()
    texts, others = (len(set(column)) for column in zip(*pairs, strict=True))
    return 0 < ALIKE * total <= common and ALIKE * texts < others


def _words(text: str) -> list[str]:
    """Return the words of a text without case, accents and script."""
    plain = unicodedata.normalize("NFD", to_latin(nfc(text)).casefold())
    return _WORD.findall("".join(c for c in plain if not unicodedata.combining(c)))


def _few(values: Iterable[str]) -> list[str]:
    return [repr(value[:LONGEST]) for value in list(dict.fromkeys(values))[:3]]
