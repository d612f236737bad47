"""Units and currencies after a number, in the form that agrees with the number.

    1 km jedan kilometar, 2 km dva kilometra, 5 km pet kilometara, 2,5 km dva zarez pet kilometara

The noun agrees with the last spoken number, as in speech.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from fonoteka.text.numerals import POINT, Gender, agree, decimal, whole
from fonoteka.text.rule import Rule, partial_match_error, replacement, rule
from fonoteka.text.unit_names import MONEY, PER, UNITS, per_words

_FRACTIONS = {
    "½": ("pola", "i po"), "¼": ("četvrtina", "i četvrt"), "¾": ("tri četvrtine", "i tri četvrt")
}  # fmt: skip
_SIGNS = "€$£"
_SCALES = ("mil", "mio", "mlrd", "mrd", "hilj", "tis")


def _either(symbols: Iterable[str]) -> str:
    return "|".join(sorted(map(re.escape, symbols), key=len, reverse=True))


SYMBOLS = _either(UNITS["hr"])
"""All unit symbols, as alternatives of a pattern."""
MONEY_SYMBOLS = _either(MONEY)
_WORD_FOLLOWS = re.compile(r"\s+[a-zčćđšž]")
_ENDING = re.compile(r"-[^\W\d_]")
NUMBER = r"\d+(?:[.,]\d+)?"
_NOTHING = re.compile("[.,]00$")  # after a price: 5,00 €


def number_words(number: str, language: str, gender: Gender = "m") -> tuple[str, int]:
    """Return a number in words, and the number that a noun after it agrees with.

    >>> number_words("2,5", "hr"), number_words("22", "sr", "f")
    (('dva zarez pet', 5), ('dvadeset dve', 22))
    >>> number_words("2.5", "hr")
    ('dva točka pet', 5)
    """
    before, *fraction = re.split("([.,])", number)
    if fraction:
        mark, after = fraction
        last = int(after) if len(after) <= 3 else int(after[-1])
        mark_words = POINT[language] if mark == "." else "zarez"
        return decimal(before, after, language, gender, mark_words), last
    return whole(before, language, gender), int(before[-2:])


def amount_words(number: str, symbol: str, language: str) -> str:
    """Return a number and its unit in words.

    >>> amount_words("2", "KM", "bs"), amount_words("21", "°C", "hr")
    ('dvije konvertibilne marke', 'dvadeset jedan stupanj Celzija')
    """
    gender, forms = UNITS[language][symbol]
    words, last = number_words(number, language, gender)
    return f"{words} {agree(last, forms)}"


def _amount(match: re.Match[str], language: str) -> str | None:
    """Return a number with its unit in words, or None: `5 s autobusom` is not five seconds."""
    unit, number = match["unit"], match["number"]
    if unit == "s" and _WORD_FOLLOWS.match(match.string, match.end()):
        return None
    if _ENDING.match(match.string, match.end()):
        raise partial_match_error(match)  # 5 km-a, 40 %-tni
    if unit in MONEY:
        number = _NOTHING.sub("", number)
    words = amount_words(number, unit, language)
    if match["money"]:  # 5 mil. KM: five million marks
        words += " " + UNITS[language][match["money"]][1][2]
    if match["count"]:  # l/100 km: litres on a hundred kilometres
        words += " na " + amount_words(match["count"], match["per"], language)
    elif match["per"]:
        money = bool(match["money"]) or unit in MONEY
        words += " " + per_words(match["per"], language, money)
    minus = "minus " if match["minus"] else ""
    return replacement(match, minus + words)


def _span(match: re.Match[str], _language: str) -> str | None:
    """Join a rising range of one unit with `do`."""
    low, high = (float(match[name].replace(",", ".")) for name in ("low", "high"))
    if low >= high or match["unit"] != match["other"]:
        return None
    return f"{match['first']} do {match['second']}"


def _part(match: re.Match[str], language: str) -> str:
    """Return a half or one or three quarters in words, with the unit in the genitive singular."""
    alone, joined = _FRACTIONS[match["part"]]
    words = f"{whole(match['number'], language)} {joined}" if match["number"] else alone
    if match["part"] == "½" and match["number"] and language == "hr":
        words += "l"  # dva i pol
    unit = f" {UNITS[language][match['unit']][1][1]}" if match["unit"] else ""
    return replacement(match, words + unit)


def _before_money() -> str:
    return "|".join(name[-3:] for name in _SCALES)


AMOUNTS: tuple[Rule, ...] = (
    rule(
        "currency first",
        rf"(?<![^\W_])([{_SIGNS}])\s?({NUMBER})(?![^\W_]|[.,]\d)",
        lambda match, _: f"{match[2]} {match[1]}",
        _SIGNS,
        [("hr", "$5, €2,50", "5 $, 2,50 €")],
    ),
    rule(
        "currency code first",
        rf"(?<![^\W_])(?<!\d\s)(EUR|USD|GBP|CHF|RSD|BAM|HRK|KM)\s({NUMBER})(?![^\W_]|[.,/-]\d)(?!\s?(?:{SYMBOLS})(?![^\W_]))",
        lambda match, _: f"{match[2]} {match[1]}",
        "RMDFK",
        [("bs", "KM 50, EUR 2,50 i 5 KM 10", "50 KM, 2,50 EUR i 5 KM 10")],
        prefilter=r"[A-Z]\s[0-9]",
    ),
    rule(
        "fractions",
        rf"(?P<number>\d*)\s?(?P<part>[{''.join(_FRACTIONS)}])"
        rf"(?:\s?(?P<unit>{SYMBOLS})(?![^\W_]))?",
        _part,
        (*_FRACTIONS, "/"),  # an earlier rule replaces 1/2
        [
            ("hr", "½ kg i 2½", "pola kilograma i dva i pol"),
            ("sr", "2 ½ l i ¾", "dva i po litra i tri četvrtine"),
        ],
    ),
    rule(
        "spans of a unit",
        rf"(?<![\d.,/-])(?P<first>(?P<low>{NUMBER})\s?(?P<unit>{SYMBOLS}))\s?-\s?"
        rf"(?P<second>(?P<high>{NUMBER})\s?(?P<other>{SYMBOLS}))(?![^\W_])",
        _span,
        "-",
        [("bs", "5 km - 10 km, 5%-10%", "5 km do 10 km, 5% do 10%")],
        prefilter=r"-\s?[0-9]",
    ),
    rule(
        "units",
        rf"(?P<minus>(?<![^\s(\"])-)?(?<![\d.,])(?P<number>{NUMBER})\s?(?P<unit>{SYMBOLS})"
        rf"(?![^\W_])(?:(?<={_before_money()})\.?\s?(?P<money>{MONEY_SYMBOLS})(?![^\W_]))?"
        rf"(?:\.?\s?/\s?(?P<count>\d+)?\s?(?P<per>{_either(PER)})(?![^\W_]))?\.?",
        _amount,
        "0123456789",
        [
            ("hr", "1 km, 2 km, 5 km", "jedan kilometar, dva kilometra, pet kilometara"),
            ("hr", "21 t", "dvadeset jedna tona"),
            ("sr", "2,5 l", "dva zarez pet litara"),
            ("bs", "2 KM i 5 KM", "dvije konvertibilne marke i pet konvertibilnih maraka"),
            ("sr", "1000 RSD, 21 din.", "hiljadu dinara, dvadeset jedan dinar"),
            ("hr", "2 kn, 5 €", "dvije kune, pet eura"),
            ("sr", "5 €, 1 EUR", "pet evra, jedan evro"),
            ("hr", "50 %", "pedeset posto"),
            ("sr", "50%", "pedeset odsto"),
            ("hr", "-3 °C", "minus tri stupnja Celzija"),
            ("bs", "25°C", "dvadeset pet stepeni Celzijusa"),
            ("hr", "80 km/h, 3 m/s", "osamdeset kilometara na sat, tri metra u sekundi"),
            ("bs", "60 m² i 2 m3", "šezdeset kvadratnih metara i dva kubna metra"),
            ("sr", "5 min. i 3 h", "pet minuta i tri sata"),
            ("bs", "5 mil. KM", "pet miliona konvertibilnih maraka"),
            ("hr", "ide ih 5 s njim", "ide ih 5 s njim"),
            ("hr", "2.5 kg i 3.5%", "dva točka pet kilograma i tri točka pet posto"),
            ("bs", "5,00 KM, 2,50 €", "pet konvertibilnih maraka, dva zarez pedeset eura"),
            ("hr", "5 l/100 km, 2 €/kg", "pet litara na sto kilometara, dva eura po kilogramu"),
            ("sr", "3 l/min, 9 din./kom.", "tri litra u minutu, devet dinara po komadu"),
        ],
        prefilter=rf"[0-9]\s?(?:{SYMBOLS})(?![^\W_])",
    ),
)
"""Numbers with a unit; an earlier rule has removed the dots of thousands."""
