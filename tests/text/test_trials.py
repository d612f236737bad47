"""Sentences of `../shared/trials/text.tsv`, where that folder exists, with their right readings."""

from __future__ import annotations

import csv
import re

import pytest
from corpus_maker import SHARED

from fonoteka.text import SpellingError, normalize

TRIALS = SHARED.with_name("trials") / "text.tsv"
REFUSED = "refused"
ROWS = 49


def readings(right: str) -> set[str]:
    """Return the accepted readings of a row such as `a half (or one half), or refused`."""
    text, _, other = right.partition(" (or ")
    accepted = {REFUSED if part.startswith(REFUSED) else part for part in text.split(", or ")}
    return accepted | ({other.rstrip(")")} if other else set())


def reading(text: str, language: str) -> str:
    """Return the canonical text, or that it is refused."""
    try:
        return normalize(text, language)
    except SpellingError:
        return REFUSED


@pytest.mark.skipif(not TRIALS.is_file(), reason=f"{TRIALS} is not there")
def test_every_trial_has_a_right_reading():
    with TRIALS.open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
    assert len(rows) == ROWS
    wrong = []
    for row in rows:
        result = reading(row["text"], row["language"])
        banned = re.fullmatch(r'no word "(\w+)"', row["right"])
        right = banned[1] not in result.split() if banned else result in readings(row["right"])
        if not right:
            wrong.append((row["language"], row["text"], row["right"], result))
    assert not wrong
