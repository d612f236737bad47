"""Telephone numbers of Bosnian, Croatian and Serbian text, read digit by digit.

A telephone number begins with `+` or 0 and has 7 to 10 digits, or 8 to 15 with a country code. One
without an area code is recognised by the word before it: `tel. 234-567`.
"""

from __future__ import annotations

import re

from fonoteka.text.numerals import digits
from fonoteka.text.rule import Rule, replacement, rule

_BETWEEN = r" {0,2}[/ -] {0,2}"  # brackets have become spaces
_GROUPS = re.compile(rf"({_BETWEEN})(\d+)")
_NATIONAL, _INTERNATIONAL = (7, 10), (8, 15)
_NEAR, _LONGEST_NEAR = re.compile("(?:00)?38[125-9]"), 12  # digits, with the country code
_LEAST_WITH_SPACES = 8  # digits; `05 12 34` may be anything
_LEAST_TOGETHER = 10  # digits after a plus; +5 000 000 is not a telephone number
_LOCAL = (5, 9)
_CALLED = re.compile(
    r"(?<![^\W_])(?:tel|telefon\w*|mob|mobitel\w*|mobiln\w+|faks|(?P<verb>nazov\w+|pozov\w+|zov\w+"
    r"|nazvat\w*|pozvat\w*|zvat\w*))\s?[.:]?\s+(?:na\s+)?(?:broj\s+)?$",
    re.IGNORECASE,
)
_CALLED_WITHIN = 40  # characters before a number


def _telephone(match: re.Match[str], _language: str) -> str | None:
    """Return a telephone number in words; a surplus last group after a space is another number."""
    first, groups = match["first"], _GROUPS.findall(match["rest"])
    abroad = first.startswith(("+", "00"))
    min_digits, max_digits = _INTERNATIONAL if abroad else _NATIONAL
    if _NEAR.match(_joined(first, groups)):
        max_digits = _LONGEST_NEAR + 2 * first.startswith("00")
    other_numbers: list[str] = []
    while (
        groups
        and not groups[-1][0].strip()
        and _is_other(groups[-1][1], _count(first, groups), max_digits)
    ):
        other_numbers.insert(0, groups.pop()[1])
    if not groups:  # +385911234567
        min_digits = _LEAST_TOGETHER if first.startswith("+") else max_digits + 1
    if not min_digits <= _count(first, groups) <= max_digits:
        return None
    if groups and not abroad and min(len(group) for _, group in groups) < 2:
        return None
    if (
        groups
        and not any(mark.strip() for mark, _ in groups)
        and _count(first, groups) < _LEAST_WITH_SPACES
    ):
        return None
    words = "plus " * first.startswith("+") + digits(_joined(first, groups))
    return " ".join([replacement(match, words), *other_numbers])


def _is_other(group: str, count: int, max_digits: int) -> bool:
    """Return whether the last group is another number: a single digit, or over the length limit."""
    return len(group) == 1 or count > max_digits


def _joined(first: str, groups: list[tuple[str, str]]) -> str:
    return re.sub(r"\D", "", first) + "".join(group for _, group in groups)


def _count(first: str, groups: list[tuple[str, str]]) -> int:
    return len(_joined(first, groups))


def _local(match: re.Match[str], _language: str) -> str | None:
    """Return a number without an area code in words, after `tel.` or a verb of calling."""
    number = re.sub(r"\D", "", match["number"])
    if not _LOCAL[0] <= len(number) <= _LOCAL[1]:
        return None
    call_word = _CALLED.search(match.string, max(0, match.start() - _CALLED_WITHIN), match.start())
    if call_word is None or (call_word["verb"] and not re.search("[/-]", match["number"])):
        return None  # nazovi 10 000 ljudi
    return replacement(match, digits(number))


TELEPHONES: tuple[Rule, ...] = (
    rule(
        "telephones",
        r"(?<![^\W_])(?<![+,.:/-])(?P<first>\+\d{1,15}|0\d{1,9})"
        rf"(?P<rest>(?:{_BETWEEN}\d{{1,8}})*)(?!\d|[.,:/-]\d)",
        _telephone,
        "0+",
        [
            ("bs", "061/123-456", "nula šest jedan jedan dva tri četiri pet šest"),
            (
                "hr",
                "+385 1 123 4567",
                "plus tri osam pet jedan jedan dva tri četiri pet šest sedam",
            ),
            ("sr", "011/2345-678", "nula jedan jedan dva tri četiri pet šest sedam osam"),
            (
                "bs",
                "00387 33 123 456",
                "nula nula tri osam sedam tri tri jedan dva tri četiri pet šest",
            ),
            (
                "sr",
                "021  234-567 5 puta",
                "nula dva jedan dva tri četiri pet šest sedam 5 puta",
            ),
            ("hr", "012-345, 05 2020, +5, 061", "012-345, 05 2020, +5, 061"),
            ("hr", "+3851123456", "plus tri osam pet jedan jedan dva tri četiri pet šest"),
        ],
    ),
    rule(
        "telephones without an area",
        r"(?P<number>[0-9](?<![^\W_][0-9])(?<![.,:/+-][0-9])\d{1,3}(?:[ /-]\d{2,4}){1,3})"
        r"(?![^\W_]|[.,:/-]\d)",
        _local,
        "0123456789",
        [
            ("sr", "telefon 2345-678", "telefon dva tri četiri pet šest sedam osam"),
            ("hr", "Nazovite 234-567!", "Nazovite dva tri četiri pet šest sedam!"),
            ("bs", "Zovi 20-30 ljudi i tel. 33", "Zovi 20-30 ljudi i tel. 33"),
        ],
    ),
)
"""Telephone numbers; applied before every rule that would read their groups as numbers."""
