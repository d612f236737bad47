"""Numbers with attached letters in Bosnian, Croatian and Serbian text: 80-ih, 50ak, 12a.

The letters are an ending (80-ih, 5ero), the rest of a compound (15-godišnji), the letter of a house
or a class (12b, 8.a razred), or a name (3D). A number with other letters is refused, because they
may be the ending of an unknown word.
"""

from __future__ import annotations

import re

from fonoteka.text.abbreviations import LETTER_NAMES
from fonoteka.text.agreement import noun_agreement
from fonoteka.text.numerals import cardinal, from_roman, ordinal, ordinal_stem, whole
from fonoteka.text.rule import Rule, partial_match_error, replacement, rule

_CASES = r"ih|ima|im|oga|og|oj|om|ega|eg|em"
_COUNTED = r"ero|oro|oje|(?:oj|j|or)i(?:ca|ce|ci|cu|com)"
_ABOUT = "(?:ti?)?(?:nj)?ak"
_ENDINGS = rf"{_ABOUT}|[tvgmć]?(?:{_CASES})|{_COUNTED}|[tvgmć][iaoeu]"
_COMPOUNDS = (
    "godišnj|minutn|dnevn|satn|časovn|mjesečn|mesečn|sedmičn|tjedn|člani|metarsk|kilometarsk|"
    "postotn|procentn|spratn|katn|sobn|dimenzional|struk|sekundn|litarsk|kratn|brzinsk|znamenkast"
)
_COMPOUND_STEMS = {1: "jedno", 2: "dvo", 3: "tro", 100: "sto"}
_FOUR = {"bs": "četvero", "hr": "četvero", "sr": "četvoro"}
_TWO_AND_THREE = {2: "dvoj", 3: "troj"}


def _suffixed(match: re.Match[str], language: str) -> str:
    """Return 90-ih, 5-og, 10-ak, 5ero in words: the stem with the written ending."""
    number, ending = int(match["number"]), match["vowel"] or match["ending"]
    if ending.endswith("ak"):
        words = _approximate(number, language)
    elif re.fullmatch(_COUNTED, ending):
        words = _counted(number, language, ending)
    else:
        words = _inflected(number, language, ending)
    if words is None:
        raise partial_match_error(match)
    return replacement(match, words)


def _approximate(number: int, language: str) -> str | None:
    """Return an approximate number: pedesetak, stotinjak; None for thousands, which vary."""
    if number == 100:
        return "stotinjak"
    if number < 2 or number % 1000 == 0:
        return None
    return ordinal_stem(number, language) + ("injak" if number % 100 == 0 else "ak")


def _counted(number: int, language: str, ending: str) -> str | None:
    """Return a collective number: dvoje, petero, trojica; 2 and 3 have separate endings."""
    last = number % 100 if number % 100 < 20 else number % 10
    if last < 2 or (last < 4) != (not ending.startswith(("e", "or"))):
        return None
    before = f"{cardinal(number - last, language)} " if number > last else ""
    if last < 4:
        tail = "e" if ending == "oje" else ending.removeprefix("o").removeprefix("j")
        return before + _TWO_AND_THREE[last] + tail
    return before + ("četv" if last == 4 else ordinal_stem(last, language)) + ending


def _inflected(number: int, language: str, ending: str) -> str | None:
    """Return an ordinal with an ending, which may repeat the last letter of the stem: 80-te."""
    stem = ordinal_stem(number, language)
    if ending[0] in "tvgmć":
        if ending[0] != stem[-1]:
            return None
        ending = ending[1:]
    if stem.endswith("ć") and ending in ("og", "oga"):
        ending = "e" + ending[1:]  # trećeg
    return stem + ending


def _compound(match: re.Match[str], language: str) -> str:
    number = int(match["number"])
    tens, unit = divmod(number, 10)
    if number in _COMPOUND_STEMS:
        return replacement(match, _COMPOUND_STEMS[number] + match["rest"])
    if 0 < unit < 5 and tens != 1:
        last = _COMPOUND_STEMS.get(unit, _FOUR[language])
        first = cardinal(tens * 10, language).replace(" ", "") if tens else ""
        return replacement(match, first + last + match["rest"])
    joined = cardinal(number, language).replace(" ", "").removesuffix("o") + "o"
    return replacement(match, joined + match["rest"])


def _class(match: re.Match[str], language: str) -> str | None:
    """Return a school class in words: 8.a razred, IIIa razreda."""
    number = from_roman(match["number"]) or int(match["number"] if match[1].isdecimal() else 0)
    agreement = noun_agreement(match["noun"])
    if not number or agreement is None:
        return None
    return replacement(
        match, f"{ordinal(number, language, *agreement)} {LETTER_NAMES[match['letter']]}"
    )


def _lettered(match: re.Match[str], language: str) -> str:
    letter = LETTER_NAMES[match["letter"].lower()]
    return replacement(match, f"{whole(match['number'], language)} {letter}")


def _refused(match: re.Match[str], _language: str) -> str:
    raise partial_match_error(match)


SCHOOL_CLASSES = rule(
    "school classes",
    r"(?<![^\W_])(?P<number>\d{1,2}|[IVX]{1,4})(?:\.\s?|-)?(?P<letter>[a-h])(?=\s(?P<noun>razred\w*))",
    _class,
    "r",
    [
        ("hr", "IIIa razred, u 8.b razredu", "treći a razred, u osmom be razredu"),
        ("sr", "iz VII-c razreda", "iz sedmog ce razreda"),
    ],
    prefilter="razred",
)
"""School classes; applied before the rule for Roman numerals."""

SUFFIXES: tuple[Rule, ...] = (
    rule(
        "compounds",
        rf"(?<![\d.,])(?P<number>\d{{1,3}})-?(?P<rest>(?:{_COMPOUNDS})\w*)",
        _compound,
        "0123456789",
        [
            ("hr", "15-godišnji, 25-godišnja", "petnaestogodišnji, dvadesetpetogodišnja"),
            ("sr", "3-dnevni, 24-časovni", "trodnevni, dvadesetčetvoročasovni"),
            ("bs", "20godišnjak i 2-struki", "dvadesetogodišnjak i dvostruki"),
        ],
        prefilter=rf"[0-9]-?(?:{_COMPOUNDS})",
    ),
    rule(
        "endings",
        rf"(?<![\d.,-])(?P<number>\d{{1,4}})(?:\.?-(?P<vowel>[iaoeu])|\.?-?(?P<ending>{_ENDINGS}))"
        r"(?![^\W_])",
        _suffixed,
        "0123456789",
        [
            ("hr", "1990-ih, 80-te, 80ih", "tisuću devetsto devedesetih, osamdesete, osamdesetih"),
            ("bs", "10-ak, 100-tak, 7-og, 50ak", "desetak, stotinjak, sedmog, pedesetak"),
            ("bs", "100-njak, 5-orica, 2-ojica", "stotinjak, petorica, dvojica"),
            ("hr", "5ero, 2oje, 4-ero, 22-oje", "petero, dvoje, četvero, dvadeset dvoje"),
            ("sr", "7oro, 4oro, 1vi, 3ćeg", "sedmoro, četvoro, prvi, trećeg"),
        ],
        prefilter=r"[0-9]\.?-?[a-zć]",
    ),
    rule(
        "numbers with a letter",
        r"(?<![^\W_])(?<![.,:/-])(?P<number>\d{1,4})(?P<letter>[a-fA-G])(?![^\W_]|-[^\W_])",
        _lettered,
        "0123456789",
        [("sr", "Ulica 12b, 3D, 5G", "Ulica dvanaest be, tri de, pet ge")],
        prefilter="[0-9][a-fA-G]",
    ),
    rule(
        "numbers with other letters",
        r"(?<![^\W_])\d[^\s-]*-[^\W\d_]",
        _refused,
        "-",
        [("hr", "5-6, Covid-19", "5-6, Covid-19")],
        prefilter=r"-[^\W\d_]",
    ),
)
"""Letters attached to a number."""
