"""Serbian Cyrillic to Latin, and letters that only look like those of their word.

Cyrillic becomes Latin, never the other way: Latin lj can be љ or лј, Cyrillic is exact. Letters of
other alphabets are kept, so that they are noticed. By the same rules names are compared.
"""

from __future__ import annotations

import re
import unicodedata

_LOWER = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "ђ": "đ", "е": "e", "ж": "ž", "з": "z",
    "и": "i", "ј": "j", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r",
    "с": "s", "т": "t", "ћ": "ć", "у": "u", "ф": "f", "х": "h", "ц": "c", "ч": "č", "ш": "š",
    "љ": "lj", "њ": "nj", "џ": "dž",
}  # fmt: skip
_PAIRS = {"Љ": "LJ", "Њ": "NJ", "Џ": "DŽ"}
CYRILLIC = frozenset("".join(_LOWER).upper()) | frozenset(_LOWER)
LATIN = frozenset("abcčćdđefghijklmnoprsštuvzžqwxyABCČĆDĐEFGHIJKLMNOPRSŠTUVZŽQWXY")
_TO_LATIN = str.maketrans(
    _LOWER | {c.upper(): latin.upper() for c, latin in _LOWER.items() if len(latin) == 1}
)
_CAPITAL_PAIR = re.compile("[ЉЊЏ]")

_A_LATIN, _A_CYRILLIC = "[A-Za-zČčĆćĐđŠšŽž]", "[Ѐ-ӿ]"
_LATIN_LETTER, _CYRILLIC_LETTER = re.compile(_A_LATIN), re.compile(_A_CYRILLIC)
_WORD = re.compile(r"[^\W\d_]+")
# Letters that look alike. Of the first row both sound the same, so that a mix-up does no harm.
_ALIKE = dict(zip("aejokmtAEJOKMTpcxyBHPCXY", "аејокмтАЕЈОКМТрсхуВНРСХУ", strict=True))
_TO_CYRILLIC_ALIKE = str.maketrans(_ALIKE)
# No word of the three languages has y or x; a capital Х is one in numerals: ХIХ.
_TO_LATIN_ALIKE = str.maketrans(
    {cyrillic: latin for latin, cyrillic in _ALIKE.items() if cyrillic not in "ухУ"}
)
_TREACHEROUS = frozenset("pcBHPCрсВНРС")  # a letter of both alphabets, with another sound in each
# One sign for two letters, as some fonts and keyboards have it: U+01C4 to U+01CC.
_ONE_SIGN = str.maketrans(
    {"Ǆ": "DŽ", "ǅ": "Dž", "ǆ": "dž", "Ǉ": "LJ", "ǈ": "Lj", "ǉ": "lj", "Ǌ": "NJ", "ǋ": "Nj",
     "ǌ": "nj"}
)  # fmt: skip
_DIGRAPHS = {"lj": "љ", "nj": "њ", "dž": "џ", "Lj": "Љ", "Nj": "Њ", "Dž": "Џ"}


_TOUCHING = re.compile(f"{_A_LATIN}{_A_CYRILLIC}|{_A_CYRILLIC}{_A_LATIN}")
_STRAY = re.compile(r"(?<![^\W\d_])(?:[acejo]?[pcxy]|[pcxy][acejo])(?![^\W\d_])")


def to_latin(text: str) -> str:
    """Return text with Serbian Cyrillic letters in Latin; everything else stays.

    A capital Љ, Њ or Џ is two capitals where a neighbour is one, else a capital and a small letter.

    >>> to_latin("ЏУГАЊ и Џугањ, Љ. Њ. QUEEN ы")
    'DŽUGANJ i Džuganj, Lj. Nj. QUEEN ы'
    """
    return _CAPITAL_PAIR.sub(_capitals, text).translate(_TO_LATIN)


def name_key(name: str) -> str:
    """Return what all spellings of a name share: two names are one if and only if their keys are.

    Case, spaces at the ends and in a row, composition of accents, signs without a width, Serbian
    Cyrillic or Latin, and letters of one script in a word of the other make no difference. `đ` and
    `dj` do: nothing tells which name is meant by Nadja. A name is compared piece by piece between
    its slashes, as `corpus/name`.

    >>> name_key("fsdd/ Ana  Љиља") == name_key("FSDD/ana LJILJA ") == "fsdd/ana ljilja"
    True
    >>> name_key("Đura") == name_key("Djura")
    False
    """
    seen = "".join(sign for sign in name if unicodedata.category(sign) != "Cf")
    composed = unicodedata.normalize("NFC", seen).translate(_ONE_SIGN)
    # Look-alikes before case: В looks like B, and в like nothing in Latin.
    pieces = (to_latin(mend_homoglyphs(piece)[0]).casefold() for piece in composed.split("/"))
    return "/".join(" ".join(unicodedata.normalize("NFC", piece).split()) for piece in pieces)


def has_cyrillic(text: str) -> bool:
    """Tell whether a letter of any Cyrillic alphabet is in a text."""
    return _CYRILLIC_LETTER.search(text) is not None


def mend_homoglyphs(text: str) -> tuple[str, int, tuple[str, ...]]:
    """Return text whose words are each of one script, how many were mended, and which couldn't be.

    A word of both scripts takes the one in which all its letters have a shape; where both do, the
    one of the other words. Where neither does, it stays if no letter in it sounds otherwise in the
    other script, for then it is read in one way only. A small word of one or two look-alikes in a
    Cyrillic text (`ce`, `y`) is Cyrillic.

    >>> mend_homoglyphs("дoбaр дaн, kućа, ceло ljубави")
    ('добар дан, kuća, село љубави', 5, ())
    >>> mend_homoglyphs("Он ce смеје")[0] == "Он се смеје"
    True
    """
    if not (has_cyrillic(text) and (_TOUCHING.search(text) or _STRAY.search(text))):
        return text, 0, ()
    cyrillic, latin = _weights(text)
    mended, failed = 0, []

    def mend(match: re.Match[str]) -> str:
        nonlocal mended
        word = match[0]
        new = _mended(word, cyrillic, latin)
        if new is None:
            failed.append(word)
            return word
        mended += new != word
        return new

    return _WORD.sub(mend, text), mended, tuple(failed)


def _weights(text: str) -> tuple[int, int]:
    """Return how many letters stand in words of Cyrillic alone and of Latin alone, strays apart."""
    cyrillic = latin = 0
    for word in _WORD.findall(text):
        if _may_stray(word):
            continue
        in_cyrillic, in_latin = has_cyrillic(word), _LATIN_LETTER.search(word) is not None
        cyrillic += len(word) * (in_cyrillic and not in_latin)
        latin += len(word) * (in_latin and not in_cyrillic)
    return cyrillic, latin


def _mended(word: str, cyrillic: int, latin: int) -> str | None:
    """Return a word in one script, itself where it is or does no harm, None where nobody knows."""
    if not has_cyrillic(word):
        stray = _may_stray(word) and cyrillic > 2 * latin
        return word.translate(_TO_CYRILLIC_ALIKE) if stray else word
    if not _LATIN_LETTER.search(word):
        return word
    as_cyrillic = re.sub("lj|nj|dž|Lj|Nj|Dž", lambda pair: _DIGRAPHS[pair[0]], word)
    as_cyrillic = as_cyrillic.translate(_TO_CYRILLIC_ALIKE)
    as_latin = word.translate(_TO_LATIN_ALIKE)
    whole_cyrillic = not _LATIN_LETTER.search(as_cyrillic)
    whole_latin = not has_cyrillic(as_latin)
    if whole_cyrillic and whole_latin:
        if cyrillic == latin:
            return word if _TREACHEROUS.isdisjoint(word) else None
        return as_cyrillic if cyrillic > latin else as_latin
    if whole_cyrillic or whole_latin:
        return as_cyrillic if whole_cyrillic else as_latin
    return word if _TREACHEROUS.isdisjoint(word) else None


def _may_stray(word: str) -> bool:
    """Tell a word that may be Cyrillic though its letters are Latin: ce, c, y; je does no harm."""
    return _STRAY.fullmatch(word) is not None


def _capitals(match: re.Match[str]) -> str:
    text, at = match.string, match.start()
    following, before = text[at + 1 : at + 2], text[at - 1 : at] if at else ""
    neighbour = following if following.isalpha() else before
    pair = _PAIRS[match[0]]
    return pair if neighbour.isalpha() and neighbour.isupper() else pair[0] + pair[1].lower()
