"""Random items of Bosnian, Croatian and Serbian text: numbers, units, dates, telephones.

Each has the pattern of its words, see `number_reader`; the rules are not used to generate them.
"""

from __future__ import annotations

from random import Random

from number_reader import Either, Ordinal, Pattern
from spoken_parts import Item, any_number, digits, dotted, fraction, one_by_one

_MONTHS = {
    "hr": "siječnja veljače ožujka travnja svibnja lipnja srpnja kolovoza rujna listopada "
    "studenoga prosinca",
    "bs": "januara februara marta aprila maja juna jula augusta septembra oktobra novembra "
    "decembra",
    "sr": "januara februara marta aprila maja juna jula avgusta septembra oktobra novembra "
    "decembra",
}
_POINT = {"hr": "točka", "bs": "tačka", "sr": "tačka"}
_PERCENT = {"hr": "posto", "bs": "posto", "sr": "odsto"}
_UNITS = {
    "km": "kilomet*", "kg": "kilogram*", "m": "met*", "cm": "centimet*", "g": "gram*", "l": "lit*",
    "h": "sat*", "min": "minut*", "t": "ton*", "ha": "hektar*", "ml": "mililit*", "kV": "kilovolt*",
    "GB": "gigabajt*", "dB": "decibel*", "€": Either(("eur*", "evr*")), "$": "dolar*",
    "RSD": "dinar*", "kn": "kun*", "KM": ["konvertibiln*", "mar*"], "m²": ["kvadratn*", "met*"],
    "m3": ["kubn*", "met*"], "°C": [Either(("stup*", "step*")), "celzi*"], "‰": "promil*",
    "km/h": ["kilomet*", "na", "sat"], "m/s": ["met*", "u", "sekundi"],
    "l/100 km": ["lit*", "na", "sto", "kilomet*"], "mg/l": ["miligram*", "po", "litr*"],
    "€/kg": [Either(("eur*", "evr*")), "po", "kilogramu"], "l/min": ["lit*", "u", "minut*"],
    "KM/m2": ["konvertibiln*", "mar*", "po", "kvadratnom", "metru"],
    "kom/h": ["komad*", "na", "sat"], "°": Either(("stup*", "step*")),
}  # fmt: skip
_SHORT = {
    "npr.": {"hr": "na primjer", "bs": "na primjer", "sr": "na primer"},
    "itd.": "i tako dalje", "dr. Anić": "doktor anić", "tj.": "to jest", "br.": "broj",
    "prof. Anić": "profesor anić", "TV": "te ve", "tzv.": "takozvani",
}  # fmt: skip
_COMPOUNDS = {
    "15-godišnji": "petnaestogodišnji", "100-godišnji": "stogodišnji", "3-dnevni": "trodnevni",
    "20godišnji": "dvadesetogodišnji", "12-satni": "dvanaestosatni",
}  # fmt: skip
_LETTERS = {"a": "a", "b": "be", "c": "ce", "d": "de"}
_ROMAN = {4: "IV", 5: "V", 9: "IX", 15: "XV", 18: "XVIII", 19: "XIX", 20: "XX", 21: "XXI"}


def _cardinal(random: Random, _language: str) -> Item:
    number = any_number(random)
    return str(number), number


def _thousands(random: Random, _language: str) -> Item:
    number = random.randrange(1000, 10**9)
    return dotted(number, random.choice(". ")), number


def _quantity(random: Random, language: str) -> Item:
    unit, words = random.choice([*_UNITS.items(), ("%", _PERCENT[language])])
    space = random.choice(("", " ", "\u00a0", "\u202f"))
    number = any_number(random)
    if random.random() < 0.5 or unit == "h":  # 9,15 h is a time
        return f"{number}{space}{unit}", [number, words]
    mark, after = random.choice(".,"), digits(random, random.choice((1, 2)))[0]
    point = "zarez" if mark == "," else _POINT[language]
    if unit in ("€", "$", "RSD", "kn", "KM", "€/kg", "KM/m2") and after == "00":
        return f"{number}{mark}{after}{space}{unit}", [number, words]
    return f"{number}{mark}{after}{space}{unit}", [number, point, fraction(after), words]


def _decimal(random: Random, language: str) -> Item:
    number, mark = any_number(random), random.choice(".,")
    after = digits(random, random.choice((1, 2, 5)))[0]
    return f"{number}{mark}{after}", [
        number, "zarez" if mark == "," else _POINT[language], fraction(after)
    ]  # fmt: skip


def _negative(random: Random, _language: str) -> Item:
    number = random.randrange(1, 100)
    return f"{random.choice('-−–')}{number} °C", ["minus", number, _UNITS["°C"]]


def _price(random: Random, _language: str) -> Item:
    number = random.randrange(1, 10**5)
    written = dotted(number, ".") if random.random() < 0.5 else str(number)
    unit, ending = random.choice(("KM", "€", "kn")), random.choice((",-", ",--", ",00", ",- "))
    return f"{written}{ending}{unit}", [number, _UNITS[unit]]


def _date(random: Random, language: str) -> Item:
    day, month, year = random.randint(1, 28), random.randint(1, 12), random.randint(1101, 2059)
    text = random.choice(
        (f"{day}. {month}. {year}.", f"{day}.{month}.{year}.", f"{day}/{month}/{year}",
         f"{year}-{month:02}-{day:02}", f"{day}-{month}-{year}")
    )  # fmt: skip
    return text, [Ordinal(day), _MONTHS[language].split()[month - 1], Ordinal(year)]


def _day(random: Random, language: str) -> Item:
    day, month = random.randint(1, 28), random.choice(_MONTHS[language].split())
    return f"{day}. {month}", [Ordinal(day), month]


def _time(random: Random, _language: str) -> Item:
    hour, minute = random.randint(0, 23), random.randint(0, 59)
    words: Pattern = [hour, "i", minute] if minute else [hour, "sat*"]
    return f"{hour}:{minute:02}" + random.choice(("", " h")), words


def _duration(random: Random, _language: str) -> Item:
    hour, minute = random.randint(1, 30), random.randint(10, 59)
    text = random.choice((f"{hour}h{minute}min", f"{hour} h {minute} min", f"{hour}h{minute}m"))
    return text, [hour, "sat*", minute, "minut*"]


def _span_of_times(random: Random, _language: str) -> Item:
    first, second = random.randint(1, 11), random.randint(12, 23)
    minute = random.randint(1, 59)
    return f"{first}:{minute:02}-{second}:30", [first, "i", minute, "do", second, "i", 30]


def _ordinal(random: Random, _language: str) -> Item:
    number = random.randint(1, 150)
    noun = random.choice(("razred", "godina", "mjesto", "put"))
    return f"{number}.{random.choice(('', ' '))}{noun}", [Ordinal(number), noun]


def _year(random: Random, _language: str) -> Item:
    year = random.randint(1000, 2099)
    return f"{year}. godine", [Ordinal(year), "godine"]


def _ending(random: Random, _language: str) -> Item:
    tens, dash = random.choice(range(20, 100, 10)), random.choice(("", "-"))
    number = random.choice((tens, 1900 + tens))
    if random.random() < 0.5:
        return f"{number}{dash}ih", Ordinal(number)
    last = random.randint(5, 9)
    return random.choice(((f"{tens}{dash}ak", Ordinal(tens)), (f"{last}{dash}ero", Ordinal(last))))


def _telephone(random: Random, _language: str) -> Item:
    a, b, c, d = digits(random, 3, 3, 4, 2)
    text = random.choice(
        (f"061/{a}-{b}", f"011/{c}-{a}", f"01/{c}-{a}", f"00387 33 {a} {b}", f"+385 91 {a} {c}",
         f"(021) {a}-{b}", f"+381 {d} {a}-{b}", f"033 {a} {b}", f"091 {a} {c}", f"061/{a}-{d}-{d}")
    )  # fmt: skip
    return text, one_by_one(text)


def _called(random: Random, _language: str) -> Item:
    a, b = digits(random, 3, 4)
    return f"tel. {a}-{b}", ["telefon", *one_by_one(a + b)]


def _range(random: Random, language: str) -> Item:
    low = random.randint(1, 900)
    high = random.randint(low + 1, 999)
    if random.random() < 0.5:
        return f"{low}{random.choice(('-', '–', ' - '))}{high}", [low, "do", high]
    unit, words = random.choice(
        (("km", _UNITS["km"]), ("%", _PERCENT[language]), ("€", _UNITS["€"]))
    )
    return random.choice(
        ((f"{low}-{high} {unit}", [low, "do", high, words]),
         (f"{low} {unit} - {high} {unit}", [low, words, "do", high, words]))
    )  # fmt: skip


def _score(random: Random, _language: str) -> Item:
    a, b = random.randint(0, 9), random.randint(0, 9)
    return f"{a}:{b}", [a, "prema", b]


def _stroke(random: Random, _language: str) -> Item:
    a, b = random.randint(1, 999), random.randint(1, 9999)
    return f"br. {a}/{b}", ["broj", a, "kroz", b]


def _half(random: Random, language: str) -> Item:
    number, unit = random.randint(1, 30), random.choice(("kg", "l", "h"))
    half = "pol" if language == "hr" else "po"
    return random.choice(
        ((f"{number}½ {unit}", [number, "i", half, _UNITS[unit]]),
         (f"{number} 1/2 {unit}", [number, "i", half, _UNITS[unit]]),
         (f"1/2 {unit}", ["pola", _UNITS[unit]]))
    )  # fmt: skip


def _times(random: Random, _language: str) -> Item:
    a, b = random.randint(2, 40), random.randint(2, 40)
    return random.choice(
        (
            (f"{a}x{b} m", [a, "puta", b, "met*"]),
            (f"{a}x", [a, "put*"]),
            (f"{a} × {b}", [a, "puta", b]),
        )
    )


def _lettered(random: Random, _language: str) -> Item:
    number, grade, letter = random.randint(1, 300), random.randint(1, 8), random.choice("abcd")
    return random.choice(
        ((f"{number}{letter}", [number, _LETTERS[letter]]),
         (f"{grade}.{letter} razred", [Ordinal(grade), _LETTERS[letter], "razred"]))
    )  # fmt: skip


def _century(random: Random, language: str) -> Item:
    value, noun = random.choice(list(_ROMAN)), "vek" if language == "sr" else "stoljeće"
    return f"{_ROMAN[value]}. {noun}", [Ordinal(value), noun]


def _compound(random: Random, _language: str) -> Item:
    return random.choice(list(_COMPOUNDS.items()))


def _short(random: Random, language: str) -> Item:
    text = random.choice(list(_SHORT))
    words = _SHORT[text]
    if isinstance(words, dict):
        words = words[language]
    number = any_number(random)
    return (f"br. {number}", ["broj", number]) if text == "br." else (text, words.split())


SOUTH_SLAVIC_ITEMS = (
    _cardinal, _thousands, _quantity, _quantity, _quantity, _decimal, _negative, _price, _date,
    _day, _time, _duration, _span_of_times, _ordinal, _year, _ending, _telephone, _called, _range,
    _score, _stroke, _half, _times, _lettered, _century, _compound, _short,
)  # fmt: skip
