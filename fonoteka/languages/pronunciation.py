"""Phones of canonical text by the tables of a description.

Exceptions come first, then rules with their context, then letters, the longest spelling first. The
voicing of neighbouring phones is adjusted at the end of a word, from right to left.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from fonoteka.core.errors import UserError
from fonoteka.languages.description import LanguageDescription

VOICELESS = frozenset({"c", "f", "h", "k", "p", "s", "t", "ts", "tɕ", "tʃ", "x", "ʃ", "θ"})
WEAK = "v"  # it loses its voice, but gives none: свет begins with s


class UnspelledError(UserError):
    """A word with a letter that neither a rule nor the table covers."""


class Pronunciation:
    """The tables of one language, compiled.

    Args:
        description: of the language.

    Attributes:
        applied: numbers of the rules that a word has used so far, for the check.
    """

    def __init__(self, description: LanguageDescription) -> None:
        self._rules = [
            (rule.spelling, re.compile(f"(?:{rule.left})$"), re.compile(rule.right), rule.phones)
            for rule in description.rules
        ]
        self._letters = description.letters
        self._longest = max(map(len, description.letters), default=1)
        self._exceptions = description.exceptions
        self._voicing = description.voicing
        self._seams = seams(description)
        self.applied: set[int] = set()

    def phones(self, normalized: str) -> tuple[str, ...]:
        """Return the phones of canonical text.

        Raises:
            UnspelledError: a letter is in no table.

        >>> from fonoteka.languages.description import described
        >>> Pronunciation(described("mk")).phones("љубов")
        ('ʎ', 'u', 'b', 'o', 'f')
        """
        return tuple(phone for word in normalized.split() for phone in self.word(word))

    def word(self, word: str) -> tuple[str, ...]:
        """Return the phones of one word.

        Raises:
            UnspelledError: a letter is in no table.
        """
        if word in self._exceptions:
            return tuple(self._exceptions[word].split())
        split = seam_positions(word, self._seams)
        phones: list[str] = []
        index = 0
        while index < len(word):
            length, symbols = self._next(word, index, split)
            phones += symbols.split()
            index += length
        return assimilated(phones, self._voicing)

    def _next(self, word: str, index: int, split: Iterable[int]) -> tuple[int, str]:
        """Return the length and the phones of the spelling at a position of a word."""
        for number, (spelling, left, right, phones) in enumerate(self._rules):
            end = index + len(spelling)
            matches = word.startswith(spelling, index) and right.match(word, end)
            if matches and left.search(word[:index]) and not inside(split, index, end):
                self.applied.add(number)
                return len(spelling), phones
        for length in range(min(self._longest, len(word) - index), 0, -1):
            spelling = word[index : index + length]
            if spelling in self._letters and not inside(split, index, index + length):
                return length, self._letters[spelling]
        raise UnspelledError(f"{word[index]!r} in {word!r} is in neither rules nor letters")


def assimilated(phones: Sequence[str], voicing: dict[str, str]) -> tuple[str, ...]:
    """Return the phones of a word after final devoicing and assimilation of voice.

    Args:
        phones: of one word.
        voicing: voiceless counterpart of each voiced phone; nothing changes if it is empty.

    >>> pairs = {"b": "p", "d": "t", "z": "s", "v": "f"}
    >>> assimilated("ɡ r a d".split(), pairs), assimilated("s v a d b a".split(), pairs)
    (('ɡ', 'r', 'a', 't'), ('s', 'v', 'a', 'd', 'b', 'a'))
    >>> assimilated("ɡ l a s b a".split(), pairs)
    ('ɡ', 'l', 'a', 'z', 'b', 'a')
    """
    if not voicing:
        return tuple(phones)
    voiced = {voiceless: phone for phone, voiceless in voicing.items()}
    result: list[str] = []
    following = "#"  # the end of the word takes the voice away too
    for phone in reversed(phones):
        if following == "#" or following in VOICELESS:
            phone = voicing.get(phone, phone)
        elif following in voicing and following != WEAK:
            phone = voiced.get(phone, phone)
        result.append(phone)
        following = phone
    return tuple(reversed(result))


def seams(description: LanguageDescription) -> dict[str, tuple[int, ...]]:
    """Return the stems in which letters of a digraph are two, with the positions between them."""
    positions: dict[str, tuple[int, ...]] = {}
    for stem in (stem for stems in description.digraphs.values() for stem in stems.split()):
        parts = stem.split("|")
        ends = [len("".join(parts[: number + 1])) for number in range(len(parts) - 1)]
        positions["".join(parts)] = tuple(ends)
    return positions


def seam_positions(word: str, stems: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
    """Return the positions of a word that no digraph may cross.

    >>> seam_positions("nadživeti", {"nadživ": (3,)})
    (3,)
    """
    return tuple(
        word.find(stem) + position
        for stem, positions in stems.items()
        if stem in word
        for position in positions
    )


def inside(split: Iterable[int], start: int, end: int) -> bool:
    """Return whether a seam is inside a spelling."""
    return any(start < position < end for position in split)
