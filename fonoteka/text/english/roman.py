"""Roman numerals of English text, if the word before them names what they count.

After a ruler II is `the second`, after a chapter or a world war `two`. Elsewhere a numeral of two
or more letters is refused, because `XI` may be eleven, the eleventh or a name. `I` alone is the
pronoun; `V`, `X` and groups with L, C, D or M, such as CD and XL, are kept unless a counted noun
precedes.
"""

from __future__ import annotations

import re

from fonoteka.text.english.numbers import cardinal, ordinal
from fonoteka.text.english.units import DIGITS
from fonoteka.text.numerals import from_roman
from fonoteka.text.rule import Example, Rule, SpellingError, rule

_COUNTED = frozenset((
    "war", "part", "chapter", "act", "scene", "type", "phase", "volume", "title", "section",
    "class", "book", "bowl", "level", "grade", "stage", "article", "apollo", "episode", "appendix",
    "figure", "table", "factor", "schedule", "tier", "division", "group", "mark", "vatican",
    "rocky", "fantasy", "saturn", "lesson", "unit", "canto", "psalm", "corps", "vol", "ch", "fig",
    "pt",
))  # fmt: skip
_SHORT = {"vol": "volume", "ch": "chapter", "fig": "figure", "pt": "part"}
_RULERS = frozenset((
    "henry", "elizabeth", "george", "edward", "william", "charles", "james", "richard", "louis",
    "paul", "benedict", "pius", "philip", "catherine", "alexander", "nicholas", "peter", "francis",
    "frederick", "napoleon", "john", "mary", "ivan", "leopold", "wilhelm", "gregory", "innocent",
    "clement", "leo", "urban", "otto", "ferdinand", "gustav", "harald", "christian", "alfonso",
    "pedro", "felipe", "ramses", "rameses", "ptolemy", "xerxes", "darius", "constantine",
    "justinian", "mehmed", "suleiman", "selim", "murad", "haakon", "robert", "malcolm", "emmanuel",
    "umberto", "sixtus", "boniface", "celestine", "thutmose", "amenhotep", "bela", "sigismund",
    "rudolf", "joseph", "maximilian", "albert", "baldwin", "cyrus", "carlos",
))  # fmt: skip
_TITLES = frozenset((
    "king", "queen", "pope", "emperor", "empress", "tsar", "czar", "sultan", "prince", "pharaoh",
    "kaiser", "patriarch", "saint", "duke", "shah",
))  # fmt: skip
# Verbs of the first person: in `King John I know`, I is the pronoun.
_OF_THE_SPEAKER = frozenset((
    "am", "have", "know", "knew", "think", "thought", "saw", "see", "love", "loved", "like",
    "liked", "met", "mean", "meant", "read", "remember", "wanted", "want", "do", "never", "always",
    "took", "wrote", "bought", "need",
))  # fmt: skip
_NUMERALS_BEFORE = re.compile(r"(?:(?<!\w)[IVXLC]+(?:,|\s*-|\s+(?:and|or|to|through))\s*)+$")
_NUMERAL_AFTER = re.compile(r"(?:,|\s*-|\s+(?:and|or|to|through))\s*[IVX]{2}")
_WORDS_BEFORE = re.compile(r"(?:[A-Za-z]+\.?\s+){0,2}[A-Za-z]+\.?[\s-]+$")
_WORD_AFTER = re.compile(r"\s+([A-Za-z]+)")
_ENDS = re.compile(r"\s*(?:[.;:)!?\"]|$)")
_LOWER = re.compile(r"(?<![\w'])(?:i{2,3}|[vx]i{2,3})(?![\w])")


def _roman(match: re.Match[str], _language: str) -> str | None:
    """Return a Roman numeral in words after a ruler's name or a counted noun."""
    value = from_roman(match["roman"])
    *titles, name = _words_before(match)
    if value is not None and not match["letter"]:
        if _is_counted(name, match):
            return cardinal(value)
        if _is_ruler(titles, name, value, match):
            return f"the {ordinal(value)}"
    if match["letter"] or (value is not None and _looks_counted(match["roman"])):
        raise _several_ways(match[0])
    return None


def _several_ways(numeral: str) -> SpellingError:
    return SpellingError(
        "roman numeral", f"{numeral!r} may be read in several ways here; write it in words"
    )


def _looks_counted(numeral: str) -> bool:
    """Return whether a numeral is unlikely to be a word or an acronym, as CD, XL and MIX are."""
    return len(numeral) > 1 and (set(numeral) <= set("IVX") or len(numeral) > 3)


def _words_before(match: re.Match[str]) -> list[str]:
    """Return up to three words before a numeral, or before the numerals that it is listed with."""
    text = match.string[max(0, match.start() - 60) : match.start()]
    words = _WORDS_BEFORE.search(_NUMERALS_BEFORE.sub("", text))
    return words[0].replace(".", " ").replace("-", " ").split() if words else [""]


def _is_counted(name: str, match: re.Match[str]) -> bool:
    noun, numeral = name.lower(), match["roman"]
    if noun not in _COUNTED and noun.removesuffix("s") not in _COUNTED:
        return False
    if len(numeral) > 1:
        return noun != "bowl" or name[0].isupper()  # of Super Bowl
    if _NUMERAL_AFTER.match(match.string, match.end()):
        return True
    if numeral == "I" and _ENDS.match(match.string, match.end()):  # in part I.
        return True
    # `The part I like` and `class C` do not count; a capital noun before I, V or X is a title.
    return name[0].isupper() and numeral in "IVX" and not (numeral == "I" and _of_speaker(match))


def _is_ruler(titles: list[str], name: str, value: int, match: re.Match[str]) -> bool:
    if not name[:1].isupper() or name.lower() not in _RULERS or match["roman"] in "XLCDM":
        return False
    if value > 1 or match.string.startswith("'s", match.end()):
        return True
    return not _TITLES.isdisjoint(map(str.lower, titles)) and not _of_speaker(match)


def _of_speaker(match: re.Match[str]) -> bool:
    after = _WORD_AFTER.match(match.string, match.end())
    return after is not None and after[1].lower() in _OF_THE_SPEAKER


def _refuse_lower(text: str, _language: str) -> tuple[str, int]:
    """Refuse ii, iii, vii, viii, xii and xiii, which are not words."""
    if "ii" in text and (numeral := _LOWER.search(text)):
        raise _several_ways(numeral[0])
    return text, 0


def _world_war(match: re.Match[str], _language: str) -> str:
    return f"World War {cardinal(from_roman(match[1]) or int(match[1]))}"


def _short(match: re.Match[str], _language: str) -> str:
    name = _SHORT[match[1].lower()]
    return name.capitalize() if match[1][0].isupper() else name


ENGLISH_ROMAN: tuple[Rule, ...] = (
    rule(
        "short nouns before a number",
        r"(?<![^\W_])([Vv]ol|[Cc]h|[Ff]ig|[Pp]t)\.(?=\s?(?:\d|[IVX]+(?![^\W_])))",
        _short,
        DIGITS + "IVX",
        [("en", "Vol. II, fig. 3, etc.", "Volume II, figure 3, etc.")],
    ),
    rule(
        "world wars",
        r"(?<![^\W_])WW(III?|I|[123])(?![^\W_])",
        _world_war,
        "W",
        [("en", "after WWII, in WW1", "after World War two, in World War one")],
    ),
    rule(
        "roman numerals",
        r"(?<!\w)(?<!\w')(?P<roman>[IVXLCDM]+)(?P<letter>(?:(?<=[IVX]{2})[a-h])?)"
        r"(?!\w)(?!'(?!s?(?!\w)))",
        _roman,
        "IVX",
        [
            ("en", "World War II, Henry VIII", "World War two, Henry the eighth"),
            ("en", "Henry VIII's, Chapter IV", "Henry the eighth's, Chapter four"),
            ("en", "John and I, vitamin X, a CD", "John and I, vitamin X, a CD"),
        ],
    ),
    Rule(
        "lower roman numerals",
        _refuse_lower,
        frozenset("i"),
        (Example("en", "skiing in Hawaii", "skiing in Hawaii"),),
    ),
)
"""Roman numerals, and the abbreviations that precede them."""
