"""One phone inventory for four languages, and the tables that lead to it.

Bosnian, Croatian and Serbian are written as they are spoken: each letter is one phone, the same in
all three languages and both scripts. English goes through espeak-ng. Where both say the same sound
the label is shared; where they differ in kind (Serbian r, English ɹ) it is not.

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
"""Label 0 of every model: no phone. For a model of segments it is the label of silence."""

LABELS: tuple[str, ...] = (BLANK, *INVENTORY)

NUMBER: Mapping[str, int] = MappingProxyType({label: i for i, label in enumerate(LABELS)})

# Stems of compounds in which two letters meet at a seam and are two phones, not one digraph.
SEAMS = ("injekci", "injekto", "konjug", "konjunk", "tanjug", "nadživ", "nadžup", "nadžnj",
         "odžal", "odživ", "podžup", "predživot", "podžig")  # fmt: skip

# espeak-ng's names, without stress marks, that aren't in the inventory under the same name.
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
        ValueError: a letter is outside the alphabet.

    >>> from_letters("njegova džep")
    ('ɲ', 'e', 'ɡ', 'o', 'v', 'a', 'dʒ', 'e', 'p')
    >>> from_letters("injekcija")[:3]
    ('i', 'n', 'j')
    """
    phones: list[str] = []
    for word in normalized.split():
        seams = {word.find(stem) + _seam(stem) for stem in SEAMS if stem in word}
        at = 0
        while at < len(word):
            pair = word[at : at + 2]
            letter = pair if pair in LETTERS and at not in seams else word[at]
            if letter not in LETTERS:
                raise UserError(f"{letter!r} in {word!r} is not a letter of bs, hr or sr")
            phones.append(LETTERS[letter])
            at += len(letter)
    return tuple(phones)


def from_espeak(name: str, language: str) -> tuple[str, ...]:
    """Return the inventory's symbols for one phoneme event of espeak-ng; a pause has none.

    Raises:
        ValueError: the name is in no table.

    >>> from_espeak("ˈɔːɹ", "en"), from_espeak("ˌɐ", "sr"), from_espeak("", "hr")
    (('ɔ', 'ɹ'), ('a',), ())
    """
    bare = unicodedata.normalize("NFC", name).translate({ord(mark): None for mark in "ˈˌ͡|"})
    if not bare.strip("ː"):
        return ()
    table = _ENGLISH if language == "en" else _SOUTH_SLAVIC
    if bare in table:
        return table[bare]
    allowed = INVENTORY if language == "en" else tuple(LETTERS.values())
    for candidate in (bare, bare.rstrip("ː"), bare.replace("ʲ", "")):
        if candidate in allowed:
            return (candidate,)
    raise UserError(f"espeak-ng's phoneme {name!r} in language {language!r} is in no table")


def _seam(stem: str) -> int:
    """Return where in a stem the two letters stand that are no digraph."""
    return min(at for pair in ("nj", "lj", "dž") if (at := stem.find(pair)) >= 0)
