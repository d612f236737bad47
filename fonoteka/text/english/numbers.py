"""Numbers in English words, the American way: no `and`, no hyphens, no commas."""

from __future__ import annotations

from fonoteka.core.errors import UserError

LARGEST = 10**18 - 1
_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen",
    "eighteen", "nineteen",
)  # fmt: skip
_TENS = (
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
)  # fmt: skip
_SCALES = ("", "thousand", "million", "billion", "trillion", "quadrillion")
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth",
    "nine": "ninth", "twelve": "twelfth",
}  # fmt: skip


def cardinal(number: int) -> str:
    """Return a whole number in words.

    Raises:
        ValueError: the number has more than 18 digits.

    >>> cardinal(1_000_121), cardinal(-5)
    ('one million one hundred twenty one', 'minus five')
    """
    if abs(number) > LARGEST:
        raise UserError(f"number {number} has more than 18 digits; say it digit by digit")
    if number < 0:
        return "minus " + cardinal(-number)
    if number == 0:
        return "zero"
    groups: list[str] = []
    for scale in _SCALES:
        number, group = divmod(number, 1000)
        if group:
            groups.append(f"{_below_thousand(group)} {scale}".rstrip())
    return " ".join(reversed(groups))


def ordinal(number: int) -> str:
    """Return an ordinal in words.

    >>> ordinal(21), ordinal(100), ordinal(12)
    ('twenty first', 'one hundredth', 'twelfth')
    """
    *before, last = cardinal(number).split()
    if last in _ORDINALS:
        last = _ORDINALS[last]
    else:
        last = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    return " ".join([*before, last])


def plural(words: str) -> str:
    """Return the plural of a number in words, as in decades.

    >>> plural("nineteen ninety"), plural("two thousand"), plural("six")
    ('nineteen nineties', 'two thousands', 'sixes')
    """
    if words.endswith("y"):
        return words[:-1] + "ies"
    return words + ("es" if words.endswith("x") else "s")


def year(number: int) -> str:
    """Return a year from 1100 to 2099 in words: two pairs, but 2000 to 2009 as one number.

    >>> year(1995), year(1905), year(1800)
    ('nineteen ninety five', 'nineteen oh five', 'eighteen hundred')
    >>> year(2005), year(2020)
    ('two thousand five', 'twenty twenty')
    """
    if 2000 <= number <= 2009:
        return cardinal(number)
    century, rest = divmod(number, 100)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def pairs(number: int) -> str:
    """Return a number of four digits in two pairs, as for rooms, flights and buses.

    >>> pairs(1204), pairs(1549), pairs(2000), pairs(2005), pairs(3100)
    ('twelve oh four', 'fifteen forty nine', 'two thousand', 'twenty oh five', 'thirty one hundred')
    """
    first, last = divmod(number, 100)
    if last:
        return f"{cardinal(first)} {'oh ' if last < 10 else ''}{cardinal(last)}"
    return cardinal(number) if first % 10 == 0 else f"{cardinal(first)} hundred"


def fraction(upper: int, lower: int) -> str:
    """Return a fraction in words; halves and quarters have their own names.

    >>> fraction(1, 2), fraction(3, 4), fraction(2, 3), fraction(1, 100)
    ('one half', 'three quarters', 'two thirds', 'one one hundredth')
    """
    if lower == 2:
        return f"{cardinal(upper)} {'half' if upper == 1 else 'halves'}"
    part = "quarter" if lower == 4 else ordinal(lower)
    return f"{cardinal(upper)} {part if upper == 1 else part + 's'}"


def digits(text: str) -> str:
    """Return digits one by one.

    >>> digits("007")
    'zero zero seven'
    """
    return " ".join(_SMALL[int(digit)] for digit in text)


def whole(text: str) -> str:
    """Return digits in words: one by one if they begin with 0 or are more than 15."""
    if (len(text) > 1 and text[0] == "0") or len(text) > 15:
        return digits(text)
    return cardinal(int(text))


def number_words(text: str) -> str:
    """Return a written number with commas and a point in words.

    >>> number_words("1,234.05"), number_words(".45")
    ('one thousand two hundred thirty four point zero five', 'point four five')
    """
    before, point, after = text.replace(",", "").partition(".")
    return f"{whole(before) if before else ''}{f' point {digits(after)}' if point else ''}".strip()


def _below_thousand(number: int) -> str:
    words: list[str] = []
    if number >= 100:
        words += [_SMALL[number // 100], "hundred"]
        number %= 100
    if number >= 20:
        words.append(_TENS[number // 10 - 2])
        number %= 10
    if number:
        words.append(_SMALL[number])
    return " ".join(words)
