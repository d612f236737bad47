"""Transliteration of Serbian Latin to Cyrillic, with the words in which a digraph is two letters.

Latin is ambiguous: nj is њ in konj and нј in injekcija. The exceptions are listed here, so a rare
word or a name that is not listed gets the wrong letter. `to_latin` restores the Latin text from
either. Foreign words and Roman numerals stay Latin.
"""

from __future__ import annotations

import re
import unicodedata

from fonoteka.text.transliteration import LATIN, LATIN_OF, ONE_SIGN

_FOREIGN = frozenset("qwxyQWXY")
_OWN = LATIN - _FOREIGN
_DIGRAPH = re.compile("lj|nj|dž", re.IGNORECASE)
_LETTERS = {latin: cyrillic for cyrillic, latin in LATIN_OF.items()}
# A word, with the digits that touch it: mp3 and 5G are names.
_WORD = re.compile(r"[^\W_]+")
_ROMAN = re.compile("[IVX]{2,}")  # II and XIX; a single I or V is a word or a letter

# Stems in which n and j are two letters, in any place of a word: dekonjugacija, hiperinjekcija.
_STEMS_NJ = re.compile("injek[ct]|injicir|injunkt|konjug|konjunk")
# Words that begin so have n and j: anjon, but not kanjon.
_BEGINNINGS_NJ = re.compile("anjon|tanjug|vanjezi")
# Words that begin so have d and ž: the prefixes nad-, od-, pod- and pred- before ž.
_BEGINNINGS_DZ = re.compile(
    "(?:ne|naj|po|pre|za)?(?:"
    "feldžandar|nadžanj|nadždr|nadže[lot]|nadžinj|nadživ|nadžnj|nadžup|nadžubor|"
    "odžal|odžari|odžel|odživ|odžubor|odžva[kćl]|"
    "podžanr|podžar|podže[gćl]|podžig|podžiž|podžup|predžet|predživ"
    ")"
)


def to_cyrillic(text: str) -> str:
    """Return text with the words of the Serbian alphabet in Cyrillic; other characters are kept.

    A word with q, w, x, y, a letter of another alphabet or a digit stays Latin, and so does a Roman
    numeral of two letters or more in a text that has small letters.

    >>> to_cyrillic("Njegova injekcija, nadživeti DŽEP. Windows, 5G, Petar II")
    'Његова инјекција, надживети ЏЕП. Windows, 5G, Петар II'
    """
    composed = unicodedata.normalize("NFC", text).translate(ONE_SIGN)
    has_small = any(sign.islower() for sign in composed)

    def replace_word(match: re.Match[str]) -> str:
        word = match[0]
        stays = not _OWN.issuperset(word) or (has_small and _ROMAN.fullmatch(word))
        return word if stays else _cyrillic_word(word)

    return _WORD.sub(replace_word, composed)


def _cyrillic_word(word: str) -> str:
    separate = _split_places(word.lower())
    pieces, position = [], 0
    for match in _DIGRAPH.finditer(word):
        if match.start() in separate or match[0] in ("lJ", "nJ", "dŽ"):
            continue
        pieces.append(_single(word[position : match.start()]))
        letter = _LETTERS[match[0].lower()]
        pieces.append(letter.upper() if match[0][0].isupper() else letter)
        position = match.end()
    return "".join(pieces) + _single(word[position:])


def _single(letters: str) -> str:
    return "".join(
        _LETTERS[letter] if letter in _LETTERS else _LETTERS[letter.lower()].upper()
        for letter in letters
    )


def _split_places(word: str) -> frozenset[int]:
    """Return the places of digraphs that are two letters in a word of small letters."""
    places = {stem.start() + stem[0].index("nj") for stem in _STEMS_NJ.finditer(word)}
    for beginning, pair in ((_BEGINNINGS_NJ, "nj"), (_BEGINNINGS_DZ, "dž")):
        if (match := beginning.match(word)) is not None:
            places.add(match[0].rindex(pair))
    return frozenset(places)
