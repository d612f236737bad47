"""Plain punctuation, which separates words and is dropped, and signs with a meaning.

Quotes, brackets, dashes, full stops, commas and the like are not spoken. Any other sign, such as
`%`, `@`, `#` or `*`, is spoken: if no rule reads it, it stays and the text is refused.
"""

from __future__ import annotations

import re
import unicodedata

_PLAIN = frozenset(
    ".,;:!?\"'\u2026\u2025\u00a1\u00bf\u203d\u2022\u2023\u2043"  # ellipses, ¡ ¿ ‽, bullets
    "\u3001\u3002\uff0c\uff0e\uff01\uff1f\uff1a\uff1b\uff61\uff64\u060c\u061b\u061f\u06d4"
)
_BRACKETS_QUOTES_DASHES = frozenset(("Ps", "Pe", "Pi", "Pf", "Pd", "Pc"))
_COMMON = re.compile(r"[ \t\n.,;:!?\"()\-…„“”]+")
_MARK = re.compile(r"[^\w\s]")
_WORD = "[^\\W\\d_]+"
_STROKE = re.compile(rf"(?<![^\W_])({_WORD})(/|\s/\s)(?={_WORD}(?![^\W_]))")
_NEXT = re.compile(_WORD)
_VOWELS = re.compile("[aeiouyr]")
# Nouns of measure: next to one of them `/` is spoken: per, po, na.
_MEASURES = frozenset((
    "second", "seconds", "minute", "minutes", "hour", "hours", "day", "days", "week", "weeks",
    "month", "months", "year", "years", "mile", "miles", "meter", "meters", "kilometer",
    "kilometers", "gallon", "gallons", "liter", "liters", "ounce", "acre", "person",
    "sat", "sata", "sati", "satu", "čas", "časa", "dan", "dana", "danu", "sedmica", "sedmici",
    "tjedan", "tjedna", "tjednu", "mjesec", "mjeseci", "mjesecu", "mesec", "meseci", "mesecu",
    "godina", "godine", "godini", "minuta", "minut", "minuti", "sekunda", "sekunde", "sekundi",
    "min", "ha", "kom", "sek", "sec", "god", "dag", "eur", "usd", "eura", "euro", "evra", "evro",
    "dinara", "kuna", "maraka", "dollars", "hr", "hrs", "yr", "osoba", "osobi", "komad", "komada",
    "komadu", "noć", "noći", "stanovnik", "stanovniku",
))  # fmt: skip


def is_plain_punctuation(mark: str) -> bool:
    """Return whether a character is punctuation that is not spoken.

    >>> [mark for mark in "«%-@*…[/§" if is_plain_punctuation(mark)]
    ['«', '-', '…', '[']
    """
    return mark in _PLAIN or unicodedata.category(mark) in _BRACKETS_QUOTES_DASHES


def strip_common_punctuation(text: str) -> str:
    """Replace the most frequent marks by spaces, the fast part of `strip_punctuation`."""
    return _COMMON.sub(" ", text)


def strip_punctuation(text: str, keep: str) -> str:
    """Replace plain punctuation by spaces; letters and other signs stay and are checked later.

    Args:
        text: in lower case.
        keep: punctuation that is part of words.

    >>> strip_punctuation("i/ili (da), 5 %, km/h", "")
    'i ili da 5 % km/h'
    """
    if "/" in text:
        text = _STROKE.sub(_drop_stroke, text)
    return _MARK.sub(
        lambda m: " " if m[0] not in keep and is_plain_punctuation(m[0]) else m[0],
        strip_common_punctuation(text),
    ).replace("_", " ")


def _drop_stroke(match: re.Match[str]) -> str:
    """Remove a slash between two words that are not units: and/or, i/ili."""
    following = _NEXT.match(match.string, match.end())
    words = (match[1], following[0] if following else "")
    is_punctuation = all(_VOWELS.search(word) and word not in _MEASURES for word in words)
    return f"{match[1]} " if is_punctuation else match[0]
