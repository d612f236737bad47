"""A small corpus is heard more often beside a large one."""

from __future__ import annotations

import pytest
from corpus_maker import utterance

from fonoteka.models.oversampling import repeated

TOLD = [utterance("large/a", 1), utterance("small/b", 2), utterance("large/c", 3)]


def test_items_of_a_corpus_stand_as_often_as_asked_and_others_once():
    assert repeated(TOLD, "xyz", {"small": 3}) == ["x", "y", "y", "y", "z"]
    assert repeated(TOLD, "xyz", {}) == ["x", "y", "z"]


@pytest.mark.parametrize("times", [{"small": 0}, {"none": 2}])
def test_a_corpus_that_is_not_there_and_a_number_below_1_are_refused(times):
    with pytest.raises(ValueError, match=r"makes no sense for the corpora \['large', 'small'\]"):
        repeated(TOLD, "xyz", times)
