"""Roman numerals of Bosnian, Croatian and Serbian text as ordinals, if they are unambiguous.

They are unambiguous after a ruler's name, with whose case they agree, and next to a noun counted
with them: a century, a grade, a world war, a chapter. Any other numeral of two or more letters is
refused, because it may be read `dva`, `drugi` or `druga`, and so is I or V at the end of a clause.
A single I, V or X elsewhere may be a word or a letter and is kept; so is VI in a text of capitals,
a pronoun.
"""

from __future__ import annotations

import re

from fonoteka.text.agreement import (
    Agreement,
    ending_agreement,
    noun_agreement,
    word_after,
    word_before,
)
from fonoteka.text.numerals import Case, from_roman, ordinal
from fonoteka.text.rule import Rule, SpellingError, replacement, rule

_FEMALE_RULERS = ("elizabet", "jelizavet", "katarin", "marij", "viktorij", "izabel", "margaret")
_MALE_IN_A = (
    "nikol",
    "luk",
    "sav",
    "ilij",
    "mustaf",
    "tom",
    "andrij",
    "matij",
    "aleks",
    "jakš",
    "jov",
    "kost",
)
_RULERS = (
    "petar", "petr", "aleksand", "nikol", "franj", "josip", "karl", "milan", "pavao", "pavl",
    "ivan", "jovan", "henri", "luj", "fridrih", "vilim", "vilhelm", "filip", "leopold", "ferdinand",
    "rudolf", "benedikt", "grgur", "ludvig", "ludovik", "murat", "mehmed", "sulejman", "selim",
    "stefan", "stjepan", "uroš", "tvrtko", "tvrtk", "ladislav", "konstantin", "napoleon",
    *_FEMALE_RULERS,
)  # fmt: skip
_QUEENS = ("kraljic", "caric", "knjeginj", "kneginj", "vojvotkinj", "sultanij")
_FEMALE_CASES: dict[str, Case] = {"a": "nom", "e": "gen", "i": "loc", "u": "acc"}
_MALE_CASES: dict[str, Case] = {"a": "gen", "u": "loc"}  # Petra, Petru; Pavle and Marko are listed
_MALE_IN_A_CASES: dict[str, Case] = {
    "a": "nom",
    "e": "gen",
    "i": "loc",
    "u": "gen",
}  # animate accusative
_LARGEST = 50
_PAIR = re.compile(r"\s?(?:,|\s(?:i|ili|te|do)\s)\s?[IVXL]+(?![^\W_])\.?\s?(?P<noun>[a-zčćđšž]*)")
_AFTER_ORDINAL = re.compile(r"\d\.\s?$")
_ENDS = re.compile(r"\s*\.?\s*(?:[,;:!?)\"]|$)")
NO_WORDS = ("II", "III", "VII", "VIII", "XII", "XIII")
"""Numerals that are never a word or an acronym."""


def _roman(match: re.Match[str], language: str) -> str | None:
    """Return the ordinal of a Roman numeral after a ruler's name or next to a counted noun."""
    numeral, value = match["roman"], from_roman(match["roman"])
    if value is None or value > _LARGEST:
        return None
    word = word_after(match.string, match.end())
    before = word_before(match.string, match.start())
    agreement = _ruler_agreement(before, match)
    if agreement is None and (before or match["stop"] or numeral != "I"):
        agreement = noun_agreement(word)  # at the beginning `I dan` means `and the day`
    if agreement is None and (pair := _PAIR.match(match.string, match.end())):
        agreement = noun_agreement(pair["noun"])  # u V. i VI. razredu
        if agreement is None:
            raise _several_ways(numeral)
    if agreement is None and match["stop"] and word[:1].islower() and len(numeral) > 1:
        agreement = ending_agreement(word, before)
    if agreement is not None:
        return replacement(match, ordinal(value, language, *agreement))
    if _may_be_a_word(match, before):
        return None
    raise _several_ways(numeral)


def _several_ways(numeral: str) -> SpellingError:
    return SpellingError(
        "roman numeral", f"{numeral!r} may be said in several ways here; write it in words"
    )


def _span(match: re.Match[str], _language: str) -> str | None:
    low, high = from_roman(match["low"]), from_roman(match["high"])
    if low is None or high is None or low >= high:
        return None
    return f"{match['low']}{match['stop']} do {match['high']}"


def _may_be_a_word(match: re.Match[str], before: str) -> bool:
    """Return whether an unread numeral may be a word or a letter: i, vi, an initial."""
    numeral, text = match["roman"], match.string
    if len(numeral) > 1:
        return numeral == "VI" and text.isupper()
    if numeral not in "IV":
        return True
    if match["stop"] and word_after(text, match.end())[:1].islower():
        return False  # V. dio
    if _AFTER_ORDINAL.search(text, 0, match.start()):
        return False  # 12. V. Anić: May, or an initial
    return not before or _ENDS.match(text, match.end("roman")) is None


def _refuse_joined(match: re.Match[str], _language: str) -> str:
    raise SpellingError(
        "roman numeral", f"{match[0]!r} has letters beside its numeral; write it in words"
    )


def _ruler_agreement(name: str, match: re.Match[str]) -> Agreement | None:
    """Return the agreement of a numeral with a ruler's name, or None."""
    lower = name.lower()
    if len(name) < 3 or not name[0].isupper() or not name[1:].islower():
        return None
    title = word_before(match.string, match.string.rfind(name, 0, match.start())).lower()
    if not lower.startswith(_RULERS):
        # I may be the word `i`, V and X letters; the first word of a sentence may not be a name.
        if not title or len(match["roman"]) == 1:
            return None
        if agreement := noun_agreement(lower):  # (to je) Glava II
            return agreement
    if lower.startswith(_FEMALE_RULERS) or title.startswith(_QUEENS):
        return Agreement("f", _FEMALE_CASES[lower[-1]]) if lower[-1] in _FEMALE_CASES else None
    if lower.endswith(("om", "em")):
        return Agreement("m", "ins")
    if lower[:-1] in _MALE_IN_A:
        return Agreement("m", _MALE_IN_A_CASES[lower[-1]]) if lower[-1] in "aeiu" else None
    return Agreement("m", _MALE_CASES.get(lower[-1], "nom"))


_NUMERAL = rule(
    "roman numerals",
    r"(?<![^\W_])(?P<roman>[IVXL]+)(?P<stop>\.?)(?![^\W_])",
    _roman,
    "IVXL",
    [
        ("hr", "u XIX. stoljeću", "u devetnaestom stoljeću"),
        ("sr", "XX vek, iz XVIII veka", "dvadeseti vek, iz osamnaestog veka"),
        ("bs", "II svjetski rat, III razred", "drugi svjetski rat, treći razred"),
        ("sr", "Petar II, Petra II, Petru II.", "Petar drugi, Petra drugog, Petru drugom"),
        ("hr", "Elizabeta II i Petar I Petrović", "Elizabeta druga i Petar prvi Petrović"),
        ("sr", "Papa Jovan Pavle II, kod Nikole I", "Papa Jovan Pavle drugi, kod Nikole prvog"),
        ("bs", "Kralj Đorđe VI, kraljica Ana II", "Kralj Đorđe šesti, kraljica Ana druga"),
        (
            "bs",
            "u V i VI razredu, V. do VII. vijek",
            "u petom i šestom razredu, peti do sedmi vijek",
        ),
        ("hr", "Ana I Ivan, vitamin C, I dan", "Ana I Ivan, vitamin C, I dan"),
    ],
)
ROMAN: tuple[Rule, ...] = (
    rule(
        "spans of roman numerals",
        r"(?<![^\W_])(?P<low>[IVXL]+)(?P<stop>\.?)\s?-\s?(?P<high>[IVXL]+)(?![^\W_])",
        _span,
        "-",
        [("sr", "XVIII-XIX vek", "XVIII do XIX vek"), ("hr", "VI-V", "VI-V")],
    ),
    _NUMERAL,
    rule(
        "roman numerals with letters",
        r"(?<![^\W_])(?:[IVX]{2,}[a-zčćđšž]+|[A-Z]*[B-HJ-UWYZ]I{2,3})(?![^\W_])",
        _refuse_joined,
        "IVX",
        [("hr", "Ivan, HAVAJI", "Ivan, HAVAJI")],
    ),
)
"""Rules for Roman numerals alone, in ranges and with letters attached."""
