"""One spelling for each word: the canonical text that is spoken of, split by and scored.

Cyrillic becomes Latin, never the other way: Latin lj can be љ or лј, Cyrillic is exact.
"""

from __future__ import annotations

import re
import unicodedata

from stages.common.espeak import phonemize
from stages.common.phones import LANGUAGES, LETTERS, SOUTH_SLAVIC, from_letters

_CYRILLIC = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "ђ": "đ", "е": "e", "ж": "ž", "з": "z",
    "и": "i", "ј": "j", "к": "k", "л": "l", "љ": "lj", "м": "m", "н": "n", "њ": "nj", "о": "o",
    "п": "p", "р": "r", "с": "s", "т": "t", "ћ": "ć", "у": "u", "ф": "f", "х": "h", "ц": "c",
    "ч": "č", "џ": "dž", "ш": "š",
}  # fmt: skip
_LIGATURES = {"ǆ": "dž", "ǉ": "lj", "ǌ": "nj", "ð": "đ"}
_TO_LATIN = str.maketrans(_CYRILLIC | _LIGATURES)
_SOUTH_SLAVIC_LETTERS = set("".join(LETTERS))
_ENGLISH_LETTERS = set("abcdefghijklmnopqrstuvwxyz'")


def normalize(text: str, language: str) -> str:
    """Return canonical text: NFC, Latin, lower case, words parted by one space, no punctuation.

    Raises:
        ValueError: the language is unknown, a character is outside the language's alphabet, or no
            word is left. The message says which.

    >>> normalize("Ђорђе, ЏУГАЊ!", "sr")
    'đorđe džuganj'
    >>> normalize("It's  nine o’clock.", "en")
    "it's nine o'clock"
    """
    if language not in LANGUAGES:
        raise ValueError(f"language {language!r} is unknown; expected one of {list(LANGUAGES)}")
    clean = unicodedata.normalize("NFC", text).lower().replace("’", "'")
    alphabet = _ENGLISH_LETTERS
    if language in SOUTH_SLAVIC:
        clean, alphabet = clean.translate(_TO_LATIN), _SOUTH_SLAVIC_LETTERS
    clean = _without_marks(clean, keep="'" if language == "en" else "")
    words = [word.strip("'") for word in clean.split()]
    strange = sorted(set("".join(words)) - alphabet)
    if strange:
        shown = " ".join(f"{c!r} (U+{ord(c):04X})" for c in strange[:5])
        raise ValueError(f"outside the {language} alphabet: {shown}")
    if not any(words):
        raise ValueError("no word in the text")
    return " ".join(word for word in words if word)


def phones_of(normalized: str, language: str) -> tuple[str, ...]:
    """Return the phones of canonical text.

    Raises:
        ValueError: the text has a letter that the language's table does not hold.
    """
    if language in SOUTH_SLAVIC:
        return from_letters(normalized)
    return phonemize(normalized, language)


def _without_marks(text: str, keep: str) -> str:
    """Turn punctuation into spaces; letters, digits and symbols stay, so that they are noticed."""
    return re.sub(
        r"[^\w\s]",
        lambda m: m[0] if m[0] in keep or unicodedata.category(m[0])[0] not in "PZ" else " ",
        text,
    ).replace("_", " ")
