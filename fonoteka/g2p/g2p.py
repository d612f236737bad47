"""From canonical text to phones.

It does not import `fonoteka.text`, so that a stage that needs phones alone does not depend on the
rules of spelling.
"""

from __future__ import annotations

from fonoteka.g2p.espeak import phonemize
from fonoteka.phones import SOUTH_SLAVIC, from_letters


def phones_of(normalized: str, language: str) -> tuple[str, ...]:
    """Return the phones of canonical text.

    Raises:
        ValueError: the text has a letter that the language's table does not hold.
    """
    if language in SOUTH_SLAVIC:
        return from_letters(normalized)
    return phonemize(normalized, language)
