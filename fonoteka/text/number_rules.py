"""Numerals of Bosnian, Croatian and Serbian text in words, in agreement with adjacent words.

`fonoteka.text.agreement` determines gender and case of an ordinal. Numbers with two readings get
the usual one: four digits with a full stop are a year; another number with a full stop is an
ordinal if a lower-case letter follows, and otherwise ends its sentence.
"""

from __future__ import annotations

import re

from fonoteka.text.agreement import (
    Agreement,
    counted_gender,
    ending_agreement,
    noun_agreement,
    word_after,
    word_before,
    year_agreement,
)
from fonoteka.text.number_signs import BETWEEN, FIRST_YEAR, PRICES
from fonoteka.text.numerals import POINT, decimal, ordinal, whole
from fonoteka.text.rule import Rule, SpellingError, replacement, rule
from fonoteka.text.suffixes import SUFFIXES
from fonoteka.text.telephones import TELEPHONES

_DIGITS = "0123456789"
_NEXT_ORDINAL = re.compile(r"\s*(?:do|i|ili|te|ni|,|/|-)\s*(?:\d+|[IVX]+)\.\s+([a-zčćđšž]+)")
# A day before a date that an earlier rule has put in words: od 5. do desetog maja.
_NEXT_DATE = re.compile(r"\s+(?:do|i|ili|te)\s+(?:\w+\s)?\w+(?:og|eg)\s+([a-zčćđšž]+)")
_SMALL = "[a-zčćđšž]"
# Two or more consonants, not all capitals, which would be spelled: 5 TV, but 5 hm.
_CONSONANT = "[bcčćdđfghjklmnpqsštvwxzžBCČĆDĐFGHJKLMNPQSŠTVWXZŽ]"
_UNKNOWN_UNIT = re.compile(rf"\s+(?![A-ZČĆĐŠŽ]+(?![^\W_])){_CONSONANT}{{2,}}(?![^\W_])")


def _ordinal(match: re.Match[str], language: str) -> str | None:
    """Return a number with a full stop as a year or an ordinal, or None to keep it."""
    number = int(match[1].replace(".", ""))
    is_year = "." not in match[1] and FIRST_YEAR <= number <= 2099
    if not is_year and match["follows"] is None:
        return None
    agreement = _agreement(match)
    if is_year:
        agreement = year_agreement(match.string, match.start(), match.end())
    return replacement(match, ordinal(number, language, *agreement))


def _agreement(match: re.Match[str]) -> Agreement:
    """Return the agreement of an ordinal; in a pair, the noun after the second decides."""
    pair = _NEXT_ORDINAL.match(match.string, match.end())
    pair = pair or _NEXT_DATE.match(match.string, match.end())
    word = pair[1] if pair else word_after(match.string, match.end())
    return noun_agreement(word) or ending_agreement(word, word_before(match.string, match.start()))


def _number(match: re.Match[str], language: str) -> str:
    """Return any other number in words, in the gender of the next word."""
    _refuse_unit(match)
    minus = "minus " if match["minus"] else ""
    if match["after"]:
        words = decimal(match["before"], match["after"], language)
        return replacement(match, minus + words, after_letters=True)
    word = word_after(match.string, match.end())
    gender, accusative = counted_gender(word, int(match["before"][-2:]))
    words = whole(match["before"], language, gender)
    if accusative:
        words = words.removesuffix("a") + "u"
    return replacement(match, minus + words, after_letters=True)


def _pointed(match: re.Match[str], language: str) -> str:
    _refuse_unit(match)
    minus, parts = "minus " * bool(match["minus"]), match["number"].split(".")
    if len(parts) == 2:
        words = decimal(parts[0], parts[1], language, mark=POINT[language])
    else:
        words = f" {POINT[language]} ".join(whole(part, language) for part in parts)
    return replacement(match, minus + words, after_letters=True)


def _refuse_unit(match: re.Match[str]) -> None:
    """Refuse a number before letters without a vowel: they are an unknown unit."""
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
        prefilter=r"[0-9]\.",
    ),
    rule(
        "years without a stop",
        r"(?<![\d.,])(1\d{3}|20\d{2})(?=\s+godin[aeiu]\b)",
        lambda match, language: replacement(
            match,
            ordinal(
                int(match[1]), language, *year_agreement(match.string, match.start(), match.end())
            ),
        ),
        _DIGITS,
        [("bs", "u 1984 godini", "u hiljadu devetsto osamdeset četvrtoj godini")],
        prefilter="godin",
    ),
    rule(
        "thousands",
        r"(?<![\d.,])[1-9]\d{0,2}(?:(?:\.\d{3})+(?!\d|\.\d)|(?:\s\d{3})+(?!\d|\.\d{3}(?!\d)))",
        lambda match, _: re.sub(r"\D", "", match[0]),
        ". \t\n",
        [("hr", "1.234.567, 12 000 i 1.500,50", "1234567, 12000 i 1500,50")],
        prefilter=r"[0-9][.\s][0-9]{3}",
    ),
)
"""Numbers together with the marks next to them; applied before the rules for units."""

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
        prefilter=r"[0-9]\.[0-9]",
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
        prefilter="[0-9]",
    ),
)
"""The remaining digits; applied last."""
