"""Compare the phones of a description with those that its voice of espeak-ng speaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from fonoteka.core.errors import UserError
from fonoteka.languages.check import Phones, TableProblem
from fonoteka.languages.description import ESPEAK, LanguageDescription
from fonoteka.languages.pronunciation import Pronunciation
from fonoteka.languages.voices.espeak_voice import mapped, say, voices


@dataclass(frozen=True)
class VoiceAgreement:
    """How many examples a voice speaks with the expected phones.

    Attributes:
        equal: examples with equal phones.
        total: all examples.
        different: the word, the expected phones and the spoken ones of the others.
    """

    equal: int
    total: int
    different: tuple[tuple[str, str, str], ...]


def phones_of_description(description: LanguageDescription) -> Phones:
    """Return the function from canonical text to phones that the description names in `g2p`."""
    if description.g2p == ESPEAK:
        return lru_cache(maxsize=4096)(lambda text: say(text, description).phones)
    return Pronunciation(description).phones


def voice_problems(description: LanguageDescription) -> Iterator[TableProblem]:
    """Yield what prevents the voice from speaking: an unknown name, a symbol that is not mapped."""
    if description.voice not in voices():
        yield TableProblem(
            "voice", f"espeak-ng has no voice {description.voice!r}; its lang folder lists them"
        )
        return
    for symbol in description.espeak:
        try:
            mapped(symbol, description.espeak)
        except UserError as error:
            yield TableProblem(f"espeak.{symbol}", str(error))
    for word in description.examples:
        try:
            say(word, description)
        except UserError as error:
            yield TableProblem(f"examples.{word}", str(error))


def agreement(description: LanguageDescription) -> VoiceAgreement:
    """Return how far the voice agrees with the examples.

    A difference is not an error: espeak-ng does not devoice Macedonian consonants, for example. It
    decides which sentences a synthetic corpus can have.
    """
    different = []
    for word, expected in description.examples.items():
        spoken = " ".join(say(word, description).phones)
        if spoken != " ".join(expected.split()):
            different.append((word, expected, spoken))
    total = len(description.examples)
    return VoiceAgreement(total - len(different), total, tuple(different))
