"""A rule of spelling: what it changes, and its before and after, which are its test.

A rule changes a text and counts how often. Before it looks at a text, it asks whether one of the
characters that it needs is there at all: most sentences need none of the rules.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

Replace = Callable[[re.Match[str], str], str | None]
"""Gives what a match becomes in a language, or None where it stays."""


class SpellingError(ValueError):
    """A text that has no canonical spelling.

    Attributes:
        reason: a class to count by: character, mixed script, no word, roman numeral, language.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Example(NamedTuple):
    """What a rule makes of a text in a language."""

    language: str
    before: str
    after: str


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        name: by which it is counted.
        change: takes a text and its language, gives the new text and how often it changed it.
        needs: characters of which one must be in the text; empty: the rule always looks.
        examples: what it does, this rule alone.
    """

    name: str
    change: Callable[[str, str], tuple[str, int]]
    needs: frozenset[str]
    examples: tuple[Example, ...]


def rule(
    name: str,
    pattern: str,
    replace: Replace | str,
    needs: Iterable[str] = (),
    examples: Iterable[tuple[str, str, str]] = (),
) -> Rule:
    """Return a rule that replaces each match of a pattern.

    >>> gaps = rule("gaps", " +", " ", needs=" ")
    >>> gaps.change("a  b c", "hr")
    ('a b c', 1)
    """
    compiled = re.compile(pattern)

    def change(text: str, language: str) -> tuple[str, int]:
        if compiled.search(text) is None:
            return text, 0
        fired = 0

        def one(match: re.Match[str]) -> str:
            nonlocal fired
            new = replace if isinstance(replace, str) else replace(match, language)
            if new is None or new == match[0]:
                return match[0]
            fired += 1
            return new

        return compiled.sub(one, text), fired

    return Rule(name, change, frozenset(needs), tuple(Example(*given) for given in examples))


def apply(
    rules: Iterable[Rule], text: str, language: str, fired: Counter[str], present: frozenset[str]
) -> str:
    """Return a text after the rules, in their order.

    Args:
        rules: in the order in which they are applied; each sees what the one before left.
        text: any text.
        language: given to every rule.
        fired: to which is added how often each rule did something.
        present: the characters of the text as it was given, of which a rule may need one. A rule
            that needs what another rule brings belongs in a later list.
    """
    for each in rules:
        if each.needs and each.needs.isdisjoint(present):
            continue
        text, times = each.change(text, language)
        if times:
            fired[each.name] += times
    return text


def apart(match: re.Match[str], words: str) -> str:
    """Return words with a space on each side where a letter or digit of the text would touch them.

    >>> re.sub("[0-9]", lambda match: apart(match, "pet"), "A5 5!")
    'A pet pet!'
    """
    before = match.start() > 0 and match.string[match.start() - 1].isalnum()
    after = match.end() < len(match.string) and match.string[match.end()].isalnum()
    return f"{' ' * before}{words}{' ' * after}"
