"""Transliteration of Serbian Cyrillic to Latin, and repair of homoglyphs.

Cyrillic becomes Latin; the reverse needs a list of words, see `to_cyrillic`, because Latin lj is
either љ or лј.
Letters of other alphabets are kept, so that later checks find them. Names are compared with the
same rules.
"""

from __future__ import annotations

import re
import unicodedata

LATIN_OF = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "ђ": "đ", "е": "e", "ж": "ž", "з": "z",
    "и": "i", "ј": "j", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r",
    "с": "s", "т": "t", "ћ": "ć", "у": "u", "ф": "f", "х": "h", "ц": "c", "ч": "č", "ш": "š",
    "љ": "lj", "њ": "nj", "џ": "dž",
}  # fmt: skip
_PAIRS = {"Љ": "LJ", "Њ": "NJ", "Џ": "DŽ"}
CYRILLIC = frozenset("".join(LATIN_OF).upper()) | frozenset(LATIN_OF)
LATIN = frozenset("abcčćdđefghijklmnoprsštuvzžqwxyABCČĆDĐEFGHIJKLMNOPRSŠTUVZŽQWXY")
_TO_LATIN = str.maketrans(
    LATIN_OF | {c.upper(): latin.upper() for c, latin in LATIN_OF.items() if len(latin) == 1}
)
_CAPITAL_PAIR = re.compile("[ЉЊЏ]")

_A_LATIN, _A_CYRILLIC = "[A-Za-zČčĆćĐđŠšŽž]", "[Ѐ-ӿ]"
_LATIN_LETTER, _CYRILLIC_LETTER = re.compile(_A_LATIN), re.compile(_A_CYRILLIC)
_WORD = re.compile(r"[^\W\d_]+")
# Letters that look alike. aejokmt have the same sound in both scripts, so mixing them is harmless.
_HOMOGLYPHS = dict(zip("aejokmtAEJOKMTpcxyBHPCXY", "аејокмтАЕЈОКМТрсхуВНРСХУ", strict=True))
_TO_CYRILLIC_ALIKE = str.maketrans(_HOMOGLYPHS)
# No word of the three languages has y or x; capital Х occurs in Roman numerals: ХIХ.
_TO_LATIN_ALIKE = str.maketrans(
    {cyrillic: latin for latin, cyrillic in _HOMOGLYPHS.items() if cyrillic not in "ухУ"}
)
_AMBIGUOUS_LETTERS = frozenset("pcBHPCрсВНРС")  # one sound in each alphabet
# Digraphs as one character, as some fonts and keyboards produce them: U+01C4 to U+01CC.
ONE_SIGN = str.maketrans(
    {"Ǆ": "DŽ", "ǅ": "Dž", "ǆ": "dž", "Ǉ": "LJ", "ǈ": "Lj", "ǉ": "lj", "Ǌ": "NJ", "ǋ": "Nj",
     "ǌ": "nj"}
)  # fmt: skip
_DIGRAPHS = {"lj": "љ", "nj": "њ", "dž": "џ", "Lj": "Љ", "Nj": "Њ", "Dž": "Џ"}


_TOUCHING = re.compile(f"{_A_LATIN}{_A_CYRILLIC}|{_A_CYRILLIC}{_A_LATIN}")
_STRAY = re.compile(r"(?<![^\W\d_])(?:[acejo]?[pcxy]|[pcxy][acejo])(?![^\W\d_])")


def to_latin(text: str) -> str:
    """Return text with Serbian Cyrillic letters in Latin; other characters are kept.

    A capital Љ, Њ or Џ becomes two capitals next to a capital, else a capital and a small letter.

    >>> to_latin("ЏУГАЊ и Џугањ, Љ. Њ. QUEEN ы")
    'DŽUGANJ i Džuganj, Lj. Nj. QUEEN ы'
    """
    return _CAPITAL_PAIR.sub(_capitals, text).translate(_TO_LATIN)


def name_key(name: str) -> str:
    """Return the comparison key of a name: two names are the same if and only if their keys are.

    The key ignores case, leading, trailing and repeated spaces, composition of accents, zero-width
    characters, the script (Serbian Cyrillic or Latin) and homoglyphs. `đ` and `dj` differ, because
    Nadja may be either name. The parts between slashes, as in `corpus/name`, are compared
    separately.

    >>> name_key("fsdd/ Ana  Љиља") == name_key("FSDD/ana LJILJA ") == "fsdd/ana ljilja"
    True
    >>> name_key("Đura") == name_key("Djura")
    False
    """
    visible = "".join(sign for sign in name if unicodedata.category(sign) != "Cf")
    composed = unicodedata.normalize("NFC", visible).translate(ONE_SIGN)
    # Homoglyphs before case: В looks like B, but в looks like no Latin letter.
    pieces = (to_latin(repair_homoglyphs(piece)[0]).casefold() for piece in composed.split("/"))
    return "/".join(" ".join(unicodedata.normalize("NFC", piece).split()) for piece in pieces)


def has_cyrillic(text: str) -> bool:
    """Return whether a text contains a letter of any Cyrillic alphabet."""
    return _CYRILLIC_LETTER.search(text) is not None


def repair_homoglyphs(text: str) -> tuple[str, int, tuple[str, ...]]:
    """Return text with one script per word, the number of repaired words, and the unrepaired ones.

    A word with letters of both scripts takes the script that has a shape for all its letters; if
    both have, the script of the other words. If neither has, the word is kept provided that none of
    its letters has another sound in the other script, because then it has one reading only. A word
    of one or two homoglyphs in a Cyrillic text (`ce`, `y`) is Cyrillic.

    >>> repair_homoglyphs("дoбaр дaн, kućа, ceло ljубави")
    ('добар дан, kuća, село љубави', 5, ())
    >>> repair_homoglyphs("Он ce смеје")[0] == "Он се смеје"
    True
    """
    if not (has_cyrillic(text) and (_TOUCHING.search(text) or _STRAY.search(text))):
        return text, 0, ()
    # The script of the other words decides words that fit both scripts.
    cyrillic, latin = _weights(text)
    repaired, failed = 0, []

    def replace_word(match: re.Match[str]) -> str:
        nonlocal repaired
        word = match[0]
        new = _in_one_script(word, cyrillic, latin)
        if new is None:
            failed.append(word)
            return word
        repaired += new != word
        return new

    return _WORD.sub(replace_word, text), repaired, tuple(failed)


def _weights(text: str) -> tuple[int, int]:
    """Return the number of letters in purely Cyrillic and in purely Latin words, without strays."""
    cyrillic = latin = 0
    for word in _WORD.findall(text):
        if _may_be_cyrillic(word):
            continue
        in_cyrillic, in_latin = has_cyrillic(word), _LATIN_LETTER.search(word) is not None
        cyrillic += len(word) * (in_cyrillic and not in_latin)
        latin += len(word) * (in_latin and not in_cyrillic)
    return cyrillic, latin


def _in_one_script(word: str, cyrillic: int, latin: int) -> str | None:
    """Return a word in one script, unchanged if harmless, or None if the script is unclear."""
    if not has_cyrillic(word):
        stray = _may_be_cyrillic(word) and cyrillic > 2 * latin
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
            return word if _AMBIGUOUS_LETTERS.isdisjoint(word) else None
        return as_cyrillic if cyrillic > latin else as_latin
    if whole_cyrillic or whole_latin:
        return as_cyrillic if whole_cyrillic else as_latin
    return word if _AMBIGUOUS_LETTERS.isdisjoint(word) else None


def _may_be_cyrillic(word: str) -> bool:
    """Return whether a word of Latin letters may be Cyrillic: ce, c, y; je is harmless."""
    return _STRAY.fullmatch(word) is not None


def _capitals(match: re.Match[str]) -> str:
    text, start = match.string, match.start()
    following, before = text[start + 1 : start + 2], text[start - 1 : start] if start else ""
    neighbour = following if following.isalpha() else before
    pair = _PAIRS[match[0]]
    return pair if neighbour.isalpha() and neighbour.isupper() else pair[0] + pair[1].lower()
