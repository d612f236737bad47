"""Numerals of Bosnian, Croatian and Serbian text in words, agreeing with the words beside them.

What gender and case an ordinal takes is said in `stages.common.agreement`. Of numbers that can be
read in two ways the usual one is taken: four digits with a full stop are a year, another number
with a full stop is an ordinal where a small letter follows and else ends its sentence.
"""

from __future__ import annotations

import re

from stages.common.agreement import (
    Agreement,
    counted_gender,
    of_ending,
    of_noun,
    of_year,
    word_after,
    word_before,
)
from stages.common.numerals import (
    cardinal,
    decimal,
    digits,
    ordinal,
    ordinal_stem,
    whole,
)
from stages.common.rules import Rule, apart, rule

_DIGITS = "0123456789"
_NEXT_ORDINAL = re.compile(r"\s*(?:do|i|ili|te|ni|,|/|-)\s*(?:\d+|[IVX]+)\.\s+([a-zčćđšž]+)")
_SMALL = "[a-zčćđšž]"
_ENDINGS = "[tvgmć]?(?:ih|im|oga|og|oj|om|eg|em|njak|ak|ero|oro|ori(?:ca|ce|ci|cu|com)|i|a|o|e|u)"
_COMPOUNDS = (
    "godišnj|minutn|dnevn|satn|časovn|mjesečn|mesečn|sedmičn|tjedn|člani|metarsk|kilometarsk|"
    "postotn|procentn|spratn|katn|sobn|dimenzional"
)
_COMPOUND_STEMS = {1: "jedno", 2: "dvo", 3: "tro", 100: "sto"}
_FOUR = {"bs": "četvero", "hr": "četvero", "sr": "četvoro"}


def _ordinal(match: re.Match[str], language: str) -> str | None:
    """Say a number with a full stop: a year, an ordinal, or nothing yet."""
    number = int(match[1].replace(".", ""))
    is_year = "." not in match[1] and 1000 <= number <= 2099
    if not is_year and match["follows"] is None:
        return None
    agreed = _agreement(match)
    if is_year:
        agreed = of_year(match.string, match.start(), match.end())
    return apart(match, ordinal(number, language, *agreed))


def _agreement(match: re.Match[str]) -> Agreement:
    """Return what an ordinal takes: of two, what the noun after the second asks for."""
    pair = _NEXT_ORDINAL.match(match.string, match.end())
    word = pair[1] if pair else word_after(match.string, match.end())
    return of_noun(word) or of_ending(word, word_before(match.string, match.start()))


def _range(match: re.Match[str], _language: str) -> str | None:
    """Say from what to what, where it rises; a full stop after the second is the first's too."""
    low, high = match["low"], match["high"]
    if float(low.replace(",", ".")) >= float(high.replace(",", ".")):
        return f"{low} {high}"
    stop = "." if match["stop"] or match["first_stop"] else ""
    return f"{low}{stop} do {high}{match['stop']}"


def _suffixed(match: re.Match[str], language: str) -> str:
    """Say 90-ih, 5-og, 10-ak: the stem of the ordinal with the ending that is written."""
    number, ending = int(match["number"]), match["ending"]
    if ending.endswith("ak") and number == 100:
        return apart(match, "stotinjak")
    stem = ordinal_stem(number, language)
    # What is written may begin with the letters that the stem ends in: 80-te, 1-vi.
    return apart(match, stem + ending.removeprefix(stem[-1]))


def _compound(match: re.Match[str], language: str) -> str:
    number = int(match["number"])
    tens, unit = divmod(number, 10)
    if number in _COMPOUND_STEMS:
        return apart(match, _COMPOUND_STEMS[number] + match["rest"])
    if 0 < unit < 5 and tens != 1:
        last = _COMPOUND_STEMS.get(unit, _FOUR[language])
        first = cardinal(tens * 10, language).replace(" ", "") if tens else ""
        return apart(match, first + last + match["rest"])
    joined = cardinal(number, language).replace(" ", "").removesuffix("o") + "o"
    return apart(match, joined + match["rest"])


def _telephone(match: re.Match[str], _language: str) -> str:
    plus = "plus " if match[0].startswith("+") else ""
    return apart(match, plus + digits(re.sub(r"\D", "", match[0])))


def _number(match: re.Match[str], language: str) -> str:
    """Say a number that is none of the above, in the gender of the word after it."""
    minus = "minus " if match["minus"] else ""
    if match["after"]:
        return apart(
            match, minus + decimal(match["before"], match["after"], language), after_letters=True
        )
    word = word_after(match.string, match.end())
    gender, accusative = counted_gender(word, int(match["before"][-2:]))
    said = whole(match["before"], language, gender)
    if accusative:
        said = said.removesuffix("a") + "u"
    return apart(match, minus + said, after_letters=True)


def _pointed(match: re.Match[str], language: str) -> str:
    point = "točka" if language == "hr" else "tačka"
    parts = match[0].split(".")
    if len(parts) == 2:
        return apart(match, decimal(parts[0], parts[1], language, mark=point), after_letters=True)
    return apart(
        match, f" {point} ".join(whole(part, language) for part in parts), after_letters=True
    )


BEFORE_UNITS: tuple[Rule, ...] = (
    rule(
        "telephones",
        r"(?<![\d+])(?:\+\d{1,3}[ /-]?\(?\d{1,3}|\(?0\d{1,2})\)?"
        r"[ /-]+\d{3}[ /-]?\d{3,4}(?!\d|[.,]\d)",
        _telephone,
        _DIGITS,
        [
            ("bs", "061/123-456", "nula šest jedan jedan dva tri četiri pet šest"),
            (
                "hr",
                "+385 1 123 4567",
                "plus tri osam pet jedan jedan dva tri četiri pet šest sedam",
            ),
        ],
    ),
    rule(
        "compounds",
        rf"(?<![\d.,])(?P<number>\d{{1,3}})-(?P<rest>(?:{_COMPOUNDS})\w*)",
        _compound,
        "-",
        [
            ("hr", "15-godišnji, 25-godišnja", "petnaestogodišnji, dvadesetpetogodišnja"),
            ("sr", "3-dnevni, 24-časovni", "trodnevni, dvadesetčetvoročasovni"),
        ],
    ),
    rule(
        "endings",
        rf"(?<![\d.,])(?P<number>\d{{1,4}})\.?-(?P<ending>{_ENDINGS})(?![^\W_])",
        _suffixed,
        "-",
        [
            ("hr", "1990-ih, 80-te", "tisuću devetsto devedesetih, osamdesete"),
            ("bs", "10-ak, 100-tak, 7-og", "desetak, stotinjak, sedmog"),
            ("bs", "100-njak, 5-orica", "stotinjak, petorica"),
        ],
    ),
    rule(
        "ranges",
        r"(?<![\d.,:/-])(?P<low>\d{1,9}(?:,\d{1,9})?)(?P<first_stop>\.?)\s?-\s?"
        r"(?P<high>\d{1,9}(?:,\d{1,9})?)"
        rf"(?P<stop>(?:\.(?=\s+{_SMALL}|\s*$|[,;)]))?)(?![\d:/-]|[.,]\d)",
        _range,
        "-",
        [
            ("hr", "5-10 km", "5 do 10 km"),
            ("bs", "1992-1995. godine", "1992. do 1995. godine"),
            ("sr", "5.-10. maja, 10-5", "5. do 10. maja, 10 5"),
        ],
    ),
    rule(
        "scores",
        r"(?<![\d:.,])(\d{1,3}):(\d{1,3})(?![\d:])",
        lambda match, _: f"{match[1]} prema {match[2]}",
        ":",
        [("hr", "pobjeda 3:1", "pobjeda 3 prema 1")],
    ),
    rule(
        "strokes",
        r"(?<![\d.,/])(\d{1,4})/(\d{1,4})(?![\d/])",
        lambda match, _: f"{match[1]} {'kroz ' * (len(match[1]) < 4)}{match[2]}",
        "/",
        [("sr", "12/3, 2019/2020.", "12 kroz 3, 2019 2020.")],
    ),
    rule(
        "ordinals and years",
        r"(?<![\d.,])([1-9]\d{0,2}(?:\.\d{3})+|\d{1,9})\.(?![\d.])"
        rf"(?P<follows>(?=\s+{_SMALL}))?",
        _ordinal,
        ".",
        [
            ("hr", "u 5. razredu, 3. mjesto", "u petom razredu, treće mjesto"),
            ("bs", "12. maja, 12. maj", "dvanaestog maja, dvanaesti maj"),
            ("sr", "od 5. do 10. maja", "od petog do desetog maja"),
            ("sr", "Rođen je 1995.", "Rođen je hiljadu devetsto devedeset pete"),
            ("hr", "1995. godina", "tisuću devetsto devedeset peta godina"),
            ("bs", "u 2001. je", "u dvije hiljade prvoj je"),
            ("hr", "bio je 2. na listi", "bio je drugi na listi"),
            (
                "bs",
                "2. liga, u 2. ligi, iz 2. dijela",
                "druga liga, u drugoj ligi, iz drugog dijela",
            ),
            ("hr", "Imam 5. Ona ima 6.", "Imam 5. Ona ima 6."),
        ],
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
    ),
    rule(
        "thousands",
        r"(?<![\d.,])[1-9]\d{0,2}(?:(?:\.\d{3})+|(?:\s\d{3})+)(?!\d|\.\d)",
        lambda match, _: re.sub(r"\D", "", match[0]),
        ". \t\n",
        [("hr", "1.234.567, 12 000 i 1.500,50", "1234567, 12000 i 1500,50")],
    ),
)
"""What numbers and the marks beside them mean together."""

NUMBERS: tuple[Rule, ...] = (
    rule(
        "points",
        r"(?<![\d.,])\d+(?:\.\d+)+(?![\d,])",
        _pointed,
        ".",
        [("hr", "3.5", "tri točka pet"), ("sr", "1.2.3", "jedan tačka dva tačka tri")],
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
    ),
)
"""What is left of the digits."""
