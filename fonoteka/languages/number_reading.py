"""Words of whole numbers from the tables of a description."""

from __future__ import annotations

from fonoteka.languages.description import NumberWords

LARGEST = 999_999


def number_words(number: int, words: NumberWords) -> str:
    """Return a whole number in words, 0 to 999999.

    >>> from fonoteka.languages.description import described
    >>> number_words(1234, described("mk").numbers)
    'илјада двесте триесет и четири'
    >>> number_words(45_021, described("sl").numbers)
    'petinštirideset tisoč enaindvajset'
    """
    assert 0 <= number <= LARGEST, number
    if number == 0:
        return words.units[0]
    above, below = divmod(number, 1000)
    spoken: list[str] = []
    if above:
        if above > 1:
            before = _joined(_parts(above, words, words.before_thousands), words.last_joiner)
            spoken.append(before)
        is_one = above % 10 == 1 and above % 100 != 11
        spoken.append(words.thousand if is_one else words.thousands)
    return _joined([*spoken, *_parts(below, words, {})], words.last_joiner if below else "")


def _parts(number: int, words: NumberWords, replaced: dict[int, str]) -> list[str]:
    """Return the words of 0 to 999; 0 has none."""
    hundreds, rest = divmod(number, 100)
    parts = [words.hundreds[hundreds - 1]] if hundreds else []
    if rest < 20:
        return [*parts, replaced.get(rest, words.units[rest])] if rest else parts
    tens, unit = words.tens[rest // 10 - 2], rest % 10
    if not unit:
        return [*parts, tens]
    if words.compound:
        return [*parts, words.compound.format(unit=words.units[unit], tens=tens)]
    return [*parts, tens, replaced.get(unit, words.units[unit])]


def _joined(parts: list[str], joiner: str) -> str:
    if joiner and len(parts) > 1:
        return " ".join([*parts[:-1], joiner, parts[-1]])
    return " ".join(parts)
