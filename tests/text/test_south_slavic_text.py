"""Bosnian, Croatian and Serbian numbers, signs and units of every kind in sentences.

The expected values of south_slavic_text.tsv were written by hand before the rules were run on them.
"""

import csv
from collections import Counter
from pathlib import Path

import pytest

from fonoteka.phones import SOUTH_SLAVIC
from fonoteka.text.normalizer import normalize
from fonoteka.text.rule import SpellingError

REFUSED = "REFUSED "
with Path(__file__).with_name("south_slavic_text.tsv").open(encoding="utf-8", newline="") as _file:
    CASES = list(csv.DictReader(_file, delimiter="\t", quoting=csv.QUOTE_NONE))
READ = [c for c in CASES if not c["expected"].startswith(REFUSED)]
NOT_READ = [c for c in CASES if c["expected"].startswith(REFUSED)]


def name(case):
    return f"{case['language']}: {case['text']}"


@pytest.mark.parametrize("case", READ, ids=name)
def test_a_text_is_read_as_speakers_read_it(case):
    assert normalize(case["text"], case["language"]) == case["expected"]


@pytest.mark.parametrize("case", NOT_READ, ids=name)
def test_an_ambiguous_text_is_refused_with_its_reason(case):
    with pytest.raises(SpellingError) as caught:
        normalize(case["text"], case["language"])
    assert caught.value.reason == case["expected"].removeprefix(REFUSED)


def test_every_kind_has_cases_in_each_language():
    kinds = Counter(case["kind"] for case in CASES)
    assert min(kinds.values()) >= 5
    for language in SOUTH_SLAVIC:
        assert len({c["kind"] for c in CASES if c["language"] == language}) > 8


@pytest.mark.parametrize("language", SOUTH_SLAVIC)
@pytest.mark.parametrize("space", [" ", "\u00a0", "\u2009", "\u202f", ""])
def test_any_space_may_precede_a_unit(space, language):
    assert normalize(f"oko 5{space}km", language) == "oko pet kilometara"
    assert normalize(f"oko 5{space}%", language).startswith("oko pet ")


@pytest.mark.parametrize(
    ("language", "expected"), [("hr", "šest litara"), ("bs", "šest litara"), ("sr", "šest litara")]
)
def test_the_noun_agrees_with_the_last_part_of_a_decimal(language, expected):
    """As with a comma: dva zarez pet litara, dva zarez jedan kilogram."""
    assert normalize("2.6 l", language).endswith(expected)
    for number in ("2.1", "2.3", "2.5", "2.11"):
        comma = normalize(f"{number.replace('.', ',')} kg", language)
        assert normalize(f"{number} kg", language) == comma.replace(
            "zarez", "točka" if language == "hr" else "tačka"
        )
