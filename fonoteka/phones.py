"""One phone inventory for four languages, and the tables that map to it.

Bosnian, Croatian and Serbian spelling is phonemic: each letter is one phone, the same in all three
languages and both scripts. English phones come from espeak-ng. A sound that both have shares one
label; sounds that differ in kind (Serbian r, English ɹ) have separate ones.

Source: the letter values are those of Gaj's and Karadžić's alphabets in the IPA Handbook's Croatian
illustration; espeak-ng's names were collected by speaking text that covers both alphabets.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

from fonoteka.core.errors import UserError

LANGUAGES = ("bs", "en", "hr", "sr")
SOUTH_SLAVIC = ("bs", "hr", "sr")

LETTERS: Mapping[str, str] = MappingProxyType({
    "a": "a", "b": "b", "c": "ts", "č": "tʃ", "ć": "tɕ", "d": "d", "dž": "dʒ", "đ": "dʑ", "e": "e",
    "f": "f", "g": "ɡ", "h": "x", "i": "i", "j": "j", "k": "k", "l": "l", "lj": "ʎ", "m": "m",
    "n": "n", "nj": "ɲ", "o": "o", "p": "p", "r": "r", "s": "s", "š": "ʃ", "t": "t", "u": "u",
    "v": "v", "z": "z", "ž": "ʒ",
})  # fmt: skip

ENGLISH_ONLY = ("h", "w", "ŋ", "θ", "ð", "ɹ", "ɾ", "æ", "ɑ", "ʌ", "ə", "ɚ", "ɔ", "ɪ", "ʊ",
                "aɪ", "aʊ", "eɪ", "oʊ", "ɔɪ")  # fmt: skip

INVENTORY: tuple[str, ...] = (*sorted(LETTERS.values()), *sorted(ENGLISH_ONLY))

BLANK = "<blank>"
"""Label 0 of every model: no phone. In a model of segments it is the label of silence."""

LABELS: tuple[str, ...] = (BLANK, *INVENTORY)

NUMBER: Mapping[str, int] = MappingProxyType({label: i for i, label in enumerate(LABELS)})

MANNERS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "vowel": ("a", "e", "i", "o", "u", "æ", "ɑ", "ʌ", "ə", "ɚ", "ɔ", "ɪ", "ʊ", "aɪ", "aʊ", "eɪ",
              "oʊ", "ɔɪ"),
    "sonorant": ("j", "l", "ʎ", "m", "n", "ɲ", "ŋ", "r", "ɹ", "ɾ", "w"),
    "fricative": ("f", "v", "s", "z", "ʃ", "ʒ", "x", "h", "θ", "ð"),
    "stop": ("p", "b", "t", "d", "k", "ɡ", "ts", "tʃ", "tɕ", "dʒ", "dʑ"),
})  # fmt: skip
"""The phones of each manner of articulation; affricates are stops, which begin in silence too."""

# Stems of compounds in which the letters of a digraph belong to two parts and are two phones.
SEAMS = ("injekci", "injekto", "konjug", "konjunk", "tanjug", "nadživ", "nadžup", "nadžnj",
         "odžal", "odživ", "podžup", "predživot", "podžig")  # fmt: skip

# Names of espeak-ng, without stress marks, that differ from those of the inventory.
_ENGLISH: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "aɪə": ("aɪ", "ə"), "aɪɚ": ("aɪ", "ɚ"), "aʊɚ": ("aʊ", "ɚ"), "aː": ("ɑ",), "e": ("e",),
    "i": ("i",), "iə": ("i", "ə"), "iː": ("i",), "n̩": ("ə", "n"), "o": ("oʊ",), "oː": ("ɔ",),
    "oːɹ": ("ɔ", "ɹ"), "r": ("ɹ",), "uː": ("u",), "x": ("x",), "ɐ": ("ə",), "ɑː": ("ɑ",),
    "ɑːɹ": ("ɑ", "ɹ"), "ɑ̃": ("ɑ",), "ɒ": ("ɑ",), "ɔː": ("ɔ",), "ɔːɹ": ("ɔ", "ɹ"), "əl": ("ə", "l"),
    "ɚ": ("ɚ",), "ɛ": ("e",), "ɛɹ": ("e", "ɹ"), "ɜ": ("ɚ",), "ɜː": ("ɚ",), "ɪɹ": ("ɪ", "ɹ"),
    "ɬ": ("l",), "ʊɹ": ("ʊ", "ɹ"), "ʔ": ("t",), "ᵻ": ("ɪ",), "m̩": ("ə", "m"), "l̩": ("ə", "l"),
    "a": ("æ",), "ɫ": ("l",), "g": ("ɡ",),
})  # fmt: skip
_SOUTH_SLAVIC: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "aː": ("a",), "eː": ("e",), "g": ("ɡ",), "h": ("x",), "iː": ("i",), "oː": ("o",), "uː": ("u",),
    "æ": ("a",), "ɐ": ("a",), "ɑ": ("a",), "ɑː": ("a",), "ə": ("a",), "ɛ": ("e",), "ɛː": ("e",),
    "ɔ": ("o",), "ɪ": ("i",), "ɾ": ("r",), "ʊ": ("u",), "ʋ": ("v",), "ɣ": ("x",), "r̩": ("r",),
    "rː": ("r",), "l̩": ("l",), "ŋ": ("n",), "ɱ": ("m",),
})  # fmt: skip


def from_letters(normalized: str) -> tuple[str, ...]:
    """Return the phones of normalized Bosnian, Croatian or Serbian text in Latin letters.

    Raises:
        UserError: a letter is outside the alphabet.

    >>> from_letters("njegova džep")
    ('ɲ', 'e', 'ɡ', 'o', 'v', 'a', 'dʒ', 'e', 'p')
    >>> from_letters("injekcija")[:3]
    ('i', 'n', 'j')
    """
    phones: list[str] = []
    for word in normalized.split():
        seams = {word.find(stem) + _seam(stem) for stem in SEAMS if stem in word}
        index = 0
        while index < len(word):
            pair = word[index : index + 2]
            letter = pair if pair in LETTERS and index not in seams else word[index]
            if letter not in LETTERS:
                raise UserError(f"{letter!r} in {word!r} is not a letter of bs, hr or sr")
            phones.append(LETTERS[letter])
            index += len(letter)
    return tuple(phones)


def from_espeak(name: str, language: str) -> tuple[str, ...]:
    """Return the symbols of the inventory for one phoneme event of espeak-ng; none for a pause.

    Raises:
        UserError: the name is not in any table.

    >>> from_espeak("ˈɔːɹ", "en"), from_espeak("ˌɐ", "sr"), from_espeak("", "hr")
    (('ɔ', 'ɹ'), ('a',), ())
    """
    stripped = unicodedata.normalize("NFC", name).translate({ord(mark): None for mark in "ˈˌ͡|"})
    if not stripped.strip("ː"):
        return ()
    table = _ENGLISH if language == "en" else _SOUTH_SLAVIC
    if stripped in table:
        return table[stripped]
    allowed = INVENTORY if language == "en" else tuple(LETTERS.values())
    for candidate in (stripped, stripped.rstrip("ː"), stripped.replace("ʲ", "")):
        if candidate in allowed:
            return (candidate,)
    raise UserError(f"espeak-ng's phoneme {name!r} in language {language!r} is in no table")


def _seam(stem: str) -> int:
    """Return the index of the two letters in a stem that are not a digraph."""
    return min(index for pair in ("nj", "lj", "dž") if (index := stem.find(pair)) >= 0)
