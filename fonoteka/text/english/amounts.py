"""Money and fractions of English text, the American way: $1.2B, 1/2 cup."""

from __future__ import annotations

import re

from fonoteka.text.english.numbers import cardinal, fraction, number_words, whole
from fonoteka.text.english.units import (
    END,
    MINUS,
    NUMBER,
    PER_PART,
    START,
    UNITS,
    any_of,
    is_attributive,
    per_words,
)
from fonoteka.text.rule import Rule, replacement, rule

_MONEY = {
    "$": ("dollar", "dollars", "cent", "cents"), "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"), "¥": ("yen", "yen", "", ""),
}  # fmt: skip
_SIGNS = "".join(_MONEY)
_SCALES = {
    "k": "thousand", "K": "thousand", "m": "million", "M": "million", "mn": "million",
    "mil": "million", "mm": "million", "b": "billion", "B": "billion", "bn": "billion",
    "Bn": "billion", "t": "trillion", "T": "trillion", "tn": "trillion", "trn": "trillion",
    **{word: word for word in ("hundred", "thousand", "million", "billion", "trillion")},
}  # fmt: skip
_COUNTRIES = {"US": "u s ", "A": "australian ", "AU": "australian ", "C": "canadian ",
              "CA": "canadian ", "NZ": "new zealand ", "HK": "hong kong "}  # fmt: skip
_FRACTION_SIGNS = {
    "½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅕": (1, 5), "⅖": (2, 5),
    "⅗": (3, 5), "⅘": (4, 5), "⅙": (1, 6), "⅚": (5, 6), "⅛": (1, 8), "⅜": (3, 8), "⅝": (5, 8),
    "⅞": (7, 8),
}  # fmt: skip
_FRACTIONS = "".join(_FRACTION_SIGNS)
# Before these nouns a slash between two numbers is a fraction: 1/2 cup, 2/3 of, 3/4-inch.
_PARTED = (
    "cup|teaspoon|tablespoon|mile|inch|inche|foot|feet|pound|ounce|hour|day|acre|gallon|pint|quart"
    "|yard|liter|litre|kilometer|kilometre|meter|metre|centimeter|kilogram|gram|year|month|week"
    "|minute|second|point|dozen|stick|slice|bottle|glass|page|percent|portion|serving|scoop|degree"
)
_SINGLY = "of|an?|majority|full|empty|share|price|size|million|billion|mark|stake|interest"
_ABOUT = "about|nearly|almost|roughly|under|than|only|just|exactly|approximately|another|least|most"
_SURE_AFTER = re.compile(rf"[\s-](?:(?:{_PARTED})s?|{_SINGLY})(?!\w)")
_SURE_BEFORE = re.compile(rf"(?<!\w)(?i:{_ABOUT})\s$")


def _money(match: re.Match[str], _language: str) -> str | None:
    if match["low_letter"] and match["low_letter"] != match["letter"]:
        return None  # $900k-1M
    singular, plural, coin, coins = _MONEY[match["sign"]]
    if is_attributive(match):
        plural, coins = singular, coin
    country = _COUNTRIES.get(match["country"] or "", "")
    words = "minus " if match["minus"] else ""
    low, number = ((match[name] or "").replace(",", "") for name in ("low", "number"))
    if "." in low and not (match["scale"] or match["letter"]):
        words += f"{_amount(low, country + singular, country + plural, coin, coins)} to "
    elif low:
        words += f"{number_words(low)} to "
    if scale := match["scale"] or match["letter"]:
        words += f"{number_words(number)} {_SCALES.get(scale, scale)} {country}{plural}"
    else:
        words += _amount(number, country + singular, country + plural, coin, coins)
    return replacement(match, words + per_words(match))


def _amount(number: str, singular: str, plural: str, coin: str, coins: str) -> str:
    """Return an amount of money in words; two decimals are coins, others follow `point`."""
    before, point, after = number.partition(".")
    if point and (len(after) != 2 or not coin):
        return f"{number_words(number)} {plural}"
    main = f"{whole(before or '0')} {singular if before == '1' else plural}"
    if not point or after == "00":
        return main
    cents = f"{cardinal(int(after))} {coin if int(after) == 1 else coins}"
    return cents if before in ("", "0") else f"{main} {cents}"


def _fraction(match: re.Match[str], _language: str) -> str | None:
    before = int(match["whole"]) if match["whole"] else None
    upper, lower = _FRACTION_SIGNS.get(match["sign"] or "") or (
        int(match["upper"]), int(match["lower"])
    )  # fmt: skip
    sure = match["sign"] or match["unit"] or match["ending"] or before is not None
    if not sure and not (
        _SURE_AFTER.match(match.string, match.end())
        or _SURE_BEFORE.search(match.string, max(0, match.start() - 20), match.start())
    ):
        return None
    if lower < 2 or (before is not None and upper >= lower):
        return None
    words = fraction(upper, lower)
    if before is not None:
        if upper == 1:
            part = words.removeprefix("one ")
            words = f"{'an' if part[0] == 'e' else 'a'} {part}"  # an eighth
        words = f"{cardinal(before)} and {words}"
    unit = ""
    if match["unit"]:
        is_plural = before is not None and match["joint"] != "-" and not is_attributive(match)
        unit = " " + UNITS[match["unit"]][is_plural]
    return replacement(match, ("minus " if match["minus"] else "") + words + unit)


def _between_prices(match: re.Match[str], _language: str) -> str:
    """Write $5-$10 as $5-10, which the next rule reads; $1M-$2M with `to`."""
    sign, scale = match["sign"], match["scale"].strip()
    return f"{sign}{match['low']}" + (f"{scale} to {sign}" if scale else "-")


ENGLISH_AMOUNTS: tuple[Rule, ...] = (
    rule(
        "between two prices",
        rf"(?P<sign>[{_SIGNS}])\s?(?P<low>{NUMBER})(?P<scale>\s?[a-zA-Z]*)\s?-\s?(?P=sign)(?=\s?\d)",
        _between_prices,
        _MONEY,
        [("en", "$5-$10, £1M - £2M", "$5-10, £1M to £2M")],
    ),
    rule(
        "money",
        rf"{MINUS}(?<![A-Za-z])(?P<country>{any_of(_COUNTRIES)})?(?P<sign>[{_SIGNS}])\s?"
        rf"(?:(?P<low>{NUMBER})(?P<low_letter>[kKmMbB]|bn)?\s?-\s?)?(?P<number>{NUMBER})"
        rf"(?:[\s-]?(?P<scale>hundred|thousand|million|billion|trillion|bn|mn|tn|mil)"
        rf"|(?:\s(?=[kmbKMB](?![\w-])))?(?P<letter>{any_of(_SCALES)}))?{PER_PART}{END}",
        _money,
        _MONEY,
        [
            (
                "en",
                "$5.50, £1, $1.5",
                "five dollars fifty cents, one pound, one point five dollars",
            ),
            ("en", "€2 million, $1.2B", "two million euros, one point two billion dollars"),
            (
                "en",
                "$0.99, $5-10, £2/kg",
                "ninety nine cents, five to ten dollars, two pounds per kilogram",
            ),
            ("en", "a $5 bill, -US$5", "a five dollar bill, minus five u s dollars"),
        ],
    ),
    rule(
        "fractions",
        rf"{MINUS}{START}(?:(?P<whole>\d{{1,3}})(?:\s|-|(?=[{_FRACTIONS}])))?"
        rf"(?:(?P<sign>[{_FRACTIONS}])|(?P<upper>\d{{1,4}})/(?P<lower>\d{{1,4}})"
        r"(?P<ending>(?:rd|th)s?)?)"
        rf"(?!\d|/|-\d|[.,:]\d)(?:(?P<joint>\s?|-)(?P<unit>{any_of(UNITS)})(?!\w))?",
        _fraction,
        "/" + "".join(_FRACTION_SIGNS),
        [
            ("en", "1/2 cup, 2/3 of", "one half cup, two thirds of"),
            ("en", "1 1/2 miles, 2½ lbs", "one and a half miles, two and a half pounds"),
            ("en", "on 1/2 and 24/7", "on 1/2 and 24/7"),
        ],
    ),
)
"""Money and fractions; applied before the rules for units and numbers."""
