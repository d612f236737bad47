"""Assign sentences to every voice, before synthesis begins.

The sentences of a voice depend on the seed, its name and the voices before it, so that no sentence
occurs twice. They do not depend on the order in which processes finish.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from fonoteka.core.errors import UserError
from fonoteka.core.files import unit_interval
from fonoteka.phones import LANGUAGES
from fonoteka.text.normalizer import normalize
from stages.corpus.synthesize.grammar import SENTENCE, SHORT, Grammar, compose, digits

TRIES = 1000
_CYRILLIC = {
    "lj": "љ", "nj": "њ", "dž": "џ", "a": "а", "b": "б", "v": "в", "g": "г", "d": "д", "đ": "ђ",
    "e": "е", "ž": "ж", "z": "з", "i": "и", "j": "ј", "k": "к", "l": "л", "m": "м", "n": "н",
    "o": "о", "p": "п", "r": "р", "s": "с", "t": "т", "ć": "ћ", "u": "у", "f": "ф", "h": "х",
    "c": "ц", "č": "ч", "š": "ш",
}  # fmt: skip


@dataclass(frozen=True)
class Amounts:
    """The number of sentences, and the shares of their kinds.

    Attributes:
        per_voice: sentences that each voice speaks, by language.
        spare: additional candidates per voice and language, to replace refused ones.
        short_share: share of single words and phrases.
        digits_share: share of sequences of digits in words.
        cyrillic_share: share of the Serbian sentences written in Cyrillic.
    """

    per_voice: dict[str, int]
    spare: int
    short_share: float
    digits_share: float
    cyrillic_share: float

    def __post_init__(self) -> None:
        """Raise for amounts from which no corpus can be made."""
        section = "synthesize.sentences"
        if sorted(self.per_voice) != list(LANGUAGES) or min(self.per_voice.values()) < 1:
            raise UserError(
                f"{section}.per_voice must give each of {list(LANGUAGES)} 1 or more, "
                f"found {self.per_voice}"
            )
        if self.spare < 0:
            raise UserError(f"{section}.spare must be 0 or more, found {self.spare}")
        for name in ("short_share", "digits_share", "cyrillic_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{section}.{name} must be 0 to 1, found {getattr(self, name)}")
        if self.short_share + self.digits_share > 1:
            raise UserError(
                f"{section}: short_share and digits_share must sum to 1 at most, "
                f"found {self.short_share} and {self.digits_share}"
            )


@dataclass(frozen=True)
class Line:
    """One sentence to synthesise: as it is written, and in canonical Latin."""

    language: str
    text: str
    normalized: str


def assign(
    grammars: Mapping[str, Grammar], voices: Sequence[str], amounts: Amounts, seed: str
) -> dict[str, list[Line]]:
    """Return the lines of each voice, spares last; no two lines share their canonical text.

    Raises:
        UserError: a grammar is too small for so many sentences.
    """
    used: set[str] = set()
    lines: dict[str, list[Line]] = {}
    for voice in voices:
        lines[voice] = []
        for language in LANGUAGES:
            random = Random(f"{seed}/{voice}/{language}")  # noqa: S311 (sentences, not secrets)
            for _ in range(amounts.per_voice[language] + amounts.spare):
                line = _new_line(grammars[language], language, amounts, random, used)
                used.add(line.normalized)
                lines[voice].append(_in_script(line, amounts.cyrillic_share, seed))
    return lines


def to_cyrillic(text: str) -> str:
    """Return Serbian Latin text in Cyrillic.

    Only for the word lists of this corpus: none of their words has n and j as two letters.

    >>> to_cyrillic("Njegov džep.")
    'Његов џеп.'
    """
    letters: list[str] = []
    position = 0
    while position < len(text):
        length = 2 if text[position : position + 2].lower() in _CYRILLIC else 1
        letter = text[position : position + length]
        cyrillic = _CYRILLIC.get(letter.lower(), letter)
        letters.append(cyrillic.upper() if letter[0].isupper() else cyrillic)
        position += length
    return "".join(letters)


def _new_line(
    grammar: Grammar, language: str, amounts: Amounts, random: Random, used: set[str]
) -> Line:
    for _ in range(TRIES):
        text = _draw(grammar, amounts, random)
        normalized = normalize(text, language)
        if normalized not in used:
            return Line(language, text, normalized)
    raise UserError(
        f"{grammar.source}: {TRIES} tries gave no new sentence; add words or lower "
        f"synthesize.sentences.per_voice.{language}"
    )


def _draw(grammar: Grammar, amounts: Amounts, random: Random) -> str:
    kind = random.random()
    if kind < amounts.digits_share:
        return digits(grammar, random)
    if kind < amounts.digits_share + amounts.short_share:
        return compose(grammar, SHORT, random)
    return compose(grammar, SENTENCE, random)


def _in_script(line: Line, cyrillic_share: float, seed: str) -> Line:
    if line.language != "sr" or unit_interval(seed, "script", line.normalized) >= cyrillic_share:
        return line
    return Line(line.language, to_cyrillic(line.text), line.normalized)
