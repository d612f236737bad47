"""The context of a number in English text: words, marks, and the numbers of its list or range."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from fonoteka.text.english.nouns import (
    COUNTED,
    FUNCTION_WORDS,
    IRREGULAR,
    NOT_PLURAL,
    UNIT_NOUNS,
    YEAR_AS_SUBJECT,
)
from fonoteka.text.english.units import SYMBOLS

_ENDS_A_PHRASE = FUNCTION_WORDS | YEAR_AS_SUBJECT | {"of"}
CONTEXT_CHARS = 60  # characters on each side
_WORD = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)?|\d+(?:[.,]\d+)*|[^\sA-Za-z\d]")
_CHAIN_GAP = r"(?:,?\s+(?:and|or|to|through|until|till|vs\.?)\s+|\s?[-/]\s?)"
_CHAIN_AFTER = re.compile(rf"(?:(?:,\s*\d{{4}})*{_CHAIN_GAP}\d{{4}}(?![\w/]|[.,-]\d))+")
_CHAIN_BEFORE = re.compile(rf"(?:(?<![\d.,])\d{{4}}(?:,\s*\d{{4}})*{_CHAIN_GAP})+$")
_DIGIT = re.compile(r"\d")
_LIST_BEFORE = re.compile(r"(?<![\d.,])(?:\d{4},\s*)+$")  # in 1984, 1988 and 1992


class NumberContext(NamedTuple):
    """The context of a number, or of the list or range that contains it.

    Attributes:
        before: words and signs before it in lower case, the nearest last.
        after: words and signs after it as written, the nearest first.
        numbers: the number and the others of its list or range.
        text: up to 60 characters before it.
    """

    before: Sequence[str]
    after: Sequence[str]
    numbers: Sequence[int]
    text: str


def number_context(text: str, start: int, end: int) -> NumberContext:
    """Return the context of a number; a list or range of numbers counts as one number."""
    window_start = max(0, start - CONTEXT_CHARS)
    listed = _DIGIT.search(text, window_start, start) is not None  # most numbers stand alone
    before = _CHAIN_BEFORE.search(text, window_start, start) if listed else None
    if after := _CHAIN_AFTER.match(text, end):
        end = after.end()
        if listed and before is None:
            before = _LIST_BEFORE.search(text, window_start, start)
    start = before.start() if before else start
    head, tail = text[max(0, start - CONTEXT_CHARS) : start], text[end : end + CONTEXT_CHARS]
    numbers = [int(number) for number in re.findall(r"\d+", text[start:end])]
    return NumberContext(
        ["", "", *(word.lower() for word in _WORD.findall(head))],
        [*_WORD.findall(tail), "", ""],
        # The 45 of 1939-45 is 1945.
        [number if number > 99 else numbers[0] // 100 * 100 + number for number in numbers],
        head,
    )


def plural_follows(text: str, end: int) -> bool:
    """Return whether a counted noun may follow an offset in a text.

    >>> plural_follows("May 5 1200 new jobs", 10), plural_follows("May 5 1984 the jobs", 10)
    (True, False)
    """
    after = _WORD.findall(text[end : end + CONTEXT_CHARS])
    return is_unit(after) or any(map(is_plural, noun_phrase(after)))


def is_unit(after: Sequence[str]) -> bool:
    """Return whether the words after a number begin with a unit."""
    word = after[0] if after else ""
    return (
        word in SYMBOLS
        or word.lower() in UNIT_NOUNS
        or word.lower().removesuffix("s") in UNIT_NOUNS
    )


def noun_phrase(after: Sequence[str]) -> list[str]:
    """Return up to four words after a number, until a mark, a verb or another end of the phrase.

    In `flu killed` the second word is a verb; in `newly built` it is not.
    """
    phrase: list[str] = []
    for word in after[:5]:
        lower = word.lower()
        if phrase and lower in ("and", "or"):
            continue
        if not lower[:1].isalpha() or lower in _ENDS_A_PHRASE:
            break
        if phrase and lower.endswith("ed") and not phrase[-1].endswith("ly"):
            break
        phrase.append(word)
    return phrase


def is_plural(word: str) -> bool:
    """Return whether a word looks like a plural noun."""
    lower = word.lower()
    if lower in IRREGULAR or lower in COUNTED:
        return True
    ends = lower.endswith("s") and not lower.endswith(("ss", "us", "is", "'s"))
    return ends and len(lower) > 3 and lower not in NOT_PLURAL
