"""Telephones, versions, numeric dates and slashes in English text: 555-1234, 3.1.2, 24/7.

Each is read as a whole. One with two readings is kept here and refused by a later rule.
"""

from __future__ import annotations

import re

from fonoteka.text.english.context import plural_follows
from fonoteka.text.english.numbers import cardinal, digits, ordinal, whole, year
from fonoteka.text.english.units import DIGITS
from fonoteka.text.rule import Rule, replacement, rule

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_TIME = re.compile(r"\stime(?!\w)")
_ALONE = r"(?<![\w.,:/+-])"


def _telephone(match: re.Match[str], _language: str) -> str:
    plus = "plus " if "+" in match[0] else ""
    return replacement(match, plus + digits(re.sub(r"\D", "", match[0])))


def _local_number(match: re.Match[str], language: str) -> str | None:
    """Read 555-1234 digit by digit, unless it is a range: 500-1000, 300-1200 people."""
    low, high = int(match[1]), int(match[2])
    if plural_follows(match.string, match.end()) or (low % 50 == 0 and high % 50 == 0):
        return None
    return _telephone(match, language)


def _version(match: re.Match[str], _language: str) -> str | None:
    parts = match["number"].split(".")
    is_date = len(parts) == 3 and len(parts[2]) == 4
    if is_date or (len(parts) == 4 and max(map(int, parts)) > 99):  # an address of a network
        return None
    return replacement(match, f"{match['letter']} " * bool(match["letter"])
                 + " point ".join(map(whole, parts)))  # fmt: skip


def _date(match: re.Match[str], _language: str) -> str | None:
    """Read 1/25/2020 and 2020-01-25; 1/2/2020 is ambiguous (1 February in Britain)."""
    numbers = [int(part) for part in match[0].replace("-", "/").split("/")]
    if "-" in match[0]:
        in_year, month, day = numbers
    else:
        month, day, in_year = numbers
        if month > 12:
            month, day = day, month
        elif day <= 12 and day != month:
            return None
    if not (1 <= month <= 12 and 1 <= day <= _DAYS[month - 1]):
        return None
    return replacement(match, f"{_MONTHS[month - 1]} {ordinal(day)} {year(in_year)}")


def _stroke(match: re.Match[str], _language: str) -> str | None:
    """Read two numbers with a slash that are not a fraction: 24/7, 9/11, 2019/20, 3/4 time."""
    first, second = match[1], match[2]
    if len(first) == 4 and second in (str(int(first) + 1), str(int(first) + 1)[2:]):
        return replacement(match, f"{year(int(first))} {short_year(second)}")
    is_idiom = match[0] in ("24/7", "9/11", "7/7") or (first == second and int(first) > 12)
    if not is_idiom and _TIME.match(match.string, match.end()) is None:
        return None
    return replacement(match, f"{cardinal(int(first))} {cardinal(int(second))}")


def short_year(text: str) -> str:
    """Return the second year of a range in words: 1945 or 45.

    >>> short_year("45"), short_year("02"), short_year("1945")
    ('forty five', 'oh two', 'nineteen forty five')
    """
    if len(text) == 4:
        return year(int(text))
    return f"oh {cardinal(int(text))}" if text[0] == "0" else cardinal(int(text))


def _spaced_thousands(match: re.Match[str], _language: str) -> str | None:
    """Write 10 000 as 10,000, but keep 100 200 300, which are three numbers."""
    groups = match[0].split()
    listed = all(len(group) == 3 and group[1:] == "00" and group != "000" for group in groups)
    return None if listed else ",".join(groups)


def _ratio(match: re.Match[str], _language: str) -> str | None:
    """Read 3:1 if a word nearby marks a ratio, not a score, a verse or a time."""
    near = match.string[max(0, match.start() - 30) : match.end() + 12].lower()
    words = re.findall(r"[a-z]+", near)
    if {"ratio", "ratios", "odds", "scale", "mix", "proportion"}.isdisjoint(words):
        return None
    return replacement(match, f"{cardinal(int(match[1]))} to {cardinal(int(match[2]))}")


ENGLISH_CODES: tuple[Rule, ...] = (
    rule(
        "telephones",
        r"(?<![\w.,:/-])(?:(?:\+?1[\s.-])?(?:\(\d{3}\)\s?|\d{3}[\s.-])\d{3}[\s.-]\d{4}"
        r"|\+\d{1,3}(?:[\s.-]?\(?\d{1,4}\)?){2,5}|00\d{1,3}(?:[\s-]\d{1,4}){2,4}|0\d{2,4}[\s-]\d{3,4}[\s-]?\d{3,4})"
        r"(?![\w/-]|[.,:]\d)",
        _telephone,
        DIGITS,
        [
            ("en", "(555) 123-4567", "five five five one two three four five six seven"),
            ("en", "1-800-555-0199", "one eight zero zero five five five zero one nine nine"),
            (
                "en",
                "+44 20 7946 0958",
                "plus four four two zero seven nine four six zero nine five eight",
            ),
        ],
    ),
    rule(
        "emergency numbers",
        r"(?<=[Cc]all |dial |Dial )(911|999|112|411|988)(?!\w|[.,:/-]\d)",
        _telephone,
        DIGITS,
        [("en", "call 911", "call nine one one")],
    ),
    rule(
        "local telephones",
        rf"{_ALONE}(\d{{3}})[-.](\d{{4}})(?![\w/-]|[.,:]\d)",
        _local_number,
        DIGITS,
        [("en", "555-1234, 500-1000", "five five five one two three four, 500-1000")],
    ),
    rule(
        "spaced telephones",
        r"(?<=[Cc]all |dial |Dial |hone )(\d{3}) (\d{4}|\d{3})(?!\w|[.,:/-]\d|\s\d)",
        _telephone,
        DIGITS,
        [("en", "call 555 1234", "call five five five one two three four")],
    ),
    rule(
        "spaced thousands",
        rf"{_ALONE}(?<!\d\s)[1-9]\d{{0,2}}(?:\s\d{{3}})+(?!\d|\s\d|[.,:/-]\d)",
        _spaced_thousands,
        DIGITS,
        [("en", "10 000 people, 1 000 000", "10,000 people, 1,000,000")],
    ),
    rule(
        "dates in numbers",
        rf"{_ALONE}(?:\d{{1,2}}/\d{{1,2}}/[12]\d{{3}}|[12]\d{{3}}-\d\d-\d\d)(?![\w/-]|[.,:]\d)",
        _date,
        "/-",
        [
            (
                "en",
                "1/25/2020, 2020-05-12",
                "January twenty fifth twenty twenty, May twelfth twenty twenty",
            ),
            ("en", "1/2/2020", "1/2/2020"),
        ],
    ),
    rule(
        "ratios",
        rf"{_ALONE}(\d{{1,4}}):(\d{{1,4}})(?![\w/:-]|[.,]\d)",
        _ratio,
        ":",
        [("en", "a ratio of 3:1", "a ratio of three to one"), ("en", "at 3:15", "at 3:15")],
    ),
    rule(
        "versions",
        rf"{_ALONE}(?P<letter>[vV]?)(?P<number>\d+(?:\.\d+){{2,}})(?![\w/-]|[,:]\d)",
        _version,
        ".",
        [
            (
                "en",
                "version 3.1.2, v4.10.1",
                "version three point one point two, v four point ten point one",
            )
        ],
    ),
)
"""Codes; applied before the rules for units."""

STROKES = rule(
    "strokes",
    rf"{_ALONE}(\d{{1,4}})/(\d{{1,4}})(?![\w/-]|[.,:]\d)",
    _stroke,
    "/",
    [
        ("en", "24/7, 9/11, 50/50", "twenty four seven, nine eleven, fifty fifty"),
        ("en", "2019/20, 1/2", "twenty nineteen twenty, 1/2"),
    ],
)
"""Two numbers with a slash; applied after the rule for fractions."""
