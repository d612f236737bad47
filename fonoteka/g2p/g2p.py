"""Phones of canonical text.

This module does not import `fonoteka.text`, so a stage that only needs phones does not depend on
the text rules.
"""

from __future__ import annotations

from fonoteka.g2p.espeak import phonemize
from fonoteka.phones import SOUTH_SLAVIC, from_letters


def phones_of(normalized: str, language: str) -> tuple[str, ...]:
    """Return the phones of canonical text.

    Raises:
        UserError: a letter is not in the table of the language.
    """
    if language in SOUTH_SLAVIC:
        return from_letters(normalized)
    return phonemize(normalized, language)
