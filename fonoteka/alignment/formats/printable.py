"""Text without characters that a file of lines cannot contain."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

from fonoteka.alignment.aligned_text import AlignedLine, AlignedText, AlignedWord

UNPRINTABLE = "\ufffd"
"""Unicode's REPLACEMENT CHARACTER: the text of a word that has no other character."""

BYTE_ORDER_MARK = "\ufeff"
_REMOVED = ("Cc", "Cs")
_FULLWIDTH = 0xFEE0  # U+FF01 to U+FF5E are the signs of ASCII at this distance


def printable(text: str) -> str:
    r"""Return text without control characters and with single spaces.

    Control characters are removed, because no format can contain all of them: NUL ends a string in
    players written in C, and a bell or an escape sequence acts on the terminal that shows the file.
    Half of a surrogate pair is removed because UTF-8 cannot encode it, and U+FEFF because readers
    remove it at the start of a file. Characters that any reader takes for the end of a line, U+0085
    and U+2028 among them, become spaces. Marks of writing direction are kept, because they are text
    and end with the line.

    >>> printable("a\x00b\nc\u2028\x1b[2J č\u200f")
    'ab c [2J č\u200f'
    """
    visible = (
        sign
        for sign in text
        if sign.isspace()
        or (unicodedata.category(sign) not in _REMOVED and sign != BYTE_ORDER_MARK)
    )
    return " ".join("".join(visible).split())


def printable_text(text: AlignedText) -> AlignedText:
    """Return a text whose words, phones and names are printable; no word is dropped.

    A word without a printable character has the text U+FFFD, so that its times are kept and no
    field of a file is empty.
    """
    return replace(
        text,
        language=printable(text.language),
        model=printable(text.model),
        lines=tuple(
            AlignedLine(tuple(_printable_word(word) for word in line.words)) for line in text.lines
        ),
    )


def _printable_word(word: AlignedWord) -> AlignedWord:
    return replace(
        word,
        text=printable(word.text) or UNPRINTABLE,
        spoken=printable(word.spoken),
        phones=tuple(
            replace(phone, symbol=printable(phone.symbol) or UNPRINTABLE) for phone in word.phones
        ),
    )


def fullwidth_table(signs: str) -> dict[int, str]:
    r"""Return a table for `str.translate` that replaces signs of ASCII with their wide forms.

    Formats without an escape would read the signs as markup. NFKC restores them.

    >>> r"{\k9}".translate(fullwidth_table("{}\\"))
    '｛＼k9｝'
    """
    return {ord(sign): chr(ord(sign) + _FULLWIDTH) for sign in signs}
