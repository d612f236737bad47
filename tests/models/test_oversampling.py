"""Items of a small corpus are repeated."""

from __future__ import annotations

import pytest
from corpus_maker import utterance

from fonoteka.models.oversampling import oversample

TOLD = [utterance("large/a", 1), utterance("small/b", 2), utterance("large/c", 3)]


def test_items_of_a_corpus_are_repeated_as_requested():
    assert oversample(TOLD, "xyz", {"small": 3}) == ["x", "y", "y", "y", "z"]
    assert oversample(TOLD, "xyz", {}) == ["x", "y", "z"]


@pytest.mark.parametrize("times", [{"small": 0}, {"none": 2}])
def test_an_unknown_corpus_and_a_number_below_1_are_refused(times):
    with pytest.raises(ValueError, match=r"is not valid for the corpora \['large', 'small'\]"):
        oversample(TOLD, "xyz", times)
