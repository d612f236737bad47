"""What random items of text are made of, and sentences of them."""

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


def sentence(random: Random, language: str, makers: Sequence[Maker], most: int = 4) -> Item:
    """Return a sentence of one item or more between words, and the pattern of how it is said."""
    first = random.choice(FILLERS[language])
    text, said = first.capitalize(), [first]
    for _ in range(random.randint(1, most)):
        item, pattern = random.choice(makers)(random, language)
        word = random.choice(FILLERS[language])
        text, said = f"{text} {item} {word}", [*said, pattern, word]
    return text + random.choice(".!?"), said


def any_number(random: Random) -> int:
    return random.randrange(10 ** random.choice((1, 1, 2, 2, 3, 4, 5)))


def dotted(number: int, mark: str) -> str:
    return f"{number:,}".replace(",", mark)


def fraction(digits: str) -> Pattern:
    """A fraction is said digit by digit, or its zeros and then one number."""
    zeros = len(digits) - len(digits.lstrip("0"))
    one_by_one: Pattern = [int(digit) for digit in digits]
    if zeros == len(digits):
        return one_by_one
    return Either((one_by_one, [*[0] * zeros, int(digits)]))


def digits(random: Random, *counts: int) -> list[str]:
    return ["".join(random.choice("0123456789") for _ in range(count)) for count in counts]


def one_by_one(text: str) -> list[Pattern]:
    return ["plus"] * text.startswith("+") + [int(c) for c in text if c.isdigit()]
