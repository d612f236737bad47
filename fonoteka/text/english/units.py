"""Units, money, fractions and measures of English text, the American way."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fonoteka.text.english.numbers import cardinal, number_words
from fonoteka.text.rule import Rule, replacement, rule

DIGITS = "0123456789"
NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|(?<![\w.])\.\d+)"
MINUS = r"(?P<minus>(?<![^\s(\"])-)?"
START = r"(?<!\w)(?<!\d[.,:/-])"  # not within a longer numeral
END = r"(?!\w|[.,:/'-]\d)"

# Symbols and the name of each unit; `/` in a name is `per`.
_NAMES = """
km kilometer | m meter | cm centimeter | mm millimeter | nm nanometer | μm µm micrometer
kg kilogram | g gram | mg milligram | μg µg mcg microgram | l L liter | ml mL milliliter
dl dL deciliter | cl cL centiliter | lb lbs pound | oz ounce | yd yds yard | mi mile
gal gallon | qt quart | tsp teaspoon | tbsp tablespoon | ha hectare | h hr hrs hour
min mins minute | s sec secs second | ms millisecond | yr yrs year | wk wks week | mos month
kWh kilowatt_hour | Wh watt_hour | W watt | kW kilowatt | MW megawatt | GW gigawatt | V volt
kV kilovolt | mV millivolt | mA milliamp | mAh milliamp_hour | kJ kilojoule | kcal kilocalorie
cal calorie | kPa kilopascal | hPa hectopascal | dB decibel | kB KB kilobyte | MB megabyte
GB gigabyte | TB terabyte | kbps kilobit/second | Mbps megabit/second | Gbps gigabit/second
mph mile/hour | kph kmh kilometer/hour | KM Km kilometer | KG Kg kilogram
CM centimeter | MM millimeter | ML milliliter | LBS pound | MPH mile/hour | MINS minute
km² km2 sq_km square_kilometer | m² m2 sq_m square_meter | cm² cm2 square_centimeter
mm² mm2 square_millimeter | m³ m3 cubic_meter | cm³ cm3 cubic_centimeter | sq_mi square_mile
km³ km3 cubic_kilometer | sq_yd square_yard
"""
UNITS: dict[str, tuple[str, str]] = {
    "ft": ("foot", "feet"), "FT": ("foot", "feet"), "sq ft": ("square foot", "square feet"),
    "ft²": ("square foot", "square feet"), "ft2": ("square foot", "square feet"),
    "cu ft": ("cubic foot", "cubic feet"), "ft³": ("cubic foot", "cubic feet"),
    "Hz": ("hertz", "hertz"), "kHz": ("kilohertz", "kilohertz"), "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"), "%": ("percent", "percent"), "‰": ("per mille", "per mille"),
    "°": ("degree", "degrees"), "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"), "€": ("euro", "euros"),
    "$": ("dollar", "dollars"), "£": ("pound", "pounds"), "¢": ("cent", "cents"),
    "m.p.h": ("mile per hour", "miles per hour"), "bn": ("billion", "billion"),
    "tn": ("trillion", "trillion"), "′": ("foot", "feet"), "″": ("inch", "inches"),
}  # fmt: skip
for _group in _NAMES.replace("\n", "|").split("|"):
    *_symbols, _name = _group.split() or [""]
    _first, _, _divisor = _name.replace("_", " ").partition("/")
    for _symbol in _symbols:
        UNITS[_symbol.replace("_", " ")] = (
            (f"{_first} per {_divisor}", f"{_first}s per {_divisor}")
            if _divisor
            else (_first, _first + "s")
        )
_PER_WORDS = (
    "second", "minute", "hour", "day", "week", "month", "year", "mile", "gallon", "liter",
    "person", "night", "pound", "ounce", "yard", "meter", "kilometer", "kilogram", "acre", "head",
    "page", "unit", "gram",
)  # fmt: skip
_NO_MEASURE = frozenset("%‰°$£¢€′″") | {"bn", "tn"}
_PER = {
    **{symbol: singular for symbol, (singular, _) in UNITS.items() if symbol not in _NO_MEASURE},
    **{word: word for word in _PER_WORDS}, "s²": "second squared", "s2": "second squared",
    "d": "day",
}  # fmt: skip
SYMBOLS = frozenset(UNITS)
"""All unit symbols."""


def any_of(names: Iterable[str]) -> str:
    """Return the names as alternatives of a pattern, the longest first."""
    return "|".join(sorted(map(re.escape, names), key=len, reverse=True))


PER_PART = rf"(?:/(?P<hundred>100\s?)?(?P<per>{any_of(_PER)})(?!\w))?"
_ARTICLE = re.compile(r"(?<!\w)[Aa]n?\s$")
_NOUN_FOLLOWS = re.compile(r"[\s-](?!(?:in|on|for|per|and|or|to|of|at|a|is|was|than)(?!\w))[a-z]")


def is_attributive(match: re.Match[str]) -> bool:
    """Return whether an amount is between `a` and a noun: a $5 bill, a 5 km run."""
    return (
        _ARTICLE.search(match.string, max(0, match.start() - 4), match.start()) is not None
        and _NOUN_FOLLOWS.match(match.string, match.end()) is not None
    )


def per_words(match: re.Match[str]) -> str:
    """Return the match of `PER_PART` in words after a space, or an empty string."""
    if not match["per"]:
        return ""
    if match["hundred"]:
        return f" per one hundred {UNITS[match['per']][1]}"
    return f" per {_PER[match['per']]}"


def _unit(match: re.Match[str], _language: str) -> str | None:
    if match["unit"] == "s" and not match["joint"] and "." not in match["number"]:
        return None  # 747s, which the rule for plural numbers reads
    singular, plural_form = UNITS[match["unit"]]
    minus = "minus " if match["minus"] else ""
    is_singular = match["number"] == "1" or match["joint"] == "-" or is_attributive(match)
    name = singular if is_singular else plural_form
    words = f"{minus}{number_words(match['number'])} {name}{per_words(match)}"
    return replacement(match, words)


def _per_word(match: re.Match[str], _language: str) -> str:
    """Read 100 words/min, whose noun is not a unit."""
    return f"{match['before']} per {_PER[match['per']]}"


def _feet(match: re.Match[str], _language: str) -> str | None:
    feet, inches = match["feet"], match["inches"] or match["more"]
    if float(inches) >= 12:
        return None
    if match["sign"]:
        return replacement(match, f"{cardinal(int(feet))} foot {number_words(inches)}")
    foot, inch = "foot" if feet == "1" else "feet", "inch" if inches == "1" else "inches"
    return replacement(match, f"{cardinal(int(feet))} {foot} {number_words(inches)} {inch}")


def _counts(match: re.Match[str], names: tuple[str, ...]) -> str:
    """Return numbers with one sign each in words, with the names of the signs."""
    counted = zip(match.groups(), names, strict=True)
    return replacement(
        match,
        " ".join(
            f"{cardinal(int(number))} {name if int(number) == 1 else name + 's'}"
            for number, name in counted
            if number is not None
        ),
    )


ENGLISH_UNITS: tuple[Rule, ...] = (
    rule(
        "feet and inches",
        r"(?<![\w.,/])(?P<feet>\d{1,5})(?:(?P<sign>′)\s?(?P<inches>\d{1,2}(?:\.\d+)?)″?"
        r"|\s?(?:ft\.?|feet),?\s?(?P<more>\d{1,2}(?:\.\d+)?)\s?in(?:s|\.)?)(?!\w)",
        _feet,
        DIGITS,
        [("en", "5′10″, 5 ft 10 in", "five foot ten, five feet ten inches")],
    ),
    rule(
        "minutes of arc",
        r"(?<![\w.,/])(\d+)°\s?(\d+)′(?:\s?(\d+)″)?",
        lambda match, _: _counts(match, ("degree", "minute", "second")),
        "°",
        [("en", "45° 30′ north", "forty five degrees thirty minutes north")],
    ),
    rule(
        "durations",
        r"(?<![\w.,/:-])(\d+)\s?h(?:rs?)?\s?(\d+)\s?m(?:ins?)?(?:\s?(\d+)\s?s(?:ecs?)?)?(?!\w)",
        lambda match, _: _counts(match, ("hour", "minute", "second")),
        DIGITS,
        [("en", "1h30m, 2 hrs 5 min", "one hour thirty minutes, two hours five minutes")],
    ),
    rule(
        "minutes and seconds",
        r"(?<![\w.,/:-])(\d+)\s?m(?:ins?)?\s?(\d+)\s?s(?:ecs?)?(?!\w)",
        lambda match, _: _counts(match, ("minute", "second")),
        DIGITS,
        [("en", "5m30s", "five minutes thirty seconds")],
    ),
    rule(
        "units",
        rf"{MINUS}{START}(?P<number>{NUMBER})(?P<joint>\s?|-)(?P<unit>{any_of(UNITS)})"
        rf"(?!\w){PER_PART}(?!\w|\.[A-Za-z](?!\w))",
        _unit,
        DIGITS,
        [
            ("en", "1 km, 5 kg, 50%", "one kilometer, five kilograms, fifty percent"),
            ("en", "a 6′ wall, 24″", "a six foot wall, twenty four inches"),
            ("en", "-3 °C, 10 l/min", "minus three degrees Celsius, ten liters per minute"),
            (
                "en",
                "5-km run, 5 l/100 km",
                "five kilometer run, five liters per one hundred kilometers",
            ),
            (
                "en",
                "9.8 m/s², 20 m2",
                "nine point eight meters per second squared, twenty square meters",
            ),
        ],
    ),
    rule(
        "per",
        rf"(?P<before>\d[\d.,]*\s?[A-Za-z]+)/(?P<per>{any_of(_PER)})(?!\w)",
        _per_word,
        "/",
        [("en", "100 words/min, 60 miles/hour", "100 words per minute, 60 miles per hour")],
    ),
)
"""Amounts with a unit; applied before the rules that read numbers alone."""
