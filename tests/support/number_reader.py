"""A parser of number words with its own grammar: words in, values out.

A pattern describes the words of a text:

    7           the number 7 in words; an ordinal is `Ordinal(7)`
    "kilomet*"  a word with this prefix; without the star, exactly this word
    Either(..)  one of several patterns
    [..]        each after the other

`matches` returns whether all words match a pattern, so a dropped, added or changed digit or unit
does not match.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

_SOUTH_ONES = {
    "nula": 0, "jedan": 1, "jedna": 1, "jedno": 1, "jednu": 1, "dva": 2, "dvije": 2, "dve": 2,
    "tri": 3, "četiri": 4, "pet": 5, "šest": 6, "sedam": 7, "osam": 8, "devet": 9,
}  # fmt: skip
_SOUTH_TEENS = {
    "deset": 10, "jedanaest": 11, "dvanaest": 12, "trinaest": 13, "četrnaest": 14, "petnaest": 15,
    "šesnaest": 16, "sedamnaest": 17, "osamnaest": 18, "devetnaest": 19,
}  # fmt: skip
_SOUTH_TENS = {
    "dvadeset": 20, "trideset": 30, "četrdeset": 40, "pedeset": 50, "šezdeset": 60,
    "sedamdeset": 70, "osamdeset": 80, "devedeset": 90,
}  # fmt: skip
_SOUTH_HUNDREDS = {
    "sto": 100, "dvjesto": 200, "dvesta": 200, "tristo": 300, "trista": 300, "četiristo": 400,
    "petsto": 500, "šesto": 600, "šeststo": 600, "sedamsto": 700, "osamsto": 800, "devetsto": 900,
}  # fmt: skip
_SOUTH_SCALES = {
    **dict.fromkeys(("tisuću", "tisuća", "tisuće", "hiljadu", "hiljada", "hiljade"), 10**3),
    **dict.fromkeys(("milijun", "milijuna", "milion", "miliona"), 10**6),
    **dict.fromkeys(("milijarda", "milijarde", "milijardi"), 10**9),
}
_SOUTH_ORDINALS = {
    "nult": 0, "prv": 1, "drug": 2, "treć": 3, "četvrt": 4, "šest": 6, "sedm": 7, "osm": 8,
    **{word: value for word, value in _SOUTH_ONES.items() if word in ("pet", "devet")},
    **_SOUTH_TEENS, **_SOUTH_TENS, "stot": 100, "dvjestot": 200, "dvestot": 200, "tristot": 300,
    "četiristot": 400, "petstot": 500, "šestot": 600, "šeststot": 600, "sedamstot": 700,
    "osamstot": 800, "devetstot": 900, "tisućit": 1000, "hiljadit": 1000, "dvijetisućit": 2000,
    "dvijehiljadit": 2000, "dvehiljadit": 2000,
}  # fmt: skip
_SOUTH_ENDINGS = (
    "i", "a", "o", "e", "u", "og", "oga", "eg", "ega", "om", "em", "oj", "im", "ih", "ak",
    "ero", "oro",
)  # fmt: skip
_ENGLISH = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_ENGLISH_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90,
}  # fmt: skip
_ENGLISH_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_ENGLISH_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fifth": 5, "eighth": 8, "ninth": 9, "twelfth": 12,
    **{word + "th": value for word, value in _ENGLISH.items()},
    **{word[:-1] + "ieth": value for word, value in _ENGLISH_TENS.items()},
}  # fmt: skip


@dataclass(frozen=True)
class Ordinal:
    """A number in words as an ordinal."""

    value: int


@dataclass(frozen=True)
class Either:
    """Alternative patterns."""

    patterns: tuple[Pattern, ...]


Pattern = int | str | Ordinal | Either | Sequence["Pattern"]


def matches(pattern: Pattern, text: str, language: str) -> bool:
    """Return whether a pattern matches all words of a text."""
    words = text.split()
    return len(words) in _ends(pattern, words, 0, language)


def _ends(pattern: Pattern, words: Sequence[str], index: int, language: str) -> set[int]:
    """Return the indices at which a match of a pattern from an index may end."""
    if isinstance(pattern, str):
        word = words[index] if index < len(words) else ""
        begins = pattern.endswith("*") and word.startswith(pattern[:-1])
        return {index + 1} if word and (word == pattern or begins) else set()
    if isinstance(pattern, Ordinal):
        return {end for value, end in _ordinals(words, index, language) if value == pattern.value}
    if isinstance(pattern, int):
        return {end for value, end in cardinals(words, index, language) if value == pattern}
    if isinstance(pattern, Either):
        return set().union(*(_ends(option, words, index, language) for option in pattern.patterns))
    ends = {index}
    for part in pattern:
        ends = set().union(*(_ends(part, words, end, language) for end in ends))
    return ends


def cardinals(words: Sequence[str], index: int, language: str) -> Iterator[tuple[int, int]]:
    """Yield every number that begins at an index, with the index after it.

    >>> list(cardinals("dvije tisuće pet".split(), 0, "hr"))
    [(2, 1), (2000, 2), (2005, 3)]
    >>> list(cardinals("one hundred one".split(), 0, "en"))
    [(1, 1), (100, 2), (101, 3)]
    """
    begin = _english_group if language == "en" else _south_group
    scales = _ENGLISH_SCALES if language == "en" else _SOUTH_SCALES
    bare = (
        frozenset() if language == "en" else frozenset(("tisuću", "hiljadu", "milijun", "milion"))
    )
    yield from _scaled(words, index, 0, 10**12, partial(begin, words), scales, bare)


def _scaled(words, index, total, below, group, scales, bare):  # type: ignore[no-untyped-def]
    """Yield sums of groups of three digits, each of a smaller scale than the one before."""
    word = words[index] if index < len(words) else ""
    if word in bare and scales[word] < below:
        yield total + scales[word], index + 1
        yield from _scaled(
            words, index + 1, total + scales[word], scales[word], group, scales, bare
        )
    for value, end in group(index):
        if value == 0 and total:
            continue
        if below > 1:
            yield total + value, end
        word = words[end] if end < len(words) else ""
        scale = None if word in ("tisuću", "hiljadu") else scales.get(word)
        if value and scale and scale < below and value < 1000:
            subtotal = total + value * scale
            yield subtotal, end + 1
            yield from _scaled(words, end + 1, subtotal, scale, group, scales, bare)


def _south_group(words: Sequence[str], index: int) -> Iterator[tuple[int, int]]:
    """Yield numbers below 1000: hundreds, tens and ones, each optional."""
    tables = (_SOUTH_HUNDREDS, {**_SOUTH_TENS, **_SOUTH_TEENS}, _SOUTH_ONES)
    total, table = 0, 0
    while index < len(words):
        for number in range(table, 3):
            value = tables[number].get(words[index])
            if value is not None and not (value == 0 and total):
                break
        else:
            return
        total, index = total + value, index + 1
        table = 3 if 10 <= value < 20 or value < 10 else number + 1
        yield total, index


def _english_group(words: Sequence[str], index: int) -> Iterator[tuple[int, int]]:
    """Yield numbers below 10,000: up to ninety nine hundred, then tens, then ones."""
    for value, end in _english_pair(words, index):
        yield value, end
        if value and end < len(words) and words[end] == "hundred":
            yield value * 100, end + 1
            for rest, after in _english_pair(words, end + 1):
                if rest:
                    yield value * 100 + rest, after


def _english_pair(words: Sequence[str], index: int) -> Iterator[tuple[int, int]]:
    word, following = [*words[index : index + 2], "", ""][:2]
    if word in _ENGLISH:
        yield _ENGLISH[word], index + 1
    elif word in _ENGLISH_TENS:
        yield _ENGLISH_TENS[word], index + 1
        if 0 < _ENGLISH.get(following, 0) < 10:
            yield _ENGLISH_TENS[word] + _ENGLISH[following], index + 2


def _ordinals(words: Sequence[str], index: int, language: str) -> Iterator[tuple[int, int]]:
    """Yield every ordinal: a number whose last word has an ordinal ending."""
    for end in range(index, min(index + 8, len(words))):
        for last in _last_of_ordinal(words[end], language):
            size = 10 if last < 10 else 100 if last < 100 else 1000 if last < 1000 else 10**4
            if end == index:
                yield last, end + 1
            for value, after in cardinals(words, index, language):
                if after == end and value % (100 if 10 <= last < 20 else size) == 0 and last:
                    yield value + last, end + 1


def _last_of_ordinal(word: str, language: str) -> list[int]:
    if language == "en":
        return [_ENGLISH_ORDINALS[word]] if word in _ENGLISH_ORDINALS else []
    stems = (word.removesuffix(ending) for ending in _SOUTH_ENDINGS if word.endswith(ending))
    return [_SOUTH_ORDINALS[stem] for stem in stems if stem in _SOUTH_ORDINALS]
