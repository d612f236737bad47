"""From canonical text to phones.

It stands apart from `stages.common.text`, so that what needs phones alone doesn't hang on every
rule of spelling.
"""

from __future__ import annotations

from stages.common.espeak import phonemize
from stages.common.phones import SOUTH_SLAVIC, from_letters


def phones_of(normalized: str, language: str) -> tuple[str, ...]:
    """Return the phones of canonical text.

    Raises:
        ValueError: the text has a letter that the language's table does not hold.
    """
    if language in SOUTH_SLAVIC:
        return from_letters(normalized)
    return phonemize(normalized, language)
