"""Rewrite rules of spelling, each with examples that are its test.

A rule changes a text and counts its changes. It is skipped if none of the characters that it needs
is in the text: most sentences need no rule.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from fonoteka.core.errors import UserError

Replace = Callable[[re.Match[str], str], str | None]
"""Return the replacement of a match in a language, or None to keep the match."""


_GAP = frozenset(("", " "))


class SpellingError(UserError):
    """A text that has no canonical spelling.

    Attributes:
        reason: the class that reports count: character, mixed script, no word, number, roman
            numeral, language.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Example(NamedTuple):
    """The result of a rule for one text in one language."""

    language: str
    before: str
    after: str


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        name: key of its count.
        change: maps a text and its language to the new text and the number of changes.
        needs: characters of which the text must contain one; empty: the rule is always applied.
        examples: results of this rule alone.
        pattern: the pattern whose matches are replaced; None if the rule is not made by `rule`.
        prefilter: a faster pattern that occurs in every match of `pattern`.
    """

    name: str
    change: Callable[[str, str], tuple[str, int]]
    needs: frozenset[str]
    examples: tuple[Example, ...]
    pattern: re.Pattern[str] | None = None
    prefilter: re.Pattern[str] | None = None


def rule(
    name: str,
    pattern: str,
    replace: Replace | str,
    needs: Iterable[str] = (),
    examples: Iterable[tuple[str, str, str]] = (),
    prefilter: str = "",
) -> Rule:
    """Return a rule that replaces each match of a pattern.

    A pattern that begins with a lookbehind is tried at every position of a text. A prefilter begins
    with literal characters, which is about five times faster, so it is searched first.

    >>> gaps = rule("gaps", " +", " ", needs=" ")
    >>> gaps.change("a  b c", "hr")
    ('a b c', 1)
    """
    compiled, searched = re.compile(pattern), re.compile(prefilter or pattern)

    def change(text: str, language: str) -> tuple[str, int]:
        if searched.search(text) is None:
            return text, 0
        fired = 0

        def replace_match(match: re.Match[str]) -> str:
            nonlocal fired
            new = replace if isinstance(replace, str) else replace(match, language)
            # A replacement by the same text is not a change and is not counted.
            if new is None or new == match[0]:
                return match[0]
            fired += 1
            return new

        return compiled.sub(replace_match, text), fired

    example_rows = tuple(Example(*row) for row in examples)
    return Rule(name, change, frozenset(needs), example_rows, compiled, searched)


def apply(
    rules: Iterable[Rule], text: str, language: str, fired: Counter[str], present: frozenset[str]
) -> str:
    """Return a text after the rules, in their order.

    Args:
        rules: in the order of application; each gets the result of the one before.
        text: any text.
        language: passed to every rule.
        fired: the number of changes per rule; this call adds to it.
        present: the characters of the text before the first rule; they select the rules. A rule
            that needs a character which another rule inserts belongs in a later list.
    """
    for item in rules:
        if item.needs and item.needs.isdisjoint(present):
            continue
        text, count = item.change(text, language)
        if count:
            fired[item.name] += count
    return text


def replacement(match: re.Match[str], words: str, after_letters: bool = False) -> str:
    """Return words for a match that is a whole numeral, with spaces next to adjacent letters.

    A letter right after a match that ends in a full stop is separated by a space.

    Args:
        match: the match of a rule for digits.
        words: the numeral in words.
        after_letters: whether letters may precede the digits: A4, v2.

    Raises:
        SpellingError: the match is a part of a longer token (`2h15`, `1-2-3`, `.45`); the message
            names the whole token.

    >>> re.sub("[0-9]", lambda match: replacement(match, "pet"), "5 5!")
    'pet pet!'
    >>> re.sub("[0-9]", lambda match: replacement(match, "pet"), "A5!")
    Traceback (most recent call last):
    fonoteka.text.rule.SpellingError: 'A5' is read only in part; write it in words
    """
    start, end, text = match.start(), match.end(), match.string
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    # Most numerals are between spaces; the checks below are needed for the others only.
    if before in _GAP and after in _GAP:
        return words
    if _continues_before(match, after_letters) or _continues_after(match):
        raise partial_match_error(match)
    return f"{' ' * before.isalnum()}{words}{' ' * after.isalnum()}"


def partial_match_error(match: re.Match[str]) -> SpellingError:
    """Return the error for a match that is only a part of a numeral."""
    token = enclosing_token(match.string, match.start(), match.end())
    return SpellingError("number", f"{token!r} is read only in part; write it in words")


def enclosing_token(text: str, start: int, end: int) -> str:
    """Return the token around a span of a text, without the punctuation at its ends.

    >>> enclosing_token("(od 2h15, ne", 4, 5)
    '2h15'
    """
    first, last = start, end
    while first > 0 and not text[first - 1].isspace():
        first -= 1
    while last < len(text) and not text[last].isspace():
        last += 1
    return text[first:last].strip('"()[]{}!?:;').rstrip(",.")


def _continues_before(match: re.Match[str], after_letters: bool) -> bool:
    """Return whether the token of a match begins before it."""
    text, start = match.string, match.start()
    if start == 0 or text[start - 1].isspace() or not match[0][0].isalnum():
        return False
    adjacent, next_character = text[start - 1], text[start - 2 : start - 1] if start > 1 else ""
    if adjacent.isalnum():
        return not after_letters or _HOLDS_DIGIT.search(text, 0, start) is not None
    if adjacent in ".," and match[0][0].isdigit():  # .45; but ...5 and br.5
        return not (next_character.isalpha() or next_character == ".")
    if adjacent == "-":  # a minus that the rule does not cover; but Covid-19
        return not next_character.isalpha() or _HOLDS_DIGIT.search(text, 0, start) is not None
    return adjacent in "/:'" and next_character.isalnum()


def _continues_after(match: re.Match[str]) -> bool:
    """Return whether the token of a match continues after it."""
    text, end = match.string, match.end()
    adjacent, next_character = text[end : end + 1], text[end + 1 : end + 2]
    if adjacent == "-" and next_character == "'":  # '95-'99
        next_character = text[end + 2 : end + 3]
    if adjacent.isalnum():
        return adjacent.isdigit() or match[0][-1] != "."
    if adjacent in ("-", ".", ",", ":"):
        return next_character.isdigit()
    return adjacent in ("/", "'") and next_character.isalnum()


_HOLDS_DIGIT = re.compile(r"\d\S*$")
