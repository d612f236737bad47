"""Parts of random text items, and random sentences of such items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from number_reader import Either, Pattern

Item = tuple[str, Pattern]
Maker = Callable[[Random, str], Item]
FILLERS = {
    "en": ("maybe", "then", "really", "surely"),
    "bs": ("možda", "zatim", "sigurno", "zaista"),
    "hr": ("možda", "zatim", "sigurno", "zaista"),
    "sr": ("možda", "zatim", "sigurno", "zaista"),
}


def sentence(random: Random, language: str, makers: Sequence[Maker], max_items: int = 4) -> Item:
    """Return a sentence of 1 to `max_items` items between words, and the pattern of its words."""
    first = random.choice(FILLERS[language])
    text, patterns = first.capitalize(), [first]
    for _ in range(random.randint(1, max_items)):
        item, pattern = random.choice(makers)(random, language)
        word = random.choice(FILLERS[language])
        text, patterns = f"{text} {item} {word}", [*patterns, pattern, word]
    return text + random.choice(".!?"), patterns


def any_number(random: Random) -> int:
    return random.randrange(10 ** random.choice((1, 1, 2, 2, 3, 4, 5)))


def dotted(number: int, mark: str) -> str:
    return f"{number:,}".replace(",", mark)


def fraction(digits: str) -> Pattern:
    """Return the pattern of decimals: digit by digit, or zeros and then one number."""
    zeros = len(digits) - len(digits.lstrip("0"))
    each_digit: Pattern = [int(digit) for digit in digits]
    if zeros == len(digits):
        return each_digit
    return Either((each_digit, [*[0] * zeros, int(digits)]))


def digits(random: Random, *counts: int) -> list[str]:
    return ["".join(random.choice("0123456789") for _ in range(count)) for count in counts]


def one_by_one(text: str) -> list[Pattern]:
    return ["plus"] * text.startswith("+") + [int(c) for c in text if c.isdigit()]
