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

from fonoteka.core.errors import UserError

Replace = Callable[[re.Match[str], str], str | None]
"""Gives what a match becomes in a language, or None where it stays."""


_GAP = frozenset(("", " "))


class SpellingError(UserError):
    """A text that has no canonical spelling.

    Attributes:
        reason: a class to count by: character, mixed script, no word, number, roman numeral,
            language.
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
        pattern: of which it replaces the matches, if it is made by `rule`.
        clue: a pattern that is found in whatever `pattern` matches, and sooner.
    """

    name: str
    change: Callable[[str, str], tuple[str, int]]
    needs: frozenset[str]
    examples: tuple[Example, ...]
    pattern: re.Pattern[str] | None = None
    clue: re.Pattern[str] | None = None


def rule(
    name: str,
    pattern: str,
    replace: Replace | str,
    needs: Iterable[str] = (),
    examples: Iterable[tuple[str, str, str]] = (),
    clue: str = "",
) -> Rule:
    """Return a rule that replaces each match of a pattern.

    A pattern that begins with a look behind is tried at every place of a text. A clue begins with
    the characters that it looks for, which is about five times as quick, so it is asked first.

    >>> gaps = rule("gaps", " +", " ", needs=" ")
    >>> gaps.change("a  b c", "hr")
    ('a b c', 1)
    """
    compiled, first = re.compile(pattern), re.compile(clue or pattern)

    def change(text: str, language: str) -> tuple[str, int]:
        if first.search(text) is None:
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

    shown = tuple(Example(*given) for given in examples)
    return Rule(name, change, frozenset(needs), shown, compiled, first)


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


def apart(match: re.Match[str], words: str, after_letters: bool = False) -> str:
    """Return words for a match that is all there is of a numeral, parted from what is beside it.

    A letter behind the full stop that ends a match is parted from it by a space.

    Args:
        match: of a rule that reads digits.
        words: which it reads.
        after_letters: whether letters may stand right before the digits: A4, v2.

    Raises:
        SpellingError: the match is a part of a longer token (`2h15`, `1-2-3`, `.45`), which would
            be read in pieces; the message names the whole token.

    >>> re.sub("[0-9]", lambda match: apart(match, "pet"), "5 5!")
    'pet pet!'
    >>> re.sub("[0-9]", lambda match: apart(match, "pet"), "A5!")
    Traceback (most recent call last):
    fonoteka.text.rule.SpellingError: 'A5' is read only in part; write it in words
    """
    start, end, text = match.start(), match.end(), match.string
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    if before in _GAP and after in _GAP:
        return words
    if _goes_on_before(match, after_letters) or _goes_on_after(match):
        raise unread(match)
    return f"{' ' * before.isalnum()}{words}{' ' * after.isalnum()}"


def unread(match: re.Match[str]) -> SpellingError:
    """Return the error of a numeral of which a match is only a part."""
    token = whole_token(match.string, match.start(), match.end())
    return SpellingError("number", f"{token!r} is read only in part; write it in words")


def whole_token(text: str, start: int, end: int) -> str:
    """Return what stands between spaces about a place in a text, without the marks at its ends.

    >>> whole_token("(od 2h15, ne", 4, 5)
    '2h15'
    """
    first, last = start, end
    while first > 0 and not text[first - 1].isspace():
        first -= 1
    while last < len(text) and not text[last].isspace():
        last += 1
    return text[first:last].strip('"()[]{}!?:;').rstrip(",.")


def _goes_on_before(match: re.Match[str], after_letters: bool) -> bool:
    """Tell whether a token with digits begins before a match."""
    text, start = match.string, match.start()
    if start == 0 or text[start - 1].isspace() or not match[0][0].isalnum():
        return False
    beside, further = text[start - 1], text[start - 2 : start - 1] if start > 1 else ""
    if beside.isalnum():
        return not after_letters or _HOLDS_DIGIT.search(text, 0, start) is not None
    if beside in ".," and match[0][0].isdigit():  # .45; but ...5 and br.5
        return not (further.isalpha() or further == ".")
    if beside == "-":  # a minus that the rule didn't read; but Covid-19
        return not further.isalpha() or _HOLDS_DIGIT.search(text, 0, start) is not None
    return beside in "/:'" and further.isalnum()


def _goes_on_after(match: re.Match[str]) -> bool:
    """Tell whether a token with digits goes on behind a match."""
    text, end = match.string, match.end()
    beside, further = text[end : end + 1], text[end + 1 : end + 2]
    if beside == "-" and further == "'":  # '95-'99
        further = text[end + 2 : end + 3]
    if beside.isalnum():
        return beside.isdigit() or match[0][-1] != "."
    if beside in ("-", ".", ",", ":"):
        return further.isdigit()
    return beside in ("/", "'") and further.isalnum()


_HOLDS_DIGIT = re.compile(r"\d\S*$")
