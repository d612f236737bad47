"""Random items of English text; `spoken_items` has those of the other languages."""

from __future__ import annotations

from random import Random

from number_reader import Either, Ordinal, Pattern
from spoken_parts import Item, any_number, digits, one_by_one

_UNITS = {
    "km": "kilometer*", "kg": "kilogram*", "m": "meter*", "cm": "centimeter*", "lb": "pound*",
    "min": "minute*", "h": "hour*", "GB": "gigabyte*", "mph": ["mile*", "per", "hour"],
    "%": "percent", "km/h": ["kilometer*", "per", "hour"], "°C": ["degree*", "celsius"],
    "oz": "ounce*", "g": "gram*",
}  # fmt: skip
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_SHORT = {"Dr. Smith": "doctor smith", "e.g.": "for example", "etc.": "et cetera"}


def _four_digits(number: int) -> Pattern:
    """Return the pattern of four digits, which may be a year: nineteen ninety five."""
    if not 1000 <= number <= 9999:
        return number
    first, last = divmod(number, 100)
    pair: Pattern = [first, Either(("oh", 0)), last] if last < 10 else [first, last]
    return Either((number, pair))


def _cardinal(random: Random, _language: str) -> Item:
    number = any_number(random)
    return str(number), _four_digits(number)


def _thousands(random: Random, _language: str) -> Item:
    number = random.randrange(10**4, 10**9)
    return f"{number:,}", number


def _quantity(random: Random, _language: str) -> Item:
    (unit, words), number = random.choice(list(_UNITS.items())), any_number(random)
    if random.random() < 0.5:
        return f"{number} {unit}", [_four_digits(number), words]
    after = digits(random, random.choice((1, 2)))[0]
    return f"{number}.{after} {unit}", [number, "point", *one_by_one(after), words]


def _money(random: Random, _language: str) -> Item:
    dollars, cents = random.randint(2, 900), random.randint(2, 99)
    return f"${dollars}.{cents:02}", Either(
        ([dollars, "dollars", cents, "cents"],
         [dollars, "point", *one_by_one(f"{cents:02}"), "dollars"])
    )  # fmt: skip


def _date(random: Random, _language: str) -> Item:
    month, day = random.choice(_MONTHS), random.randint(1, 28)
    year = random.randint(1101, 2059)
    return f"{month} {day}, {year}", [month.lower(), Ordinal(day), _four_digits(year)]


def _time(random: Random, _language: str) -> Item:
    hour, minute = random.randint(1, 12), random.randint(0, 59)
    words: Pattern = ["o'clock"] if not minute else ["oh", minute] if minute < 10 else [minute]
    return f"{hour}:{minute:02}", [hour, words]


def _ordinal(random: Random, _language: str) -> Item:
    number = random.randint(1, 99)
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number % 100 // 10 != 1 else 0, "th")
    return f"{number}{ending}", Ordinal(number)


def _range(random: Random, _language: str) -> Item:
    low = random.randint(1, 90)
    high = random.randint(low + 1, 99)
    return f"{low}-{high}", [low, "to", high]


def _telephone(random: Random, _language: str) -> Item:
    a, b, c = digits(random, 2, 2, 4)
    text = random.choice((f"555-{c}", f"(5{a}) 5{b}-{c}", f"1-800-555-{c}", f"+1 5{a} 555 {c}"))
    words = [Either((int(c), "oh")) if c == "0" else int(c) for c in text if c.isdigit()]
    return text, ["plus"] * text.startswith("+") + words


def _fraction(random: Random, _language: str) -> Item:
    number = random.randint(1, 20)
    return random.choice(
        ((f"{number} 1/2 miles", [number, "and", Either(("a", 1)), "half", "miles"]),
         ("2/3 of it", [2, "thirds", "of", "it"]),
         ("3/4 cup", [3, Either(("fourths", "quarters")), "cup"]))
    )  # fmt: skip


def _version(random: Random, _language: str) -> Item:
    a, b, c = (random.randint(0, 12) for _ in range(3))
    return f"version {a}.{b}.{c}", ["version", a, "point", b, "point", c]


def _short(random: Random, _language: str) -> Item:
    text, words = random.choice(list(_SHORT.items()))
    return text, words.split()


ENGLISH_ITEMS = (
    _cardinal, _thousands, _quantity, _money, _date, _time, _ordinal, _range, _fraction,
    _version, _short,
)  # fmt: skip
ENGLISH_TELEPHONES = (_telephone,)
