"""One spelling for each word: the canonical text that is spoken of, split by and scored.

    Rođen je 12. 5. 1995. (smijeh), 5 km od dr. Anića.
    rođen je dvanaestog maja hiljadu devetsto devedeset pete pet kilometara od doktor anića

A text goes through rules in a fixed order; each rule carries its before and after, see `RULES`.
Cyrillic becomes Latin, never the other way: Latin lj can be љ or лј, Cyrillic is exact.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from fonoteka.core.errors import UserError
from fonoteka.g2p.g2p import phones_of as phones_of  # given on: both go together
from fonoteka.phones import LANGUAGES, LETTERS, SOUTH_SLAVIC
from fonoteka.text.abbreviations import ABBREVIATIONS, LAST, SIGNS, undotted
from fonoteka.text.cleaning import EVERYWHERE, SOUTH_SLAVIC_ONLY
from fonoteka.text.dates import DATES
from fonoteka.text.english.rules import ABBREVIATED, ENGLISH
from fonoteka.text.marks import without_common_marks, without_marks
from fonoteka.text.number_rules import BEFORE_UNITS, NUMBERS
from fonoteka.text.roman import ROMAN
from fonoteka.text.rule import Rule, SpellingError, apply
from fonoteka.text.suffixes import CLASSES
from fonoteka.text.transliteration import to_latin
from fonoteka.text.units import AMOUNTS

_SPOKEN: Mapping[str, tuple[Rule, ...]] = {
    "en": ENGLISH,
    **dict.fromkeys(
        SOUTH_SLAVIC,
        (*ABBREVIATIONS, *DATES, CLASSES, *ROMAN, *BEFORE_UNITS, *AMOUNTS, *NUMBERS),
    ),
}
_CLEANED: Mapping[str, tuple[Rule, ...]] = {
    "en": EVERYWHERE,
    **dict.fromkeys(SOUTH_SLAVIC, (*EVERYWHERE, *SOUTH_SLAVIC_ONLY)),
}
_FINISHED: Mapping[str, tuple[Rule, ...]] = {"en": (), **dict.fromkeys(SOUTH_SLAVIC, SIGNS)}
RULES: Mapping[str, tuple[Rule, ...]] = {
    language: (*_CLEANED[language], *_SPOKEN[language], *_FINISHED[language])
    for language in LANGUAGES
}
"""The rules of each language in the order in which they are applied."""

_SOUTH_SLAVIC_LETTERS = frozenset("".join(LETTERS))
_SOUTH_SLAVIC_TEXT = _SOUTH_SLAVIC_LETTERS | {" "}
_ENGLISH_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz'")
_ALPHABETS = {"en": _ENGLISH_LETTERS, **dict.fromkeys(SOUTH_SLAVIC, _SOUTH_SLAVIC_LETTERS)}
# Sentences of plain words need no rule: two capitals in a row may be a numeral or an acronym, a
# full stop may belong to an abbreviation.
_CAPITAL, _SMALL = "[A-ZČĆĐŠŽ]", "[a-zčćđšž]"
_PLAIN = re.compile(
    rf"(?:[AIOUKS] )?(?:[„\"]?{_CAPITAL}?{_SMALL}+[“”\"]?[,;:!?]?(?: - | ))*"
    rf"[„\"]?(?!(?i:{LAST})\.){_CAPITAL}?{_SMALL}+[.!?]?[“”\"]?"
)
_CYRILLIC_WORD = "[А-ШЂЈЉЊЋЏ]?[а-шђјљњћџ]+"
_PLAIN_CYRILLIC = re.compile(
    rf"(?:[АИОУКС] )?(?:[„\"]?{_CYRILLIC_WORD}[“”\"]?[,;:!?]?(?: - | ))*"
    rf"[„\"]?(?:{_CYRILLIC_WORD}[!?]?|{_CYRILLIC_WORD}[а-шђјљњћџ]{{4}}\.)[“”\"]?"
)
_PLAIN_ENGLISH = re.compile(
    rf"(?:[AI] )?(?:[A-Z]?[a-z][a-z']*[,;:!?]?(?: - | ))*(?!(?i:{ABBREVIATED})\.)"
    r"[A-Z]?[a-z][a-z']*[.!?]?"
)
_CURLY = re.compile("[„“”]")
_WORD_AT_END = re.compile(rf"(?<![^\W_])(?!(?i:{LAST})\.)[^\W\d_]+\.$")
# Between sentences nothing agrees with anything; a full stop of an abbreviation ends none.
_DOTTED = (*LAST.split("|"), "mil", "mlrd", "mio", "mrd")
_NO_END = "".join(
    f"(?<!(?i:{'|'.join(name for name in _DOTTED if len(name) == width)})\\.)"
    for width in sorted({len(name) for name in _DOTTED} - {1, 2})
)
_SENTENCE_END = re.compile(rf"(?<=[^\W\d_A-Z]{{3}}[.!?]){_NO_END}\s+(?=[A-ZČĆĐŠŽ])")
_LONG = 300  # characters; a longer text is taken sentence by sentence, as most need few rules


@dataclass(frozen=True)
class Normalized:
    """A canonical text and what was done to get it.

    Attributes:
        text: canonical, see `normalize`.
        rules: for each rule that changed something, how often.
        language: by whose rules.
    """

    text: str
    rules: Mapping[str, int]
    language: str


def normalize(text: str, language: str) -> str:
    """Return canonical text: NFC, Latin, lower case, words parted by one space, no punctuation.

    Numbers, dates, times, units and common abbreviations are in words; annotations in brackets are
    gone. What is canonical stays as it is.

    Raises:
        ValueError: the language is unknown, a character is outside the language's alphabet, no
            rule has read a sign that has a meaning or the whole of a numeral, a word mixes two
            scripts beyond mending, a Roman numeral could be said in several ways, or no word is
            left. The message says which; see `SpellingError` for its class.

    >>> normalize("Ђорђе, ЏУГАЊ!", "sr")
    'đorđe džuganj'
    >>> normalize("It's  nine o’clock.", "en")
    "it's nine o'clock"
    >>> normalize("5 km od br. 12", "hr")
    'pet kilometara od broj dvanaest'
    """
    return explain(text, language).text


def explain(text: str, language: str) -> Normalized:
    """Return canonical text with the rules that made it.

    Raises:
        ValueError: as `normalize`.

    >>> explain("dva [smeh] i 3", "sr")
    Normalized(text='dva i tri', rules={'annotations': 1, 'numbers': 1}, language='sr')
    """
    if language not in LANGUAGES:
        raise UserError(f"language {language!r} is unknown; expected one of {list(LANGUAGES)}")
    fired: Counter[str] = Counter()
    spoken = _spoken(text, language, fired)
    canonical = _canonical(spoken, language)
    if language != "en":
        canonical, times = undotted(canonical)
        if times:
            fired["abbreviations"] += times
    return Normalized(canonical, dict(fired), language)


def _spoken(text: str, language: str, fired: Counter[str]) -> str:
    """Return a text after the language's rules, with capitals and punctuation."""
    if language == "en":
        if "ii" not in text and _PLAIN_ENGLISH.fullmatch(text):  # ii may be a numeral
            return text
    else:
        plain = _PLAIN.fullmatch(text) is not None
        if plain or _PLAIN_CYRILLIC.fullmatch(text):
            if curly := len(_CURLY.findall(text)):
                fired["quotes"] += curly
            if not plain:
                fired["cyrillic"] += 1
            return text if plain else to_latin(text)
    clean = apply(_CLEANED[language], text, language, fired, frozenset(text))
    sentences = _SENTENCE_END.split(clean) if len(clean) > _LONG else [clean]
    said = [
        apply(_SPOKEN[language], part, language, fired, _telling(part, language))
        for part in sentences
    ]
    spoken = " ".join(said)
    return apply(_FINISHED[language], spoken, language, fired, frozenset(spoken))


def _telling(sentence: str, language: str) -> frozenset[str]:
    """Return the characters by which rules are chosen: not the full stop that only ends it."""
    if (
        language != "en"
        and sentence[-1:] == "."
        and _WORD_AT_END.search(sentence, len(sentence) - 20)
    ):
        return frozenset(sentence[:-1])
    return frozenset(sentence)


def _canonical(spoken: str, language: str) -> str:
    """Return words in small letters with one space between, or say what is in the way."""
    if language != "en":  # most texts hold nothing but letters, spaces and a few marks
        clean = without_common_marks(spoken.lower())
        if _SOUTH_SLAVIC_TEXT.issuperset(clean) and (found := clean.split()):
            return " ".join(found)
    clean = without_marks(spoken.lower(), keep="'" if language == "en" else "")
    words = [word.strip("'") for word in clean.split()]
    strange = sorted(set("".join(words)) - _ALPHABETS[language])
    if strange:
        shown = " ".join(f"{c!r} (U+{ord(c):04X})" for c in strange[:5])
        raise SpellingError("character", f"outside the {language} alphabet: {shown}")
    if not any(words):
        raise SpellingError("no word", "no word in the text")
    return " ".join(word for word in words if word)
