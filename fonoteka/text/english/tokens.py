"""Digits with letters, plurals, ranges and four digits in English text: MP3s, 1990s, 1939-45.

Each is read as a whole. One with two readings is refused here or by a later rule.
"""

from __future__ import annotations

import re

from fonoteka.text.english.codes import ENGLISH_CODES, STROKES, short_year
from fonoteka.text.english.nouns import DETERMINERS, NAMED_BY_NUMBER
from fonoteka.text.english.numbers import cardinal, digits, pairs, plural, whole, year
from fonoteka.text.english.units import DIGITS
from fonoteka.text.english.years import reading_of_four_digits
from fonoteka.text.rule import Rule, SpellingError, replacement, rule

_TENS_OF = {"10": "tens", "100": "hundreds", "1000": "thousands"}
_FOR_SECONDS = frozenset((
    "wait", "waits", "waited", "waiting", "for", "in", "after", "within", "every", "took", "take",
    "takes", "lasted", "lasts", "last", "pause", "hold",
))  # fmt: skip
_OF_A_TIME = frozenset(("later", "ago", "timer", "delay", "left", "remaining", "penalty", "long"))
_BEFORE_PLURAL = DETERMINERS | frozenset((
    "early", "late", "mid", "low", "high", "upper", "lower", "two", "three", "four", "five", "six",
    "seven", "eight", "nine", "ten", "many", "several", "few", "some", "those", "these", "all",
    "no",
))  # fmt: skip
_OF_A_DECADE = frozenset((
    "music", "song", "songs", "hit", "hits", "rock", "pop", "fashion", "style", "movie", "movies",
    "film", "films", "band", "bands", "kid", "kids", "child", "show", "shows", "party", "nostalgia",
))  # fmt: skip
# In `her 40s or 50s` the word before both numbers.
_LAST_WORD = re.compile(r"([A-Za-z']+|\d+)[\s-]+(?:'?\d+s (?:and|or|to) )*$")
_NEXT_WORD = re.compile(r"\s+([A-Za-z]+)")
_ADDRESS = re.compile(r"\s[A-Z][a-z]+\s(?:Street|Road|Avenue|Lane|Drive|St|Rd|Ave)(?!\w)")
_SCALE = {"K": "thousand", "M": "million", "B": "billion", "T": "trillion"}


def _word_before(match: re.Match[str]) -> str:
    before = _LAST_WORD.search(match.string, max(0, match.start() - 24), match.start())
    return before[1].lower() if before else ""


def _word_after(match: re.Match[str]) -> str:
    after = _NEXT_WORD.match(match.string, match.end())
    return after[1].lower() if after else ""


def _letters_plural(match: re.Match[str], _language: str) -> str:
    return replacement(match, f"{match['letters']} {plural(cardinal(int(match['number'])))}")


def _plural(match: re.Match[str], _language: str) -> str:
    """Read 747s, 1990s, his 30s and 10s of thousands as plurals, and `wait 10s` as seconds."""
    number = match["number"].replace(",", "")
    before, after = _word_before(match), _word_after(match)
    if re.fullmatch(r"1[1-9]\d0|20\d0", number):
        return replacement(match, plural(year(int(number))))
    if after == "of":
        return replacement(match, _TENS_OF.get(number) or plural(cardinal(int(number))))
    tens = len(number) == 2 and number[0] > "1" and number[1] == "0"
    if match["short"] or (tens and after in _OF_A_DECADE):
        return replacement(match, plural(cardinal(int(number))))
    if before in _BEFORE_PLURAL and (tens or after not in _OF_A_TIME):
        return replacement(match, plural(cardinal(int(number))))
    if after in _OF_A_TIME or (before in _FOR_SECONDS and (len(number) < 3 or number[-1] == "0")):
        return replacement(
            match, f"{cardinal(int(number))} {'second' if number == '1' else 'seconds'}"
        )
    if len(number) == 3 and before not in _FOR_SECONDS:
        return replacement(match, plural(cardinal(int(number))))
    raise SpellingError(
        "number", f"{match[0]!r} may be seconds or a plural here; write it in words"
    )


def _letters(match: re.Match[str], _language: str) -> str:
    """Read MP3, H2O and v2.0: letters and numbers separately."""
    parts = re.findall(r"[A-Za-z]+|\d+|\.", match[0])
    words = ["point" if part == "." else part for part in parts]
    fraction = len(words) - 1 if "point" in words else -1
    return replacement(
        match,
        " ".join(
            (digits(word) if index == fraction else whole(word)) if word.isdigit() else word
            for index, word in enumerate(words)
        ),
    )


def _suffixed(match: re.Match[str], _language: str) -> str:
    """Read 3D, 4K, 12b and 2.5M: a number and a letter, or a scale if the number has a point."""
    number, letters = match["number"], match["letters"]
    whole_part, point, after = number.partition(".")
    words = whole(whole_part) + (f" point {digits(after)}" if point else "")
    if point and letters in _SCALE:
        letters = _SCALE[letters]
    elif letters in ("M", "B", "T") and not _ADDRESS.match(match.string, match.end()):
        raise SpellingError("number", f"{match[0]!r} may be a name or a number; write it in words")
    return replacement(match, f"{words} {letters}")


def _four_digits(match: re.Match[str], _language: str) -> str | None:
    """Read four digits as a year, a quantity or two pairs by their context, or refuse them."""
    text, number = match.string, match["number"]
    reading = reading_of_four_digits(text, *match.span("number"))
    if match["own"] and 1100 <= int(number) < 2100:
        reading = "year"
    if reading is None:
        raise SpellingError(
            "number",
            f"{match[0]!r} may be a year or a quantity here; write it in words, or a quantity "
            f"with a comma, {number[0]},{number[1:]}",
        )
    words = {"year": year, "quantity": cardinal, "pairs": pairs}[reading](int(number))
    return replacement(match, words + match["own"])


def _range(match: re.Match[str], _language: str) -> str | None:
    """Read a rising range with `to`; the second of two years may have two digits."""
    low, high = match[1], match[2]
    if _is_year(low) and (_is_year(high) or (len(high) == 2 and high > low[2:])):
        reading = reading_of_four_digits(match.string, match.start(), match.end())
        if reading == "year":
            link = "to " if len(high) == 2 or low < high else ""
            return replacement(match, f"{year(int(low))} {link}{short_year(high)}")
        if reading is None or len(high) == 2:
            raise SpellingError(
                "number", f"{match[0]!r} may be years or quantities here; write it in words"
            )
    if _word_before(match) in NAMED_BY_NUMBER:  # Boeing 737-800
        return f"{low} {high}"
    if _is_year(low) and len(high) == 1:  # 2005-6
        return None
    rising = float(low.replace(",", "")) < float(high.replace(",", ""))
    return f"{low} {'to ' * rising}{high}"


def _is_year(text: str) -> bool:
    return re.fullmatch("1[1-9][0-9]{2}|20[0-9]{2}", text) is not None


_ALONE = r"(?<![\w.,:/+-])"
_NUM = r"(?:\d{1,3}(?:,\d{3})+|\d{1,9})(?:\.\d{1,9})?"

BEFORE_UNITS: tuple[Rule, ...] = (
    *ENGLISH_CODES,
    rule(
        "letters before a plural number",
        r"(?<![^\W_])(?P<letters>[A-Za-z]+)-?(?P<number>(?!0\d)\d{1,3})s(?!\w)",
        _letters_plural,
        DIGITS,
        [("en", "MP3s, F-16s, mid-30s", "MP threes, F sixteens, mid thirties")],
    ),
    rule(
        "hyphens about a word",
        r"(?<=\d)-(to|by|and|in|on)-(?=\d)",
        lambda match, _: f" {match[1]} ",
        "-",
        [("en", "a 9-to-5 job, 5-to-4", "a 9 to 5 job, 5 to 4")],
    ),
    rule(
        "ranges",
        rf"(?<![\w.,/:$£€¥])(?<!\d-)({_NUM})\s?-\s?({_NUM})(?![\d:/]|-\d|-[A-Z]|[.,]\d)",
        _range,
        "-",
        [
            ("en", "5-10 and 3-1", "5 to 10 and 3 1"),
            (
                "en",
                "1939-45, 1867-1934",
                "nineteen thirty nine to forty five, eighteen sixty seven to nineteen thirty four",
            ),
            ("en", "1200-1500 people", "1200 to 1500 people"),
        ],
    ),
    rule(
        "short years",
        r"(?<!\w)'0([1-9])(?!\w)",
        lambda match, _: f"oh {cardinal(int(match[1]))}",
        "'",
        [("en", "summer of '05", "summer of oh five")],
    ),
    rule(
        "plural numbers",
        r"(?<![\w.,$£€])(?P<short>'(?=[2-9]0))?(?P<number>(?!0\d)\d{1,3}(?:,\d{3})+|(?!0\d)\d{1,4})(?:(?<=0)'(?=s))?s(?!\w)",
        _plural,
        DIGITS,
        [
            ("en", "the 1990s, '80s", "the nineteen nineties, eighties"),
            (
                "en",
                "wait 10s, in his 30s, old 747s",
                "wait ten seconds, in his thirties, old seven hundred forty sevens",
            ),
        ],
    ),
)
"""Rules applied before the rules for units."""

AFTER_UNITS: tuple[Rule, ...] = (
    STROKES,
    rule(
        "products",
        rf"{_ALONE}([1-9]\d{{0,2}})x([1-9]\d{{0,2}})(?!\w|[.,:/-]\d)",
        lambda match, _: replacement(
            match, f"{cardinal(int(match[1]))} by {cardinal(int(match[2]))}"
        ),
        DIGITS,
        [("en", "a 2x4", "a two by four")],
    ),
    rule(
        "letters with numbers",
        r"(?<![\w'])(?<!\w[.,:/])(?<!\d-)(?:[A-Za-z]+\d{1,3})+(?:[A-Z]{1,3}|\.\d+)?(?!\w|-[\dA-Z]|[.,:/]\d)",
        _letters,
        DIGITS,
        [("en", "MP3, H2O, R2D2, v2.0", "MP three, H two O, R two D two, v two point zero")],
    ),
    rule(
        "numbers with letters",
        rf"{_ALONE}(?P<number>\d{{1,3}}(?:\.\d+)?)(?P<letters>[A-Z]{{1,3}}|[ac-ln-ru-zb])(?!\w|-[\dA-Z]|[.,:/]\d)",
        _suffixed,
        DIGITS,
        [("en", "3D, 4K, 12b, 2.5M", "three D, four K, twelve b, two point five million")],
    ),
    rule(
        "four digits",
        r"(?<![\d.,:/])(?P<number>\d{4})(?P<own>(?:'s)?)(?!\w|[.,:/-]\d)",
        _four_digits,
        DIGITS,
        [
            ("en", "in 1995 or 2005", "in nineteen ninety five or two thousand five"),
            ("en", "1101 of them", "one thousand one hundred one of them"),
            ("en", "room 1204", "room twelve oh four"),
        ],
    ),
)
"""Rules applied after the rules for units."""
