"""Roman numerals of Bosnian, Croatian and Serbian text as ordinals, where they are sure to be ones.

They are after a ruler's name, whose case they take, and before a noun that is counted so: a
century, a grade, a world war. Elsewhere I, V and X may be words or letters and stay; a numeral
that is no word, such as II, is refused, for it may be said `dva`, `drugi` or `druga`.
"""

from __future__ import annotations

import re

from stages.common.agreement import Agreement, of_ending, of_noun, word_after, word_before
from stages.common.numerals import Case, from_roman, ordinal
from stages.common.rules import SpellingError, apart, rule

_FEMALE_RULERS = ("elizabet", "jelizavet", "katarin", "marij", "viktorij", "izabel", "margaret")
_MALE_IN_A = ("nikola", "luka", "sava", "ilija", "mustafa", "toma")
_RULERS = (
    "petar", "petr", "aleksand", "nikol", "franj", "josip", "karl", "milan", "pavao", "pavl",
    "ivan", "jovan", "henri", "luj", "fridrih", "vilim", "vilhelm", "filip", "leopold", "ferdinand",
    "rudolf", "benedikt", "grgur", "ludvig", "ludovik", "murat", "mehmed", "sulejman", "selim",
    "stefan", "stjepan", "uroš", "tvrtko", "tvrtk", "ladislav", "konstantin", "napoleon",
    *_FEMALE_RULERS,
)  # fmt: skip
_FEMALE_CASES: dict[str, Case] = {"a": "nom", "e": "gen", "i": "loc", "u": "acc"}
_MALE_CASES: dict[str, Case] = {"a": "gen", "e": "gen", "u": "loc"}
NO_WORDS = ("II", "III", "VII", "VIII", "XII", "XIII")
"""Numerals that no one takes for a word or an acronym."""


def _roman(match: re.Match[str], language: str) -> str | None:
    """Say a Roman numeral after a ruler's name or before a noun that is counted so."""
    value = from_roman(match["roman"])
    if value is None or value > 50:
        return None
    word = word_after(match.string, match.end())
    before = word_before(match.string, match.start())
    agreed = _of_ruler(before, match)
    if agreed is None and (before or match["stop"] or match["roman"] != "I"):
        agreed = of_noun(word)  # at the beginning `I dan` is: and the day
    if agreed is None and match["stop"] and word[:1].islower() and len(match["roman"]) > 1:
        agreed = of_ending(word, before)
    if agreed is not None:
        return apart(match, ordinal(value, language, *agreed))
    if match["roman"] in NO_WORDS:
        raise SpellingError(
            "roman numeral",
            f"{match['roman']!r} may be said in several ways here; write it in words",
        )
    return None


def _of_ruler(name: str, match: re.Match[str]) -> Agreement | None:
    """Return what the numeral after a ruler's name takes: its gender and case are the name's."""
    lower = name.lower()
    if len(name) < 3 or not name[0].isupper() or not name[1:].islower():
        return None
    if not lower.startswith(_RULERS):
        # I may be the word `i`, V and X letters; the first word of a sentence needs be no name.
        first = not word_before(match.string, match.string.rfind(name, 0, match.start()))
        if first or len(match["roman"]) == 1:
            return None
    if lower.startswith(_FEMALE_RULERS):
        return Agreement("f", _FEMALE_CASES[lower[-1]]) if lower[-1] in _FEMALE_CASES else None
    if lower in _MALE_IN_A:
        return Agreement("m", "nom")
    if lower.endswith(("om", "em")):
        return Agreement("m", "ins")
    return Agreement("m", _MALE_CASES.get(lower[-1], "nom"))


ROMAN = rule(
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
        ("hr", "Ana I Ivan, vitamin C, I dan", "Ana I Ivan, vitamin C, I dan"),
    ],
)
