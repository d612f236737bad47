"""Numbers in Bosnian, Croatian and Serbian words.

    2000   hr dvije tisuće, bs dvije hiljade, sr dve hiljade
    1995.  hr tisuću devetsto devedeset peta, bs and sr hiljadu devetsto devedeset peta

Croatian and Bosnian are ijekavian, Serbian is ekavian. One of the accepted variants is used: no `i`
between tens and units, `hiljadu` and `tisuću` for 1000, `milion` without `jedan`, hr `šesto`, bs
and sr `šeststo`.

Source: Hrvatski pravopis (ihjj), Pravopis bosanskoga jezika, Pravopis srpskoga jezika.
"""

from __future__ import annotations

import re
from typing import Literal

from fonoteka.core.errors import UserError

Gender = Literal["m", "f", "n"]
Case = Literal["nom", "gen", "dat", "acc", "loc", "ins"]
Forms = tuple[str, str, str]
"""The forms of a noun after 1, after 2 to 4, and from 5: sat, sata, sati."""

LARGEST = 10**18 - 1
_SMALL = (
    "nula", "jedan", "dva", "tri", "četiri", "pet", "šest", "sedam", "osam", "devet",
    "deset", "jedanaest", "dvanaest", "trinaest", "četrnaest", "petnaest", "šesnaest",
    "sedamnaest", "osamnaest", "devetnaest",
)  # fmt: skip
_TENS = (
    "dvadeset", "trideset", "četrdeset", "pedeset", "šezdeset", "sedamdeset", "osamdeset",
    "devedeset",
)  # fmt: skip
_TWO = {"bs": "dvije", "hr": "dvije", "sr": "dve"}
_HIGH = ("sedamsto", "osamsto", "devetsto")
_HUNDREDS = {
    "bs": ("sto", "dvjesto", "tristo", "četiristo", "petsto", "šeststo", *_HIGH),
    "hr": ("sto", "dvjesto", "tristo", "četiristo", "petsto", "šesto", *_HIGH),
    "sr": ("sto", "dvesta", "trista", "četiristo", "petsto", "šeststo", *_HIGH),
}
_THOUSAND: dict[str, Forms] = {
    "bs": ("hiljada", "hiljade", "hiljada"),
    "hr": ("tisuća", "tisuće", "tisuća"),
    "sr": ("hiljada", "hiljade", "hiljada"),
}
_MILLION = {"bs": "milion", "hr": "milijun", "sr": "milion"}
_BILLION = {"bs": "bilion", "hr": "bilijun", "sr": "bilion"}
_ORDINAL_STEMS = (
    "nult", "prv", "drug", "treć", "četvrt", "pet", "šest", "sedm", "osm", "devet", "deset",
    "jedanaest", "dvanaest", "trinaest", "četrnaest", "petnaest", "šesnaest", "sedamnaest",
    "osamnaest", "devetnaest",
)  # fmt: skip
_ENDINGS: dict[str, dict[str, str]] = {
    "m": {"nom": "i", "gen": "og", "dat": "om", "acc": "i", "loc": "om", "ins": "im"},
    "f": {"nom": "a", "gen": "e", "dat": "oj", "acc": "u", "loc": "oj", "ins": "om"},
    "n": {"nom": "o", "gen": "og", "dat": "om", "acc": "o", "loc": "om", "ins": "im"},
}
POINT = {"bs": "tačka", "hr": "točka", "sr": "tačka"}
"""The word for a full stop in a number."""
_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_ROMAN_SHAPE = re.compile("M{0,3}(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})")


def cardinal(number: int, language: str, gender: Gender = "m") -> str:
    """Return a whole number in words, in the nominative.

    Args:
        number: between -10^18 and 10^18, both excluded.
        language: bs, hr or sr.
        gender: of the counted noun; it changes only 1 and 2.

    Raises:
        ValueError: the number is too large.

    >>> cardinal(1_202_021, "hr", "f")
    'milijun dvjesto dvije tisuće dvadeset jedna'
    >>> cardinal(-2, "sr", "f")
    'minus dve'
    """
    if abs(number) > LARGEST:
        raise UserError(f"number {number} has more than 18 digits; say it digit by digit")
    if number < 0:
        return "minus " + cardinal(-number, language, gender)
    if number < 20 and not 1 <= number <= 2:
        return _SMALL[number]
    words: list[str] = []
    for scale, name, scale_gender in _scales(language):
        count, number = divmod(number, scale)
        if count:
            # One thousand and one million are the word alone, the thousand in the accusative.
            words += [_below_thousand(count, language, scale_gender)] if count > 1 else []
            words.append(_single(name, scale) if count == 1 else agree(count, name))
    if number:
        words.append(_below_thousand(number, language, gender))
    return " ".join(words)


def ordinal(number: int, language: str, gender: Gender = "m", case: Case = "nom") -> str:
    """Return an ordinal in words, declined as a definite adjective.

    Args:
        number: 0 to 10^18, the end excluded.
        language: bs, hr or sr.
        gender: of its noun.
        case: of its noun; the accusative is the inanimate one.

    Raises:
        ValueError: the number is negative or too large.

    >>> ordinal(1995, "sr", "f", "gen")
    'hiljadu devetsto devedeset pete'
    >>> ordinal(3, "hr", "n"), ordinal(2000, "bs", "f")
    ('treće', 'dvijehiljadita')
    """
    stem = ordinal_stem(number, language)
    ending = _ENDINGS[gender][case]
    if stem.endswith("ć") and gender != "f" and ending.startswith("o"):
        ending = "e" + ending[1:]  # a soft stem: treće, trećeg, trećem
    return stem + ending


def ordinal_stem(number: int, language: str) -> str:
    """Return an ordinal in words without its ending.

    Raises:
        ValueError: the number is negative or too large.

    >>> ordinal_stem(90, "hr") + "ih"
    'devedesetih'
    """
    if not 0 <= number <= LARGEST:
        raise UserError(f"ordinal {number} must be 0 or more, with at most 18 digits")
    last = number % 100 if number % 100 < 20 else number % 10
    if last or not number:
        return _after(number - last, language, _ORDINAL_STEMS[last])
    if number % 100:
        return _after(number - number % 100, language, _TENS[number % 100 // 10 - 2])
    if number % 1000:
        hundreds = _HUNDREDS[language][number % 1000 // 100 - 1]
        return _after(number - number % 1000, language, hundreds[:-1] + "ot")
    return _of_scale(number, language)


def agree(number: int, forms: Forms) -> str:
    """Return the form of a noun after a number.

    >>> [agree(n, ("sat", "sata", "sati")) for n in (1, 3, 5, 11, 12, 21, 104)]
    ['sat', 'sata', 'sati', 'sati', 'sati', 'sat', 'sata']
    """
    unit = number % 10
    if number % 100 in (11, 12, 13, 14) or unit in (0, 5, 6, 7, 8, 9):
        return forms[2]
    return forms[0] if unit == 1 else forms[1]


def digits(text: str) -> str:
    """Return digits one by one, as in a telephone number.

    >>> digits("061")
    'nula šest jedan'
    """
    return " ".join(_SMALL[int(digit)] for digit in text)


def whole(text: str, language: str, gender: Gender = "m") -> str:
    """Return digits in words: one by one if they begin with 0 or are more than 15.

    >>> whole("12", "hr"), whole("007", "hr")
    ('dvanaest', 'nula nula sedam')
    """
    if (len(text) > 1 and text[0] == "0") or len(text) > 15:
        return digits(text)
    return cardinal(int(text), language, gender)


def decimal(before: str, after: str, language: str, gender: Gender = "m", mark: str = "") -> str:
    """Return a decimal fraction in words, with leading zeros; over 3 decimals are read one by one.

    >>> decimal("3", "05", "hr"), decimal("3", "14", "sr")
    ('tri zarez nula pet', 'tri zarez četrnaest')
    """
    zeros = len(after) - len(after.lstrip("0"))
    if len(after) > 3 or zeros == len(after):
        fraction = digits(after)
    else:
        fraction = " ".join([*["nula"] * zeros, cardinal(int(after), language, gender)])
    return f"{whole(before, language)} {mark or 'zarez'} {fraction}"


def from_roman(text: str) -> int | None:
    """Return the value of a well-formed Roman numeral in capitals, or None.

    >>> from_roman("XIX"), from_roman("IIX"), from_roman("")
    (19, None, None)
    """
    if not text or not _ROMAN_SHAPE.fullmatch(text):
        return None
    values = [_ROMAN[letter] for letter in text]
    following = [*values[1:], 0]
    return sum(-v if v < after else v for v, after in zip(values, following, strict=True))


def _scales(language: str) -> tuple[tuple[int, Forms, Gender], ...]:
    million, billion = _MILLION[language], _BILLION[language]
    return (
        (10**15, ("bilijarda", "bilijarde", "bilijardi"), "f"),
        (10**12, (billion, billion + "a", billion + "a"), "m"),
        (10**9, ("milijarda", "milijarde", "milijardi"), "f"),
        (10**6, (million, million + "a", million + "a"), "m"),
        (10**3, _THOUSAND[language], "f"),
    )


def _single(name: Forms, scale: int) -> str:
    return name[0][:-1] + "u" if scale == 10**3 else name[0]


def _below_thousand(number: int, language: str, gender: Gender) -> str:
    words: list[str] = []
    if number >= 100:
        words.append(_HUNDREDS[language][number // 100 - 1])
        number %= 100
    if number >= 20:
        words.append(_TENS[number // 10 - 2])
        number %= 10
    if number == 1:
        words.append({"m": "jedan", "f": "jedna", "n": "jedno"}[gender])
    elif number == 2 and gender == "f":
        words.append(_TWO[language])
    elif number:
        words.append(_SMALL[number])
    return " ".join(words)


def _after(number: int, language: str, stem: str) -> str:
    return f"{cardinal(number, language)} {stem}" if number else stem


def _of_scale(number: int, language: str) -> str:
    """Return the stem of a round thousand, million and so on; its count is part of the word."""
    for scale, name, scale_gender in reversed(_scales(language)):
        count = number // scale % 1000
        if count:
            joined = cardinal(count, language, scale_gender).replace(" ", "") if count > 1 else ""
            stem = name[0].removesuffix("a") + (
                "t" if language == "hr" and scale_gender == "m" else "it"
            )
            return _after(number - count * scale, language, joined + stem)
    raise AssertionError(number)
