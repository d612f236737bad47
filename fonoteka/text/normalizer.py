"""Canonical text: one spelling per word, as phones, splits and scores need it.

    Rođen je 12. 5. 1995. (smijeh), 5 km od dr. Anića.
    rođen je dvanaestog maja hiljadu devetsto devedeset pete pet kilometara od doktor anića

Rules are applied in a fixed order; each rule carries examples that are its test, see `RULES`.
Cyrillic becomes Latin, never the reverse: Latin lj is either љ or лј, Cyrillic is unambiguous.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from fonoteka.core.errors import UserError
from fonoteka.g2p.g2p import phones_of as phones_of  # re-exported: callers need both
from fonoteka.phones import LANGUAGES, LETTERS, SOUTH_SLAVIC
from fonoteka.text.abbreviations import ABBREVIATIONS, FINAL_ABBREVIATIONS, SIGNS, expand_undotted
from fonoteka.text.cleaning import COMMON_CLEANING, SOUTH_SLAVIC_CLEANING
from fonoteka.text.dates import DATES
from fonoteka.text.english.rules import ABBREVIATED, ENGLISH
from fonoteka.text.marks import strip_common_punctuation, strip_punctuation
from fonoteka.text.number_rules import BEFORE_UNITS, NUMBERS
from fonoteka.text.roman import ROMAN
from fonoteka.text.rule import Rule, SpellingError, apply
from fonoteka.text.suffixes import SCHOOL_CLASSES
from fonoteka.text.transliteration import to_latin
from fonoteka.text.units import AMOUNTS

_VERBALIZING: Mapping[str, tuple[Rule, ...]] = {
    "en": ENGLISH,
    **dict.fromkeys(
        SOUTH_SLAVIC,
        (*ABBREVIATIONS, *DATES, SCHOOL_CLASSES, *ROMAN, *BEFORE_UNITS, *AMOUNTS, *NUMBERS),
    ),
}
_CLEANING: Mapping[str, tuple[Rule, ...]] = {
    "en": COMMON_CLEANING,
    **dict.fromkeys(SOUTH_SLAVIC, (*COMMON_CLEANING, *SOUTH_SLAVIC_CLEANING)),
}
_FINISHING: Mapping[str, tuple[Rule, ...]] = {"en": (), **dict.fromkeys(SOUTH_SLAVIC, SIGNS)}
RULES: Mapping[str, tuple[Rule, ...]] = {
    language: (*_CLEANING[language], *_VERBALIZING[language], *_FINISHING[language])
    for language in LANGUAGES
}
"""The rules of each language in the order in which they are applied."""

_SOUTH_SLAVIC_LETTERS = frozenset("".join(LETTERS))
_SOUTH_SLAVIC_TEXT = _SOUTH_SLAVIC_LETTERS | {" "}
_ENGLISH_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz'")
_ALPHABETS = {"en": _ENGLISH_LETTERS, **dict.fromkeys(SOUTH_SLAVIC, _SOUTH_SLAVIC_LETTERS)}
# Sentences of plain words skip all rules. Not plain are two capitals in a row, which may be a
# numeral or an acronym, and a full stop that may belong to an abbreviation.
_CAPITAL, _SMALL = "[A-ZČĆĐŠŽ]", "[a-zčćđšž]"
_PLAIN = re.compile(
    rf"(?:[AIOUKS] )?(?:[„\"]?{_CAPITAL}?{_SMALL}+[“”\"]?[,;:!?]?(?: - | ))*"
    rf"[„\"]?(?!(?i:{FINAL_ABBREVIATIONS})\.){_CAPITAL}?{_SMALL}+[.!?]?[“”\"]?"
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
_WORD_AT_END = re.compile(rf"(?<![^\W_])(?!(?i:{FINAL_ABBREVIATIONS})\.)[^\W\d_]+\.$")
# No word agrees with one of another sentence. The full stop of an abbreviation ends no sentence.
_DOTTED = (*FINAL_ABBREVIATIONS.split("|"), "mil", "mlrd", "mio", "mrd")
_NOT_AFTER_ABBREVIATION = "".join(
    f"(?<!(?i:{'|'.join(name for name in _DOTTED if len(name) == width)})\\.)"
    for width in sorted({len(name) for name in _DOTTED} - {1, 2})
)
_SENTENCE_END = re.compile(rf"(?<=[^\W\d_A-Z]{{3}}[.!?]){_NOT_AFTER_ABBREVIATION}\s+(?=[A-ZČĆĐŠŽ])")
_SPLIT_ABOVE = 300  # characters; most sentences of a longer text need few rules


@dataclass(frozen=True)
class Normalized:
    """A canonical text and the rules that changed it.

    Attributes:
        text: canonical, see `normalize`.
        rules: the number of changes per rule, for rules that changed something.
        language: whose rules were applied.
    """

    text: str
    rules: Mapping[str, int]
    language: str


def normalize(text: str, language: str) -> str:
    """Return canonical text: NFC, Latin, lower case, words separated by one space, no punctuation.

    Numbers, dates, times, units and common abbreviations are written as words; annotations in
    brackets are removed. Canonical text is returned unchanged.

    Raises:
        SpellingError: a character is outside the language's alphabet, no rule reads a meaningful
            sign or a whole numeral, a word mixes two scripts and cannot be repaired, a Roman
            numeral has several readings, or no word is left. `reason` is the class, the message
            names the characters.
        UserError: the language is unknown. Both are a `ValueError`.

    >>> normalize("Ђорђе, ЏУГАЊ!", "sr")
    'đorđe džuganj'
    >>> normalize("It's  nine o’clock.", "en")
    "it's nine o'clock"
    >>> normalize("5 km od br. 12", "hr")
    'pet kilometara od broj dvanaest'
    """
    return explain(text, language).text


def explain(text: str, language: str) -> Normalized:
    """Return canonical text with the rules that changed it.

    Raises:
        ValueError: as `normalize`.

    >>> explain("dva [smeh] i 3", "sr")
    Normalized(text='dva i tri', rules={'annotations': 1, 'numbers': 1}, language='sr')
    """
    if language not in LANGUAGES:
        raise UserError(f"language {language!r} is unknown; expected one of {list(LANGUAGES)}")
    fired: Counter[str] = Counter()
    spoken = _verbalized(text, language, fired)
    canonical = _canonical(spoken, language)
    if language != "en":
        canonical, count = expand_undotted(canonical)
        if count:
            fired["abbreviations"] += count
    return Normalized(canonical, dict(fired), language)


def _verbalized(text: str, language: str, fired: Counter[str]) -> str:
    """Return a text in words after the language's rules, still with capitals and punctuation."""
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
    clean = apply(_CLEANING[language], text, language, fired, frozenset(text))
    sentences = _SENTENCE_END.split(clean) if len(clean) > _SPLIT_ABOVE else [clean]
    verbalized = [
        apply(_VERBALIZING[language], part, language, fired, _trigger_characters(part, language))
        for part in sentences
    ]
    spoken = " ".join(verbalized)
    return apply(_FINISHING[language], spoken, language, fired, frozenset(spoken))


def _trigger_characters(sentence: str, language: str) -> frozenset[str]:
    """Return the characters that select rules, without a full stop that only ends the sentence."""
    if (
        language != "en"
        and sentence[-1:] == "."
        and _WORD_AT_END.search(sentence, len(sentence) - 20)
    ):
        return frozenset(sentence[:-1])
    return frozenset(sentence)


def _canonical(spoken: str, language: str) -> str:
    """Return words in lower case separated by one space.

    Raises:
        SpellingError: a character is outside the alphabet, or there is no word.
    """
    if language != "en":  # most texts contain only letters, spaces and a few marks
        clean = strip_common_punctuation(spoken.lower())
        if _SOUTH_SLAVIC_TEXT.issuperset(clean) and (words := clean.split()):
            return " ".join(words)
    clean = strip_punctuation(spoken.lower(), keep="'" if language == "en" else "")
    words = [word.strip("'") for word in clean.split()]
    unknown = sorted(set("".join(words)) - _ALPHABETS[language])
    if unknown:
        characters = " ".join(f"{c!r} (U+{ord(c):04X})" for c in unknown[:5])
        raise SpellingError("character", f"outside the {language} alphabet: {characters}")
    if not any(words):
        raise SpellingError("no word", "no word in the text")
    return " ".join(word for word in words if word)
