"""The reading of four digits of English text: a year, a quantity or two pairs of digits.

`in 1984` is a year, `1200 people` a quantity, `room 1204` two pairs. The words before and after
decide; an ambiguous number, such as in `In 1984 people`, is refused, because a refused clip costs
less than a wrong transcript.

A quantity above one needs a plural after it: if no plural follows, a number after a preposition of
time, a determiner or a month is a year.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from fonoteka.text.english.context import (
    NumberContext,
    is_plural,
    is_unit,
    noun_phrase,
    number_context,
)
from fonoteka.text.english.nouns import (
    ABOUT,
    BEFORE_A_QUANTITY,
    BEFORE_A_YEAR,
    COUNTED,
    DATED,
    DETERMINERS,
    EVENTS,
    IRREGULAR,
    MADE,
    MEASURED,
    MONTHS,
    NAMED_BY_NUMBER,
    NOUNS_OF_QUANTITY,
    NOUNS_OF_TIME,
    OF_A_YEAR,
    OF_TIME,
    PAIRED,
    STREETS,
    UNIT_NOUNS,
    YEAR_AS_SUBJECT,
)

YearReading = Literal["year", "quantity", "pairs"]

_MARKS = frozenset('.,;:!?)]"-')
_CLAUSE_START = _MARKS | {"", "(", "and", "but", "that", "because"}
_WITH_A_STOP = MONTHS | {"c", "ca", "est"}
_AMOUNTS = (("or", "more"), ("or", "so"), ("or", "fewer"), ("or", "less"), ("out", "of"))
_YEAR = re.compile("1[1-9][0-9]{2}|20[0-9]{2}")
_ERAS = ("AD", "BC", "CE", "BCE")
# After these, `by` and `from` may introduce a quantity: rose by 1200.
_CHANGED = re.compile(
    r"(?<!\w)(?:gr[eo]wn?|grows|rose|risen?|rises|fell|falls?|fallen|increased?|decreased?|reduced?"
    r"|dropped|climbed|shrank|jumped|declined|expanded|ranged?|ranges|ranging)(?!\w)"
)
_BEATEN = (
    "won", "lost", "beat", "beaten", "led", "leads", "ahead", "behind", "up", "down", "cut",
    "exceeded", "outnumbered", "missed", "multiplied", "divided", "him", "her", "them",
)  # fmt: skip
_HYPHEN_AFTER = re.compile("-([A-Za-z]+)")
_HYPHEN_BEFORE = re.compile(r"(?<!\w)([A-Za-z]+)-$")
_PART_OF_A_YEAR = re.compile(r"(?<!\w)[QH] (?:one|two|three|four) (?:of )?$")
_DONE = re.compile(r"(?<!\w)(?:will|would|had|was|were|be|been|must|should|is|are)(?!\w)")
_OF_A_PEOPLE = re.compile(r"\w+(?:an|ish|ese|ch|ic|i)|Greek|Arab|Swiss|Czech|Thai")
_PEOPLES = re.compile(
    "[a-z]+(?:ans|ese|men|ish)|(?:german|turk|greek|jew|serb|croat|pole|dane|swede|finn|czech|arab"
    "|scot|spaniard|muslim|bosniak|slovene)s|swiss|french|dutch"
)


def reading_of_four_digits(text: str, start: int, end: int) -> YearReading | None:
    """Return the reading of four digits in a text, or None if several are plausible.

    Args:
        text: with its capitals and punctuation.
        start: offset of the digits; for a range such as 1939-45, of the first ones.
        end: offset after the digits, or after the range.

    >>> reading_of_four_digits("in 1984", 3, 7), reading_of_four_digits("1200 people", 0, 4)
    ('year', 'quantity')
    >>> reading_of_four_digits("room 1204", 5, 9)
    'pairs'
    >>> reading_of_four_digits("In 1984 people", 3, 7) is None
    True
    """
    context = number_context(text, start, end)
    if _is_paired(context):
        return "pairs"
    # From the safest evidence to the weakest: the form of the number, hyphens, units, eras, and
    # only then the word before it, after which many numbers stay ambiguous.
    if not all(_YEAR.fullmatch(str(number)) for number in context.numbers):
        return "quantity"
    if (reading := _hyphened(text, start, end)) != "no":
        return reading
    if is_unit(context.after):
        return "pairs" if context.before[-1] == "at" and context.after[0] == "hours" else "quantity"
    if _has_era(context):
        return "year"
    following = (context.after[0].lower(), context.after[1].lower())
    if following[0] == "+" or following in _AMOUNTS:
        return "quantity"
    return _by_word_before(context)


def _is_paired(context: NumberContext) -> bool:
    """Return whether a number is read in pairs: of a room, a flight or a house in a street."""
    words = [word for word in context.before if word not in ("number", "no", ".", "#")]
    if re.search(r"[Ff]light [A-Z]{2} $", context.text):  # of an airline
        return True
    if words[-1] in PAIRED and not (words[-1] == "train" and noun_phrase(context.after)):
        return True
    capitals = noun_phrase(context.after)
    streets = [word.lower() in STREETS for word in capitals]
    return any(streets) and all(word[0].isupper() for word in capitals[: streets.index(True) + 1])


def _hyphened(text: str, start: int, end: int) -> YearReading | Literal["no"] | None:
    """Return the reading from a word joined by a hyphen; `no` if there is none."""
    after = _HYPHEN_AFTER.match(text, end)
    before = _HYPHEN_BEFORE.search(text, max(0, start - 20), start)
    if before:
        return "year" if before[1].lower() in ("mid", "pre", "post", "early", "late") else None
    if after is None:
        return "no"
    word = after[1].lower()
    if word in DATED:
        return "year"
    return "quantity" if word in UNIT_NOUNS or word in ("strong", "odd", "plus") else None


def _has_era(context: NumberContext) -> bool:
    era = "".join(context.after[:3])  # A.D., B.C.
    return context.before[-1] == "ad" or era in ("A.D", "B.C") or context.after[0] in _ERAS


def _by_word_before(context: NumberContext) -> YearReading | None:
    before = list(context.before)
    while len(before) > 2 and before[-1] in ABOUT and before[-2] in OF_TIME:
        before.pop()
    if before[-1] == "." and before[-2] in _WITH_A_STOP:
        before.pop()
    word = before[-1]
    if _PART_OF_A_YEAR.search(context.text):
        return "year"
    if word == "of":
        return _after_of(context, before[-2])
    if word in BEFORE_A_YEAR:
        return None if any(map(is_plural, noun_phrase(context.after))) else "year"
    if word in OF_TIME or _leads_back(before):
        return _after_preposition(context, word)
    if word in DETERMINERS or word.endswith("'s"):
        return _after_determiner(context, word)
    return _elsewhere(context, before)


def _leads_back(before: Sequence[str]) -> bool:
    """Return whether a phrase before it introduces a year: as early as, later than, prior to."""
    pair = tuple(before[-2:])
    if pair[-1] == "as":
        return before[-2] in ("early", "late", "recently", "back")
    if pair[-1] == "than":
        return before[-2] in ("earlier", "later")
    return pair[-1] == "to" and before[-2] in ("prior", "back", "dates", "dated", "dating")


def _after_of(context: NumberContext, noun: str) -> YearReading | None:
    """Read a number after `of`: the summer of 1984, a total of 1200."""
    if any(map(is_plural, noun_phrase(context.after))):
        return None if noun in NOUNS_OF_TIME else "quantity"
    if noun in NOUNS_OF_QUANTITY:
        return "quantity"
    if noun == "as":
        return "year"
    capital = re.search(r"(?<!^)[A-Z][a-z]+ of $", context.text)
    return "year" if noun in NOUNS_OF_TIME or capital else None


def _after_preposition(context: NumberContext, word: str) -> YearReading | None:
    """Read a number after a preposition of time, with or without a noun after it."""
    phrase = noun_phrase(context.after)
    rounded = all(number % 50 == 0 for number in context.numbers)
    clause = re.split(r"[.;:!?]\s", context.text)[-1]
    done, changed = _DONE.search(clause), _CHANGED.search(clause) is not None
    if word == "by" and (changed or context.before[-2] in _BEATEN):
        near = changed and _CHANGED.fullmatch(context.before[-2]) is None
        return None if done or near else "quantity"
    if len(context.numbers) > 1 and rounded and any(map(is_plural, phrase[:1])):
        return "quantity"
    if changed and word in ("from", "between"):
        return None
    if word == "in" and rounded and (context.before[-2].isdigit() or context.before[-2] == "one"):
        return None  # 1 in 1200
    if context.after[0] == "of":
        counted = context.after[1].lower() in (
            "them",
            "these",
            "those",
            "the",
            "which",
            "us",
            "our",
        )
        return "quantity" if counted else "year"
    if word == "since" and rounded and context.after[0] in ("was", "is"):
        return None  # `since` may mean `because`: since 1200 were
    if not phrase:
        unsure = word == "between" or (word == "by" and context.before[-2] and not done)
        return None if unsure and rounded else "year"
    if phrase[0].lower() in MEASURED:
        return "quantity"
    if phrase[0][0].isupper() and not _PEOPLES.fullmatch(phrase[0].lower()):
        towns = _OF_A_PEOPLE.fullmatch(phrase[0]) and any(map(is_plural, phrase))
        return None if towns else "year"  # in 1200 German towns, but in 1492 Columbus
    return None if any(map(is_plural, phrase)) else "year"


def _after_determiner(context: NumberContext, word: str) -> YearReading | None:
    """Read a number between a determiner and a noun: the 1999 film, the 1200 students."""
    phrase = noun_phrase(context.after)
    lower = [noun.lower() for noun in phrase]
    if not phrase:
        return "year" if word.endswith("'s") else None
    if lower[0] in COUNTED or lower[0] in IRREGULAR:
        return "quantity"
    if not EVENTS.isdisjoint(lower) or (
        phrase[0][0].isupper() and not _PEOPLES.fullmatch(lower[0])
    ):
        return "year"
    if not COUNTED.isdisjoint(lower) or not IRREGULAR.isdisjoint(lower):
        return "quantity"
    if any(map(is_plural, phrase)):
        return None
    # A quantity needs a plural, but `a 1500 signature petition` is possible with round numbers.
    return None if context.numbers[0] % 100 == 0 else "year"


def _elsewhere(context: NumberContext, before: Sequence[str]) -> YearReading | None:
    """Read a number without a preposition of time or a determiner before it."""
    phrase, after, last = noun_phrase(context.after), context.after[0].lower(), before[-1]
    if any(map(is_plural, phrase)):
        dated = not (EVENTS | OF_A_YEAR).isdisjoint(map(str.lower, phrase))
        return None if dated or _is_name(context.text, last) else "quantity"
    if after in ("of", "each", "altogether", "were", "are"):
        return "quantity"
    if phrase:
        return None
    if last in BEFORE_A_QUANTITY or last in ("+", "=", "×"):
        return "quantity"
    if last == "than":
        more = ("more", "less", "fewer", "greater", "higher", "lower", "larger", "smaller")
        return "quantity" if before[-2] in more else None
    if last in ABOUT:
        return "year" if before[-2] in MADE else None
    return _alone(context, before)


def _is_name(text: str, last: str) -> bool:
    """Return whether a number belongs to the name before it: Windows 2000, but in London 1200."""
    if last in NAMED_BY_NUMBER:
        return True
    named = re.search(r"(\w+|[.!?\"]|^)\s?(?<!^)(?<![.!?\"] )(?<!\w)[A-Z]\w* $", text)
    return named is not None and named[1].lower() not in ("in", "at", "from", "on", "near")


def _alone(context: NumberContext, before: Sequence[str]) -> YearReading | None:
    """Read a number without a noun after it: a subject, in brackets, after a comma."""
    after, last = context.after[0].lower(), before[-1]
    numbers, with_year = context.numbers, "year" in context.after[:8]
    rounded = all(number % 50 == 0 for number in numbers)
    if last in ("(", "[") and after in _MARKS:
        sure = not rounded or re.search(r"[A-Z][\w'\".]*\s?[(\[]$", context.text) is not None
    elif len(numbers) > 1 and last in _CLAUSE_START:
        page = before[-2] in ("p", "pp", "no", "nos")
        sure = numbers[0] < numbers[1] and not rounded and not page
    elif last in _CLAUSE_START and after in ("was", "is", "has", "will", *YEAR_AS_SUBJECT):
        sure = after in YEAR_AS_SUBJECT or with_year or (not rounded and after != "is")
    elif last in ("was", "is"):
        sure = before[-2] == "year" or (before[-2] in ("it", "now") and not rounded)
    else:
        named = re.search(r"[A-Z][a-z]+, $", context.text)
        sure = named is not None and not rounded and (not after or after in _MARKS)
    return "year" if sure else None
