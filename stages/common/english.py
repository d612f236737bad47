"""Numerals, abbreviations, units and signs of English text in words, the American way."""

from __future__ import annotations

import re

from stages.common.numerals import from_roman
from stages.common.numerals_en import cardinal, digits, ordinal, plural, whole, year
from stages.common.roman import NO_WORDS
from stages.common.rules import Rule, SpellingError, apart, rule

_DIGITS = "0123456789"
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?"
_UNITS = {
    "km/h": ("kilometer per hour", "kilometers per hour"), "km": ("kilometer", "kilometers"),
    "m/s": ("meter per second", "meters per second"), "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"), "m": ("meter", "meters"), "kg": ("kilogram", "kilograms"),
    "g": ("gram", "grams"), "mg": ("milligram", "milligrams"), "l": ("liter", "liters"),
    "ml": ("milliliter", "milliliters"), "mph": ("mile per hour", "miles per hour"),
    "ft": ("foot", "feet"), "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"),
    "oz": ("ounce", "ounces"), "h": ("hour", "hours"), "hrs": ("hour", "hours"),
    "min": ("minute", "minutes"), "sec": ("second", "seconds"), "s": ("second", "seconds"),
    "ms": ("millisecond", "milliseconds"), "Hz": ("hertz", "hertz"),
    "kHz": ("kilohertz", "kilohertz"), "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"), "KB": ("kilobyte", "kilobytes"),
    "MB": ("megabyte", "megabytes"), "GB": ("gigabyte", "gigabytes"), "W": ("watt", "watts"),
    "kW": ("kilowatt", "kilowatts"), "V": ("volt", "volts"), "%": ("percent", "percent"),
    "°": ("degree", "degrees"), "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"), "€": ("euro", "euros"),
}  # fmt: skip
_MONEY = {
    "$": ("dollar", "dollars", "cent", "cents"), "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
}  # fmt: skip
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
_BEFORE_A_NAME = frozenset(("st", "mt"))
_SIGNS = {"&": "and", "+": "plus", "=": "equals", "@": "at", "×": "times", "№": "number"}


_COUNTED = frozenset((
    "war", "part", "chapter", "act", "scene", "type", "phase", "volume", "title", "section",
    "class", "book", "bowl", "level", "grade", "stage", "article",
))  # fmt: skip
_RULERS = frozenset((
    "henry", "elizabeth", "george", "edward", "william", "charles", "james", "richard", "louis",
    "paul", "benedict", "pius", "philip", "catherine", "alexander", "nicholas", "peter", "francis",
    "frederick", "napoleon", "john", "mary", "ivan", "leopold", "wilhelm",
))  # fmt: skip


def number_words(text: str) -> str:
    """Return a number as it is written, with commas and a point, in words.

    >>> number_words("1,234.05")
    'one thousand two hundred thirty four point zero five'
    """
    before, point, after = text.replace(",", "").partition(".")
    return whole(before) + (f" point {digits(after)}" if point else "")


def _year_or_number(text: str) -> str:
    return year(int(text)) if re.fullmatch("1[1-9][0-9]{2}|20[0-9]{2}", text) else whole(text)


def _date(match: re.Match[str], _language: str) -> str | None:
    day = int(match["day"])
    if not 1 <= day <= 31:
        return None
    month = _MONTH_NAMES.get(match["month"], match["month"])
    said = f"{month} {ordinal(day)}"
    return apart(match, said + (f" {_year_or_number(match['year'])}" if match["year"] else ""))


def _time(match: re.Match[str], _language: str) -> str:
    hour, minute = cardinal(int(match[1])), int(match[2])
    half = f" {match[3][0]} m" if match[3] else ""
    if minute == 0:
        return apart(match, f"{hour}{half or ' o' + chr(39) + 'clock'}")
    return apart(match, f"{hour} {'oh ' if minute < 10 else ''}{cardinal(minute)}{half}")


def _money(match: re.Match[str], _language: str) -> str:
    one, many, coin, coins = _MONEY[match["sign"]]
    if match["scale"]:
        return apart(match, f"{number_words(match['number'])} {match['scale']} {many}")
    whole_part, _, cents = match["number"].replace(",", "").partition(".")
    said = f"{whole(whole_part)} {one if whole_part == '1' else many}"
    if len(cents) == 2 and int(cents):
        said += f" {cardinal(int(cents))} {coin if int(cents) == 1 else coins}"
    return apart(match, said)


def _unit(match: re.Match[str], _language: str) -> str:
    one, many = _UNITS[match["unit"]]
    minus = "minus " if match["minus"] else ""
    said = f"{minus}{number_words(match['number'])} {one if match['number'] == '1' else many}"
    return apart(match, said)


def _number(match: re.Match[str], _language: str) -> str:
    minus, number = "minus " if match[1] else "", match[2]
    is_year = not minus and number.isdigit()
    return apart(
        match,
        minus + (_year_or_number(number) if is_year else number_words(number)),
        after_letters=True,
    )


def _roman(match: re.Match[str], _language: str) -> str | None:
    """Say a Roman numeral after a ruler's name or a word that is counted so."""
    value, before = from_roman(match["roman"]), match["before"].lower()
    named = value is not None and match["before"][:1].isupper()
    if value is not None and named and before in _COUNTED:
        return f"{match['before']} {cardinal(value)}"
    if value is not None and named and before in _RULERS and value > 1:  # John I know
        return f"{match['before']} the {ordinal(value)}"
    if match["roman"] in NO_WORDS:
        raise SpellingError(
            "roman numeral",
            f"{match['roman']!r} may be said in several ways here; write it in words",
        )
    return None


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
        "roman numerals",
        r"(?<![^\W_])(?P<before>[A-Za-z]*)\s*(?<![^\W_])(?P<roman>[IVX]+)(?![^\W_]|')",
        _roman,
        "IVX",
        [
            ("en", "World War II, Henry VIII", "World War two, Henry the eighth"),
            ("en", "John and I, vitamin X", "John and I, vitamin X"),
        ],
    ),
    rule(
        "dates",
        rf"(?<![^\W_])(?P<month>{_MONTHS})\.?\s(?P<day>\d{{1,2}})(?:st|nd|rd|th)?"
        r"(?:,?\s(?P<year>[12]\d{3}))?(?![\d:%-]|[.,]\d)",
        _date,
        _DIGITS,
        [("en", "May 5, 2020 and Jan. 1st", "May fifth twenty twenty and January first")],
    ),
    rule(
        "times",
        r"(?<![\d:.])([01]?\d|2[0-4]):([0-5]\d)(?![\d:])(?:\s?([aApP])\.?[mM](?![^\W_])\.?)?",
        _time,
        ":",
        [("en", "at 2:30, 14:05 and 9:00 p.m.", "at two thirty, fourteen oh five and nine p m")],
    ),
    rule(
        "money",
        rf"(?P<sign>[{''.join(_MONEY)}])\s?(?P<number>{_NUMBER})"
        r"(?:\s(?P<scale>thousand|million|billion|trillion)(?![^\W_]))?",
        _money,
        _MONEY,
        [
            ("en", "$5.50, £1", "five dollars fifty cents, one pound"),
            ("en", "€2 million", "two million euros"),
        ],
    ),
    rule(
        "ordinals",
        r"(?<![\d.,])(\d{1,3}(?:,\d{3})+|\d{1,9})(?:st|nd|rd|th)(?![^\W_])",
        lambda match, _: apart(match, ordinal(int(match[1].replace(",", "")))),
        _DIGITS,
        [("en", "the 21st, 5th", "the twenty first, fifth")],
    ),
    rule(
        "decades",
        r"(?<![\d.,])'?(1[1-9]\d0|20\d0|[2-9]0)'?s(?![^\W_])",
        lambda match, _: apart(match, plural(_year_or_number(match[1]))),
        _DIGITS,
        [("en", "the 1990s, '80s", "the nineteen nineties, eighties")],
    ),
    rule(
        "ranges",
        r"(?<![\d.,/:-])(\d{1,9})\s?-\s?(\d{1,9})(?![\d:/-]|[.,]\d)",
        lambda match, _: f"{match[1]} {'to ' * (int(match[1]) < int(match[2]))}{match[2]}",
        "-",
        [("en", "5-10 and 3-1", "5 to 10 and 3 1")],
    ),
    rule(
        "units",
        rf"(?P<minus>(?<![^\s(\"])-)?(?<![\d.,])(?P<number>{_NUMBER})\s?"
        rf"(?P<unit>{'|'.join(sorted(map(re.escape, _UNITS), key=len, reverse=True))})(?![^\W_])",
        _unit,
        _DIGITS,
        [
            ("en", "1 km, 5 kg, 50%", "one kilometer, five kilograms, fifty percent"),
            ("en", "-3 °C", "minus three degrees Celsius"),
        ],
    ),
    rule(
        "numbers",
        rf"((?<![^\s(\"])-)?({_NUMBER})",
        _number,
        _DIGITS,
        [
            ("en", "42 and 1,000,000", "forty two and one million"),
            ("en", "in 1995 or 2005", "in nineteen ninety five or two thousand five"),
            ("en", "-3.14, A4, 007", "minus three point one four, A four, zero zero seven"),
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
"""What is done to English alone."""
