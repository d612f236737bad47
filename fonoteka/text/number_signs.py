"""Signs between numbers in bs, hr and sr: ranges, sums, scores, prices.

5-10  5 do 10        5 - 3 = 2  5 minus 3 = 2        3:1  3 prema 1        12/3  12 kroz 3
"""

from __future__ import annotations

import re

from fonoteka.text.agreement import preposition_agreement, word_before
from fonoteka.text.numerals import ordinal
from fonoteka.text.rule import Rule, rule
from fonoteka.text.units import MONEY_SYMBOLS, SYMBOLS

FIRST_YEAR = 1000
"""The smallest number with a full stop that is a year."""
_SMALL = "[a-zčćđšž]"
_SMALL_FOLLOWS = re.compile(rf"\s+{_SMALL}")
_MINUS = re.compile(r"\s-[0-9]")  # 2024 -7: the second is below zero
_DOTTED = r"\d{1,3}(?:\.\d{3})+(?:,\d{1,9})?"
_THOUSANDS = re.compile(_DOTTED)
_RANGED = rf"(?:{_DOTTED}|\d{{1,9}}(?:[.,]\d{{1,9}})?)"
_CURRENCY = rf"\s?(?:{MONEY_SYMBOLS})(?![^\W_])"
_CURRENCY_WORD = "(?:eur[aio]|evr[aio]|dinar|kun[ae]|mar(?:aka|ke|ka)|konvertibiln|dolar|funt)"
_PARTS = {"1/2": "½", "1/4": "¼", "3/4": "¾"}


def _range(match: re.Match[str], language: str) -> str | None:
    """Join a rising range with `do`; a full stop after the second number applies to both."""
    low, high = match["low"], match["high"]
    if _value(low) >= _value(high):
        return None if _MINUS.search(match[0]) else f"{low} {high}"
    last = match["stop"] and not _SMALL_FOLLOWS.match(match.string, match.end())
    if match["first_stop"] and last and _value(high) < FIRST_YEAR:  # mjesta 1.-3.
        agreement = preposition_agreement(word_before(match.string, match.start()))
        first, second = (ordinal(int(number), language, *agreement) for number in (low, high))
        return f"{first} do {second}"
    stop = "." if match["stop"] or match["first_stop"] else ""
    return f"{low}{stop} do {high}{match['stop']}"


def _value(number: str) -> float:
    """Return the value of a written number: 1.000 is a thousand, 1.5 and 1,5 are decimals."""
    if _THOUSANDS.fullmatch(number):
        number = number.replace(".", "")
    return float(number.replace(",", "."))


def _minus(match: re.Match[str], _language: str) -> str:
    """Replace the minus of a sum; between two numbers alone it would be a range."""
    return re.sub(r"(?<=\d)\s?-\s?", " minus ", match[0])


def _times(match: re.Match[str], _language: str) -> str:
    """Replace 2x3 and 3x; after one the noun is `put`."""
    if match["alone"] is None:
        return re.sub(r"\s?[xX]\s?", " puta ", match[0])
    is_singular = match["alone"].endswith("1") and not match["alone"].endswith("11")
    return f"{match['alone']} {'put' if is_singular else 'puta'}"


PRICES = rule(
    "prices",
    rf"(?<=\d)(?:,-{{1,2}}(?={_CURRENCY}|(?![^\W_]|-))|(?:,=|\.-{{1,2}})(?={_CURRENCY})"
    rf"|[.,]00(?=\s{_CURRENCY_WORD}))",
    "",
    ",.",
    [
        ("bs", "100,- KM, 5,--KM i 3.- €", "100 KM, 5KM i 3 €"),
        ("hr", "5.-10. maja", "5.-10. maja"),
    ],
    prefilter="[.,](?:[-=]|00)",
)
"""Applied before the rules for letters after a number: 100,-kn."""

BETWEEN: tuple[Rule, ...] = (
    rule(
        "sums",
        r"(?<![\d.,/-])(?=\d[^+×=]*[+×=])\d+(?:,\d+)?(?:\s?[+×-]\s?\d+(?:,\d+)?)+(?![\d.,/-])",
        _minus,
        "+×=",
        [("hr", "5 - 3 = 2, 7+5-2", "5 minus 3 = 2, 7+5 minus 2")],
    ),
    rule(
        "multiples",
        r"(?<![^\W_])(?<![.,:/-])(?:(?P<alone>\d{1,3})[xX](?![^\W_])"
        r"|\d+(?:,\d+)?(?:(?:\s?[cdkm]?m)?\s?[xX]\s?\d+(?:,\d+)?)+)",
        _times,
        "xX",
        [
            ("sr", "2x3 m, 10 x 15 x 2, 3x, 1x", "2 puta 3 m, 10 puta 15 puta 2, 3 puta, 1 put"),
            ("hr", "3 m x 4 m", "3 m puta 4 m"),
        ],
    ),
    rule(
        "written fractions",
        rf"(?<![\d.,/-])(?:(?P<whole>\d{{1,3}})\s)?(?P<part>1/2|1/4|3/4)(?=\s?(?:{SYMBOLS})(?![^\W_]))",
        lambda match, _: f"{match['whole'] or ''}{_PARTS[match['part']]}",
        "/",
        [("hr", "1/2 kg, 2 1/2 l, 1/2", "½ kg, 2½ l, 1/2")],
    ),
    rule(
        "ranges",
        rf"(?<![\d.,:/-])(?P<low>{_RANGED})(?P<first_stop>\.?)\s?-\s?(?P<high>{_RANGED})"
        rf"(?P<stop>(?:\.(?=\s+{_SMALL}|\s*$|[,;)]))?)(?![\d:/-]|[.,]\d)",
        _range,
        "-",
        [
            ("hr", "5-10 km", "5 do 10 km"),
            ("bs", "1992-1995. godine", "1992. do 1995. godine"),
            ("sr", "5.-10. maja, 10-5", "5. do 10. maja, 10 5"),
            ("hr", "1.000-2.000 kn, 2.5-3.5 kg", "1.000 do 2.000 kn, 2.5 do 3.5 kg"),
            ("bs", "mjesta 1.-3., od 1.-3.", "mjesta prvi do treći, od prvog do trećeg"),
        ],
        prefilter=r"[0-9]\.?\s?-\s?[0-9]",
    ),
    rule(
        "scores",
        r"(?<![\d:.,])(\d{1,3}(?:\.\d{3})*):(\d{1,3}(?:\.\d{3})*)(?![\d:]|[.,]\d)",
        lambda match, _: f"{match[1]} prema {match[2]}",
        ":",
        [("hr", "pobjeda 3:1, karta 1:10.000", "pobjeda 3 prema 1, karta 1 prema 10.000")],
    ),
    rule(
        "strokes",
        r"(?<![\d.,/])(?:((?:1[5-9]|20)\d\d\.?)/(\d\d(?:\d\d)?)|(\d{1,4})/(\d{1,4}))(?![\d/])",
        lambda match, _: f"{match[1]} {match[2]}" if match[1] else f"{match[3]} kroz {match[4]}",
        "/",
        [("sr", "12/3, 2019/2020.", "12 kroz 3, 2019 2020."), ("hr", "1234/56", "1234 kroz 56")],
    ),
)
"""Signs between numbers; applied before the rule for ordinals, whose full stops they need."""
