"""The check that the phones of a word are in order and in the word."""

from __future__ import annotations

from fonoteka.alignment.aligned_text import AlignedWord
from fonoteka.alignment.formats.clock import milliseconds
from fonoteka.core.errors import UserError


def check_phones(word: AlignedWord) -> None:
    """Refuse phones that overlap or leave their word.

    Times are compared in whole milliseconds, as files have them, so that the last digit of a float
    does not matter.

    Raises:
        UserError: a phone starts before the one before ends, ends before it starts, or lies outside
            its word.
    """
    last_ms, end_ms = milliseconds(word.start_s), milliseconds(word.end_s)
    for phone in word.phones:
        start_ms, stop_ms = milliseconds(phone.start_s), milliseconds(phone.end_s)
        if not last_ms <= start_ms <= stop_ms <= end_ms:
            raise UserError(
                f"the phone {phone.symbol!r} of the word {word.text!r} lies at {phone.start_s:g} "
                f"to {phone.end_s:g} s, but it must be between {last_ms / 1000:g} s, where the "
                f"word starts or the phone before ends, and the word's end at {word.end_s:g} s"
            )
        last_ms = stop_ms
