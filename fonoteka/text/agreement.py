"""Gender and case of a number, from the words next to it.

Text is not parsed. Nouns that often follow a number are listed; for other nouns the ending decides,
and if it does not, the number is masculine nominative. A year alone is feminine (godina) and
genitive, the case of a point in time.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from fonoteka.text.numerals import Case, Gender


class Agreement(NamedTuple):
    """Gender and case of an ordinal."""

    gender: Gender
    case: Case


DEFAULT = Agreement("m", "nom")
YEAR_DEFAULT = Agreement("f", "gen")

MONTHS_GENITIVE = {
    "bs": "januara februara marta aprila maja juna jula augusta septembra oktobra novembra "
    "decembra",
    "hr": "siječnja veljače ožujka travnja svibnja lipnja srpnja kolovoza rujna listopada "
    "studenoga prosinca",
    "sr": "januara februara marta aprila maja juna jula avgusta septembra oktobra novembra "
    "decembra",
}
_MONTHS_NOMINATIVE = (
    "januar februar mart april maj jun juni jul juli avgust august septembar oktobar novembar "
    "decembar siječanj veljača ožujak travanj svibanj lipanj srpanj kolovoz rujan listopad "
    "studeni prosinac"
)
# Stems of nouns that follow ordinals: the genitive without its ending.
_MASCULINE = (
    "dan razred put krug sprat kat red vek vijek minut sat član stav tom broj kongres korpus mesec "
    "mjesec rat rođendan festival čas paragraf program zakon"
)
_NEUTER = "mjest mest stoljeć kol poglavlj polugodišt izdanj tromjesečj tromesečj"
_FEMININE = (
    "godin klas minut sezon epizod lekcij stranic stran generacij rund utakmic brigad divizij "
    "gimnazij etap nedelj sedmic strank tačk točk smjen smen olimpijad armij knjig glav"
)
_CASES: dict[Gender, dict[str, Case]] = {
    "m": {"": "nom", "a": "gen", "u": "loc", "om": "ins", "em": "ins"},
    "n": {"o": "nom", "e": "nom", "a": "gen", "u": "loc", "om": "ins", "em": "ins"},
    "f": {"a": "nom", "e": "gen", "i": "loc", "u": "acc", "om": "ins"},
}
_PART: dict[str, Case] = {
    "dio": "nom",
    "deo": "nom",
    "dijela": "gen",
    "dijelu": "loc",
    "dijelom": "ins",
}
_WORLD_WAR: dict[str, Case] = {
    "i": "nom",
    "og": "gen",
    "oga": "gen",
    "om": "loc",
    "ome": "loc",
    "im": "ins",
}
_WITH_LOCATIVE = ("u", "na", "o", "po", "pri")
_WITH_GENITIVE = (
    "od", "do", "iz", "nakon", "posle", "poslije", "prije", "pre", "oko", "tokom", "tijekom",
    "početkom", "krajem", "sredinom",
)  # fmt: skip
_PREPOSITIONS: dict[str, Case] = {
    **dict.fromkeys(_WITH_LOCATIVE, "loc"),
    **dict.fromkeys(_WITH_GENITIVE, "gen"),
    "za": "acc",
}
_NOT_NOUNS = frozenset((
    "ali", "ako", "bez", "bio", "bila", "bilo", "bude", "dalje", "dok", "gde", "gdje", "ili",
    "iako", "jer", "kad", "kada", "kako", "kao", "koja", "koje", "koji", "manje", "među", "nego",
    "oko", "ona", "oni", "ono", "ove", "ovo", "posle", "poslije", "pre", "prije", "preko", "prema",
    "protiv", "sada", "samo", "sve", "što", "šta", "tada", "tako", "više", "već", "zato", "između",
    "puta", "nije", "nisu", "ovde", "ovdje", "sati", "ljudi", "meseci", "mjeseci", "dana", "posto",
    "odsto", "miliona", "milijuna", "hiljada", "tisuća",
))  # fmt: skip
"""Words after a number with which 1 and 2 do not agree, because they are not nouns."""

_WORD_AFTER = re.compile(r"\s+([a-zčćđšž]+)", re.IGNORECASE)
_WORD_BEFORE = re.compile(r"(?:^|[\s(\"'])([A-Za-zČčĆćĐđŠšŽž]+)\s+$")


def _forms() -> dict[str, Agreement]:
    """Return every form of the listed nouns with the agreement of an ordinal before it."""
    forms: dict[str, Agreement] = {}
    stems: tuple[tuple[Gender, str], ...] = (
        ("m", _MASCULINE), ("n", _NEUTER), ("f", _FEMININE)
    )  # fmt: skip
    for gender, names in stems:
        for stem in names.split():
            for ending, case in _CASES[gender].items():
                forms.setdefault(stem + ending, Agreement(gender, case))
    for name in _MONTHS_NOMINATIVE.split():
        forms[name] = Agreement("m", "nom")
    for names in MONTHS_GENITIVE.values():
        # The day is genitive, and masculine for every month: petog veljače.
        forms |= dict.fromkeys(names.split(), Agreement("m", "gen"))
    forms["studenog"] = Agreement("m", "gen")
    for name, case in _PART.items():
        forms[name] = Agreement("m", case)
    return forms


FORMS = _forms()


def word_after(text: str, end: int) -> str:
    """Return the word after an offset in a text, with only spaces between, or ''.

    >>> word_after("u 5. razredu", 4), word_after("bilo ih je 5, a", 12)
    ('razredu', '')
    """
    match = _WORD_AFTER.match(text, end)
    return match[1] if match else ""


def word_before(text: str, end: int) -> str:
    """Return the word before an offset in a text, with only spaces between, or ''.

    >>> word_before("od 5", 3)
    'od'
    """
    match = _WORD_BEFORE.search(text, max(0, end - 24), end)
    return match[1] if match else ""


def noun_agreement(word: str) -> Agreement | None:
    """Return the agreement with a listed noun, or None if the noun is not listed.

    >>> noun_agreement("stoljeću"), noun_agreement("maja"), noun_agreement("brda")
    (Agreement(gender='n', case='loc'), Agreement(gender='m', case='gen'), None)
    """
    word = word.lower()
    if word in FORMS:
        return FORMS[word]
    if match := re.fullmatch("svj?etsk(i|oga?|ome?|im)", word):  # (drugi) svetski rat
        return Agreement("m", _WORLD_WAR[match[1]])
    return None


def year_agreement(text: str, start: int, end: int) -> Agreement:
    """Return the agreement of a year in a text: with its noun, else with its preposition.

    >>> year_agreement("u 1995. godinu", 2, 7), year_agreement("u 1995. je", 2, 7).case
    (Agreement(gender='f', case='acc'), 'loc')
    """
    noun = noun_agreement(word_after(text, end))
    if noun:
        return noun
    before = word_before(text, start).lower()
    case = _PREPOSITIONS.get(before)
    return Agreement("f", case) if case else YEAR_DEFAULT


def preposition_agreement(before: str) -> Agreement:
    """Return the agreement of an ordinal without a noun after a preposition.

    >>> preposition_agreement("od"), preposition_agreement("su")
    (Agreement(gender='m', case='gen'), Agreement(gender='m', case='nom'))
    """
    return Agreement("m", _PREPOSITIONS.get(before.lower(), "nom"))


def ending_agreement(word: str, before: str) -> Agreement:
    """Return the agreement with a noun that is not listed, from its ending and preposition.

    >>> ending_agreement("liga", ""), ending_agreement("dijela", "iz")
    (Agreement(gender='f', case='nom'), Agreement(gender='m', case='gen'))
    >>> ending_agreement("ligi", "u"), ending_agreement("stanar", "")
    (Agreement(gender='f', case='loc'), Agreement(gender='m', case='nom'))
    """
    word, case = word.lower(), _PREPOSITIONS.get(before.lower())
    if len(word) < 3 or word in _NOT_NOUNS:
        return DEFAULT
    if word[-1] == "o" and word[-2] not in "aeiou":
        return Agreement("n", "nom")
    if word[-1] == "a":
        return Agreement("m", "gen") if case == "gen" else Agreement("f", "nom")
    if word[-1] == "e":
        return Agreement("f", "gen")
    if case == "loc" and word[-1] in "iu":
        return Agreement("f" if word[-1] == "i" else "m", "loc")
    return DEFAULT


def counted_gender(word: str, number: int) -> tuple[Gender, bool]:
    """Return the gender of 1 or 2 before a word, and whether the case is accusative (`jednu`).

    After 2, feminine nouns end in -e or -i and the others in -a; after 1, feminine nouns end in -a
    and neuter ones in -o or -e. Frequent words that are not nouns are excluded by a list.

    >>> counted_gender("žene", 2), counted_gender("sela", 2), counted_gender("knjigu", 21)
    (('f', False), ('m', False), ('f', True))
    """
    word = word.lower()
    form = FORMS.get(word)
    # 11 and 12 are invariable, and words of up to two letters are not nouns.
    if (
        len(word) < 3
        or word in _NOT_NOUNS
        or number % 100 in (11, 12)
        or (form and form.gender == "m")
    ):
        return "m", False
    number %= 10
    if number == 2:
        return ("f" if word[-1] in "ei" else "m"), False
    if number != 1:
        return "m", False
    if word[-1] in "au" and word[-2:] != "ao":
        return "f", word[-1] == "u"
    neuter = word[-1] in "oe" and word[-2] not in "aeiou" and word not in ("auto", "euro", "evro")
    return ("n" if neuter else "m"), False
