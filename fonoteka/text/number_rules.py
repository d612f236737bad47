"""Numerals of Bosnian, Croatian and Serbian text in words, agreeing with the words beside them.

What gender and case an ordinal takes is said in `fonoteka.text.agreement`. Of numbers that can be
read in two ways the usual one is taken: four digits with a full stop are a year, another number
with a full stop is an ordinal where a small letter follows and else ends its sentence.
"""

from __future__ import annotations

import re

from fonoteka.text.agreement import (
    Agreement,
    counted_gender,
    of_ending,
    of_noun,
    of_year,
    word_after,
    word_before,
)
from fonoteka.text.number_signs import BETWEEN, FIRST_YEAR, PRICES
from fonoteka.text.numerals import POINT, decimal, ordinal, whole
from fonoteka.text.rule import Rule, SpellingError, apart, rule
from fonoteka.text.suffixes import SUFFIXES
from fonoteka.text.telephones import TELEPHONES

_DIGITS = "0123456789"
_NEXT_ORDINAL = re.compile(r"\s*(?:do|i|ili|te|ni|,|/|-)\s*(?:\d+|[IVX]+)\.\s+([a-zčćđšž]+)")
# A day before a date that an earlier rule has said: od 5. do desetog maja.
_NEXT_DATE = re.compile(r"\s+(?:do|i|ili|te)\s+(?:\w+\s)?\w+(?:og|eg)\s+([a-zčćđšž]+)")
_SMALL = "[a-zčćđšž]"
# Two and more consonants that are not capitals alone, which are spelled: 5 TV, but 5 hm.
_CONSONANT = "[bcčćdđfghjklmnpqsštvwxzžBCČĆDĐFGHJKLMNPQSŠTVWXZŽ]"
_UNKNOWN_UNIT = re.compile(rf"\s+(?![A-ZČĆĐŠŽ]+(?![^\W_])){_CONSONANT}{{2,}}(?![^\W_])")


def _ordinal(match: re.Match[str], language: str) -> str | None:
    """Say a number with a full stop: a year, an ordinal, or nothing yet."""
    number = int(match[1].replace(".", ""))
    is_year = "." not in match[1] and FIRST_YEAR <= number <= 2099
    if not is_year and match["follows"] is None:
        return None
    agreed = _agreement(match)
    if is_year:
        agreed = of_year(match.string, match.start(), match.end())
    return apart(match, ordinal(number, language, *agreed))


def _agreement(match: re.Match[str]) -> Agreement:
    """Return what an ordinal takes: of two, what the noun after the second asks for."""
    pair = _NEXT_ORDINAL.match(match.string, match.end())
    pair = pair or _NEXT_DATE.match(match.string, match.end())
    word = pair[1] if pair else word_after(match.string, match.end())
    return of_noun(word) or of_ending(word, word_before(match.string, match.start()))


def _number(match: re.Match[str], language: str) -> str:
    """Say a number that is none of the above, in the gender of the word after it."""
    _refuse_unit(match)
    minus = "minus " if match["minus"] else ""
    if match["after"]:
        said = decimal(match["before"], match["after"], language)
        return apart(match, minus + said, after_letters=True)
    word = word_after(match.string, match.end())
    gender, accusative = counted_gender(word, int(match["before"][-2:]))
    said = whole(match["before"], language, gender)
    if accusative:
        said = said.removesuffix("a") + "u"
    return apart(match, minus + said, after_letters=True)


def _pointed(match: re.Match[str], language: str) -> str:
    _refuse_unit(match)
    minus, parts = "minus " * bool(match["minus"]), match["number"].split(".")
    if len(parts) == 2:
        said = decimal(parts[0], parts[1], language, mark=POINT[language])
    else:
        said = f" {POINT[language]} ".join(whole(part, language) for part in parts)
    return apart(match, minus + said, after_letters=True)


def _refuse_unit(match: re.Match[str]) -> None:
    """Refuse a number before letters that are no word, for they are a unit that isn't known."""
    if unit := _UNKNOWN_UNIT.match(match.string, match.end()):
        shown = match.string[match.start() : unit.end()]
        raise SpellingError("number", f"{shown!r} has an unknown unit; write it in words")


BEFORE_UNITS: tuple[Rule, ...] = (
    PRICES,
    *TELEPHONES,
    *SUFFIXES,
    *BETWEEN,
    rule(
        "ordinals and years",
        r"(?<![\d.,])([1-9]\d{0,2}(?:\.\d{3})+|\d{1,9})\.(?![\d.])"
        rf"(?P<follows>(?=\s+{_SMALL}|{_SMALL}{{3}}))?",
        _ordinal,
        ".",
        [
            ("hr", "u 5. razredu, 3. mjesto", "u petom razredu, treće mjesto"),
            ("bs", "12. maja, 12. maj", "dvanaestog maja, dvanaesti maj"),
            ("sr", "od 5. do 10. maja", "od petog do desetog maja"),
            ("sr", "od 5. do desetog maja", "od petog do desetog maja"),
            ("sr", "Rođen je 1995.", "Rođen je hiljadu devetsto devedeset pete"),
            ("hr", "1995. godina", "tisuću devetsto devedeset peta godina"),
            ("bs", "u 2001. je", "u dvije hiljade prvoj je"),
            ("hr", "bio je 2. na listi, 5.razred", "bio je drugi na listi, peti razred"),
            (
                "bs",
                "2. liga, u 2. ligi, iz 2. dijela",
                "druga liga, u drugoj ligi, iz drugog dijela",
            ),
            ("hr", "Imam 5. Ona ima 6.", "Imam 5. Ona ima 6."),
        ],
        clue=r"[0-9]\.",
    ),
    rule(
        "years without a stop",
        r"(?<![\d.,])(1\d{3}|20\d{2})(?=\s+godin[aeiu]\b)",
        lambda match, language: apart(
            match,
            ordinal(int(match[1]), language, *of_year(match.string, match.start(), match.end())),
        ),
        _DIGITS,
        [("bs", "u 1984 godini", "u hiljadu devetsto osamdeset četvrtoj godini")],
        clue="godin",
    ),
    rule(
        "thousands",
        r"(?<![\d.,])[1-9]\d{0,2}(?:(?:\.\d{3})+(?!\d|\.\d)|(?:\s\d{3})+(?!\d|\.\d{3}(?!\d)))",
        lambda match, _: re.sub(r"\D", "", match[0]),
        ". \t\n",
        [("hr", "1.234.567, 12 000 i 1.500,50", "1234567, 12000 i 1500,50")],
        clue=r"[0-9][.\s][0-9]{3}",
    ),
)
"""What numbers and the marks beside them mean together."""

NUMBERS: tuple[Rule, ...] = (
    rule(
        "points",
        r"(?P<minus>(?<![^\s(\"])-)?(?<![\d.,])(?P<number>\d+(?:\.\d+)+)(?!\d|,\d)",
        _pointed,
        ".",
        [
            ("hr", "3.5, -2.5", "tri točka pet, minus dva točka pet"),
            ("sr", "1.2.3", "jedan tačka dva tačka tri"),
        ],
        clue=r"[0-9]\.[0-9]",
    ),
    rule(
        "numbers",
        r"(?P<minus>(?<![^\s(\"])-)?(?P<before>\d+)(?:,(?P<after>\d+))?",
        _number,
        _DIGITS,
        [
            ("hr", "u 9 sati i 22 minute", "u devet sati i dvadeset dvije minute"),
            ("sr", "2 žene, 2 stola, 1 selo", "dve žene, dva stola, jedno selo"),
            ("bs", "1 knjiga, 21 knjigu", "jedna knjiga, dvadeset jednu knjigu"),
            ("hr", "2345", "dvije tisuće tristo četrdeset pet"),
            ("sr", "2345", "dve hiljade trista četrdeset pet"),
            ("bs", "-5 i 3,14", "minus pet i tri zarez četrnaest"),
            ("hr", "A4, 007", "A četiri, nula nula sedam"),
        ],
        clue="[0-9]",
    ),
)
"""What is left of the digits."""
