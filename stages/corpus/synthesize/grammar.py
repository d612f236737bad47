"""Compose sentences from templates and word lists.

A grammar is a text file of lists. `[name]` begins one; a line is one entry. `[name now he she]`
names columns: an entry is then a row of word forms. In a template, `{name}` is an entry and
`{name.he}` one of its forms. A list that is named twice in a template means one entry: so
`{in_f.at} {adjective.loc_f} {in_f.where}` keeps a preposition with its noun. Entries can be
templates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from fonoteka.core.errors import UserError

SENTENCE, SHORT = "templates sentence", "templates short"
_SLOT = re.compile(r"\{(\w+)(?:\.(\w+))?\}")


@dataclass(frozen=True)
class Grammar:
    """Templates and word lists of one language.

    Attributes:
        entries: for each list its rows.
        columns: for each list that has columns their names.
        source: the file, for messages.
    """

    entries: Mapping[str, tuple[str, ...]]
    columns: Mapping[str, tuple[str, ...]]
    source: str = "grammar"


def read(path: Path) -> Grammar:
    """Read a grammar.

    Raises:
        UserError: the file is missing, or the grammar is incomplete.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such word list")
    return parse(path.read_text(encoding="utf-8"), str(path))


def parse(text: str, source: str) -> Grammar:
    """Parse a grammar; `source` names it in errors.

    Raises:
        UserError: a line is before the first list, a list is empty or occurs twice, a row lacks a
            form, or a template names a list or column that does not exist.
    """
    entries: dict[str, list[str]] = {}
    columns: dict[str, tuple[str, ...]] = {}
    name = ""
    for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            name, names = _header(line)
            if name in entries:
                raise UserError(f"{source}:{number}: list {name!r} occurs twice")
            entries[name], columns[name] = [], names
        elif not name:
            raise UserError(f"{source}:{number}: expected a list such as [name], found {line!r}")
        elif columns[name] and len(line.split()) != len(columns[name]):
            raise UserError(f"{source}:{number}: expected {len(columns[name])} forms in {line!r}")
        else:
            entries[name].append(line)
    grammar = Grammar({k: tuple(v) for k, v in entries.items()}, columns, source)
    _check(grammar)
    return grammar


def compose(grammar: Grammar, templates: str, random: Random) -> str:
    """Return one sentence from the list `templates`, with a capital first.

    >>> lists = {SENTENCE: ("{pet.one} and two {pet.two}!",), "pet": ("mouse mice",)}
    >>> compose(Grammar(lists, {SENTENCE: (), "pet": ("one", "two")}), SENTENCE, Random(0))
    'Mouse and two mice!'
    """
    text = _expand(grammar, random.choice(grammar.entries[templates]), random)
    return text[0].upper() + text[1:]


def digits(grammar: Grammar, random: Random, least: int = 2, most: int = 5) -> str:
    """Return `least` to `most` digits in words, as in a number that is read digit by digit."""
    words = [random.choice(grammar.entries["digit"]) for _ in range(random.randint(least, most))]
    return " ".join(words)


def _header(line: str) -> tuple[str, tuple[str, ...]]:
    inside = line.strip("[]")
    if inside in (SENTENCE, SHORT):
        return inside, ()
    name, *columns = inside.split()
    return name, tuple(columns)


def _expand(grammar: Grammar, template: str, random: Random) -> str:
    rows: dict[str, str] = {}

    def fill(slot: re.Match[str]) -> str:
        name, column = slot[1], slot[2]
        if name not in rows:
            rows[name] = random.choice(grammar.entries[name])
        if column is None:
            return _expand(grammar, rows[name], random)
        return rows[name].split()[grammar.columns[name].index(column)]

    return _SLOT.sub(fill, template)


def _check(grammar: Grammar) -> None:
    for name in (SENTENCE, SHORT, "digit"):
        if name not in grammar.entries:
            raise UserError(f"{grammar.source}: list [{name}] is missing")
    for name, rows in grammar.entries.items():
        if not rows:
            raise UserError(f"{grammar.source}: list [{name}] is empty")
        _check_slots(grammar, rows)


def _check_slots(grammar: Grammar, rows: Sequence[str]) -> None:
    for row in rows:
        for name, column in _SLOT.findall(row):
            if name not in grammar.entries:
                raise UserError(f"{grammar.source}: no list [{name}] for {row!r}")
            if column not in grammar.columns[name] and (column or grammar.columns[name]):
                raise UserError(
                    f"{grammar.source}: list [{name}] has no column {column!r} for {row!r}"
                )
