"""Rules for English text in American words: numerals, abbreviations, units and signs."""

from __future__ import annotations

import re

from fonoteka.text.english.amounts import ENGLISH_AMOUNTS
from fonoteka.text.english.context import plural_follows
from fonoteka.text.english.numbers import cardinal, number_words, ordinal, year
from fonoteka.text.english.roman import ENGLISH_ROMAN
from fonoteka.text.english.tokens import AFTER_UNITS, BEFORE_UNITS
from fonoteka.text.english.units import DIGITS, ENGLISH_UNITS, NUMBER
from fonoteka.text.rule import Rule, SpellingError, replacement, rule

_MONTHS = (
    "January|February|March|April|May|June|July|August|September|October|November|December|"
    "Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec"
)
_MONTH_NAMES = {
    "Jan": "January", "Feb": "February", "Mar": "March", "Apr": "April", "Jun": "June",
    "Jul": "July", "Aug": "August", "Sept": "September", "Sep": "September", "Oct": "October",
    "Nov": "November", "Dec": "December",
}  # fmt: skip
_WORDS = {
    "mr": "mister", "mrs": "missus", "ms": "miz", "dr": "doctor", "prof": "professor",
    "st": "saint", "jr": "junior", "sr": "senior", "no": "number", "vs": "versus",
    "etc": "et cetera", "e.g": "for example", "i.e": "that is", "approx": "approximately",
    "dept": "department", "mt": "mount",
}  # fmt: skip
ABBREVIATED = "|".join(map(re.escape, _WORDS))
"""Abbreviations without the full stop, as alternatives of a pattern."""
_BEFORE_A_NAME = frozenset(("st", "mt"))
_SIGNS = {
    "&": "and", "+": "plus", "=": "equals", "@": "at", "×": "times", "№": "number", "§": "section",
}  # fmt: skip


def _date(match: re.Match[str], _language: str) -> str | None:
    day = int(match["day"])
    if not 1 <= day <= 31:
        return None
    month = _MONTH_NAMES.get(match["month"], match["month"])
    words = f"{month} {ordinal(day)}"
    if not match["year"]:
        return replacement(match, words)
    if plural_follows(match.string, match.end()):
        raise SpellingError(
            "number", f"{match['year']!r} after {match['month']} {day} may be a year or a quantity "
            "here; write it in words"
        )  # fmt: skip
    number = int(match["year"])
    return replacement(
        match, f"{words} {year(number) if 1100 <= number < 2100 else cardinal(number)}"
    )


def _time(match: re.Match[str], _language: str) -> str:
    hour, minute = cardinal(int(match[1])), int(match[2])
    half = f" {match[3][0]} m" if match[3] else ""
    if minute == 0:
        return replacement(match, f"{hour}{half or ' o' + chr(39) + 'clock'}")
    return replacement(match, f"{hour} {'oh ' if minute < 10 else ''}{cardinal(minute)}{half}")


def _hour(match: re.Match[str], _language: str) -> str:
    """Read 7am and 7.30 pm."""
    minutes = f" {'oh ' * (match[2][0] == '0')}{cardinal(int(match[2]))}" if match[2] else ""
    return replacement(match, f"{cardinal(int(match[1]))}{minutes.replace(' oh zero', '')} "
                 f"{match[3].lower()} m")  # fmt: skip


def _number(match: re.Match[str], _language: str) -> str:
    return replacement(
        match, ("minus " if match[1] else "") + number_words(match[2]) + (match[3] or "")
    )


def _abbreviation(match: re.Match[str], _language: str) -> str | None:
    name = match[1].lower()
    if name in _BEFORE_A_NAME and not re.match(r"\s[A-Z]", match.string[match.end() :][:2]):
        return None
    return _WORDS[name] + " " * (match.string[match.end() :][:1].isalnum())


ENGLISH: tuple[Rule, ...] = (
    rule(
        "abbreviations",
        r"(?<![^\W_])(?i:(" + "|".join(re.escape(w) for w in _WORDS if w != "no") + r")\."
        r"|(?-i:(?P<no>No)\.(?=\s?\d)))",
        lambda match, language: "number" if match["no"] else _abbreviation(match, language),
        ".",
        [
            ("en", "Mr. Smith vs. Dr. Jones, etc.", "mister Smith versus doctor Jones, et cetera"),
            ("en", "St. Paul, e.g. No. 5", "saint Paul, for example number 5"),
        ],
    ),
    rule(
        "circa",
        r"(?<![^\W_])(?:c|ca)\.?\s?(?=\d{3,4}(?!\w))",
        "circa ",
        DIGITS,
        [("en", "c. 1850", "circa 1850")],
    ),
    *ENGLISH_ROMAN,
    rule(
        "short months",
        r"(?<![^\W_])(Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.?(?=\s[12]\d{3}(?!\d))",
        lambda match, _: _MONTH_NAMES[match[1]],
        DIGITS,
        [("en", "Jan. 2020, 5 Sept 1999", "January 2020, 5 September 1999")],
    ),
    rule(
        "dates",
        rf"(?<![^\W_])(?P<month>{_MONTHS})\.?\s(?P<day>\d{{1,2}})(?:st|nd|rd|th)?"
        r"(?:,?\s(?P<year>[12]\d{3}))?(?![\d:%-]|[.,]\d)",
        _date,
        DIGITS,
        [("en", "May 5, 2020 and Jan. 1st", "May fifth twenty twenty and January first")],
    ),
    rule(
        "between two times",
        r"(:[0-5]\d|\d\s?[aApP]\.?[mM]\.?)\s?-\s?(?=\d{1,2}(?::[0-5]\d|\s?[aApP]\.?[mM](?!\w)))",
        lambda match, _: f"{match[1]} to ",
        "-",
        [("en", "7:30-9:00, 7pm-9pm", "7:30 to 9:00, 7pm to 9pm")],
    ),
    rule(
        "times",
        r"(?<![\d:.])([01]?\d|2[0-4]):([0-5]\d)(?![\d:])(?:\s?([aApP])\.?[mM](?![^\W_])\.?)?",
        _time,
        ":",
        [("en", "at 2:30, 14:05 and 9:00 p.m.", "at two thirty, fourteen oh five and nine p m")],
    ),
    rule(
        "ordinals",
        r"(?<![\d.,])(\d{1,3}(?:,\d{3})+|\d{1,9})(?:st|nd|rd|th)(?![^\W_])",
        lambda match, _: replacement(match, ordinal(int(match[1].replace(",", "")))),
        DIGITS,
        [("en", "the 21st, 5th", "the twenty first, fifth")],
    ),
    *BEFORE_UNITS,
    rule(
        "hours",
        r"(?<![\w.,:/-])(1[0-2]|0?[1-9])(?:\.([0-5]\d))?\s?([aApP])\.?[mM](?!\w)(?:(?<=\.\w)\.)?",
        _hour,
        DIGITS,
        [("en", "at 7am, 7.30 pm", "at seven a m, seven thirty p m")],
    ),
    *ENGLISH_AMOUNTS,
    *ENGLISH_UNITS,
    *AFTER_UNITS,
    rule(
        "numbered",
        r"(?<!\w)#\s?(?=\d)",
        "number ",
        "#",
        [("en", "#5", "number 5")],
    ),
    rule(
        "numbers",
        rf"((?<![^\s(\"])-)?({NUMBER})((?:'s)?)",
        _number,
        DIGITS,
        [
            ("en", "42 and 1,000,000", "forty two and one million"),
            ("en", "a .45, 5's", "a point four five, five's"),
            ("en", "-3.14, 007", "minus three point one four, zero zero seven"),
        ],
    ),
    rule(
        "signs",
        f"[{re.escape(''.join(_SIGNS))}]",
        lambda match, _: f" {_SIGNS[match[0]]} ",
        _SIGNS,
        [("en", "rock & roll", "rock  and  roll")],
    ),
)
"""All rules for English."""
