"""Canonical text of a described language: words in small letters of its alphabet.

The rules are fewer than those of `fonoteka.text`: whole numbers up to 999999, abbreviations, signs
and a second script. What they cannot read is refused with a reason, and never left out.
"""

from __future__ import annotations

import re
import unicodedata

from fonoteka.core.errors import UserError
from fonoteka.languages.description import LanguageDescription
from fonoteka.languages.number_reading import LARGEST, number_words
from fonoteka.languages.pronunciation import inside, seam_positions, seams

_NUMERAL = re.compile(r"\d[\d.,:/]*\d|\d")


class UnreadableError(UserError):
    """A text that the description cannot read.

    Attributes:
        reason: `character`, `number` or `no word`, as reports count it.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def canonical(text: str, description: LanguageDescription) -> str:
    """Return canonical text; canonical text is returned unchanged.

    Raises:
        UnreadableError: a character is outside the alphabet, a number is not a whole one up to
            999999, or the text has no word.

    >>> from fonoteka.languages.description import described
    >>> canonical("Imam 21 let, g. Novak!", described("sl"))
    'imam enaindvajset let gospod novak'
    """
    spoken = unicodedata.normalize("NFC", text).lower()
    for short, words in description.abbreviations.items():
        spoken = re.sub(rf"(?<!\w){re.escape(short)}(?!\w)", f" {words} ", spoken)
    spoken = _NUMERAL.sub(lambda match: _numeral(match, description), spoken)
    for sign, words in description.signs.items():
        spoken = spoken.replace(sign, f" {words} ")
    tokens = [transliterated(word, description) for word in _without_marks(spoken).split()]
    unknown = sorted(set("".join(tokens)) - set(description.alphabet))
    if unknown:
        shown = " ".join(f"{c!r} (U+{ord(c):04X})" for c in unknown[:5])
        raise UnreadableError("character", f"outside the alphabet of {description.code}: {shown}")
    if not tokens:
        raise UnreadableError("no word", f"no word in {text!r}")
    return " ".join(tokens)


def transliterated(word: str, description: LanguageDescription) -> str:
    """Return a word in the alphabet if it is written in the other script; else the word itself.

    >>> from fonoteka.languages.description import described
    >>> transliterated("ljubov", described("mk")), transliterated("iljada", described("mk"))
    ('љубов', 'илјада')
    """
    table = description.transliteration
    if not table or set(word) <= set(description.alphabet):
        return word
    split = seam_positions(word, seams(description))
    longest = max(map(len, table))
    letters: list[str] = []
    index = 0
    while index < len(word):
        # One letter always fits: a character that the table lacks is reported by the caller.
        length = next(
            (
                length
                for length in range(longest, 1, -1)
                if word[index : index + length] in table
                and not inside(split, index, index + length)
            ),
            1,
        )
        part = word[index : index + length]
        letters.append(table.get(part, part))
        index += length
    return "".join(letters)


def _numeral(match: re.Match[str], description: LanguageDescription) -> str:
    digits = match[0]
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    if not digits.isdecimal() or int(digits) > LARGEST or before.isalpha() or after.isalpha():
        raise UnreadableError(
            "number", f"{before}{digits}{after}: not a whole number up to {LARGEST}; write words"
        )
    if digits[0] == "0" and len(digits) > 1:  # 007 is read digit by digit
        return " ".join(description.numbers.units[int(digit)] for digit in digits)
    return number_words(int(digits), description.numbers)


def _without_marks(text: str) -> str:
    """Return a text with spaces in place of punctuation; an apostrophe between letters is dropped.

    A combining mark that has no composed letter, such as a stress mark, is dropped too.
    """
    retained = []
    for character in text:
        category = unicodedata.category(character)
        if character in "'’" or category == "Mn":
            continue
        retained.append(" " if category[0] in "PZ" else character)
    return "".join(retained)
