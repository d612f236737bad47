"""English numbers of every kind, in sentences and one by one.

The expected values of english_text.tsv were written by hand before the rules were run on them.
"""

import csv
import re
from pathlib import Path

import pytest

from fonoteka.text.english.numbers import cardinal, ordinal, pairs, year
from fonoteka.text.normalizer import normalize
from fonoteka.text.rule import SpellingError

REFUSED = "REFUSED"
with Path(__file__).with_name("english_text.tsv").open(encoding="utf-8", newline="") as _file:
    CASES = list(csv.DictReader(_file, delimiter="\t", quoting=csv.QUOTE_NONE))
READ = [(case["text"], case["expected"]) for case in CASES if case["expected"] != REFUSED]
NOT_READ = [case["text"] for case in CASES if case["expected"] == REFUSED]
ORDINARY = [case["text"] for case in CASES if case["kind"] == "ordinary sentences"]


def outcome(text):
    try:
        return normalize(text, "en")
    except SpellingError:
        return REFUSED


@pytest.mark.parametrize(("text", "expected"), READ)
def test_english_numbers_are_read_as_a_whole(text, expected):
    assert normalize(text, "en") == expected


@pytest.mark.parametrize("text", NOT_READ)
def test_ambiguous_english_numbers_are_refused(text):
    with pytest.raises(SpellingError) as caught:
        normalize(text, "en")
    assert caught.value.reason in ("number", "roman numeral", "character")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("In 1984 people", "'1984' may be a year or a quantity here; .* with a comma, 1,984"),
        ("pages 1204-1217", "'1204-1217' may be years or quantities here"),
        ("On May 5 1200 men left", "'1200' after May 5 may be a year or a quantity here"),
        ("He likes 30s.", "'30s' may be seconds or a plural here"),
        ("5M users", "'5M' may be a name or a number"),
        ("the XI.", "'XI' may be read in several ways here"),
    ],
)
def test_a_refusal_names_the_number_and_its_readings(text, shown):
    with pytest.raises(SpellingError, match=shown):
        normalize(text, "en")


def test_few_ordinary_sentences_with_four_digits_are_refused():
    refused = sum(outcome(text) == REFUSED for text in ORDINARY)
    assert len(ORDINARY) >= 60
    assert refused / len(ORDINARY) < 0.06


ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
ONES += " fifteen sixteen seventeen eighteen nineteen"
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
VALUES = {
    **{word: value for value, word in enumerate(ONES.split())},
    **{word: 10 * value for value, word in enumerate(TENS.split(), 2)},
    "oh": 0,
}


def below_hundred(words):
    """Return the value of up to two words below a hundred in their usual order."""
    values = [VALUES[word] for word in words]
    if len(values) == 2:
        assert (values[0] >= 20 and 1 <= values[1] <= 9) or (words[0] == "oh" and values[1] <= 9)
    assert 1 <= len(values) <= 2
    return sum(values)


def parse_number(words):
    """Return the value of English number words by their grammar, independent of the rules.

    Either `A thousand B hundred C`, or two numbers below a hundred side by side.
    """
    if "thousand" in words or "hundred" in words:
        total = 0
        for scale, value in (("thousand", 1000), ("hundred", 100)):
            if scale in words:
                index = words.index(scale)
                total += below_hundred(words[:index]) * value
                words = words[index + 1 :]
        return total + (below_hundred(words) if words else 0)
    for index in range(len(words) - 1, 0, -1):  # the second pair has ten or more, or begins with oh
        first, last = words[:index], words[index:]
        if VALUES[last[0]] < 10 and last[0] != "oh":
            continue
        if len(first) <= 2 and len(last) <= 2 and below_hundred(first) >= 10:
            return below_hundred(first) * 100 + below_hundred(last)
    return below_hundred(words)


@pytest.mark.parametrize(
    ("reading", "first", "last"), [(cardinal, 0, 9999), (year, 1100, 2099), (pairs, 1000, 9999)]
)
def test_the_words_of_every_number_below_ten_thousand_are_that_number(reading, first, last):
    for number in range(first, last + 1):
        assert parse_number(reading(number).split()) == number


@pytest.mark.parametrize(
    ("before", "after"),
    [("since ", ", as far as we know"), ("", " people"), ("room ", "")],
    ids=["year", "quantity", "room"],
)
def test_in_a_sentence_the_words_of_a_number_are_that_number(before, after):
    for number in {*range(0, 10_000, 13), *range(990, 2110, 2)}:  # 1,200 of 10,000 to save time
        words = normalize(f"{before}{number}{after}", "en").split()
        words = words[len(before.split()) : len(words) - len(after.replace(",", "").split())]
        assert parse_number(words) == number, (number, words)


def test_years_rooms_and_quantities_differ_where_they_should():
    for number in range(2010, 2100):
        readings = [normalize(f"{context} {number}", "en") for context in ("since", "room")]
        assert readings[0].split()[1:] == readings[1].split()[1:]
        assert "thousand" not in readings[0]
    for number in range(1100, 2100):
        quantity = normalize(f"{number} people", "en")
        assert quantity.startswith(("one thousand", "two thousand"))
        assert normalize(f"{number:,} people", "en") == quantity


@pytest.mark.parametrize("number", range(1, 100))
def test_a_fraction_has_its_numbers(number):
    lower = normalize(f"{number}/{number + 100} of it", "en").removesuffix(" of it")
    assert lower.endswith(ordinal(number + 100) + "s" * (number != 1))
    assert re.match(normalize(str(number), "en") + " ", lower)
