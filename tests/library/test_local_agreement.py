"""Hypotheses agree on their common beginning, and not on what is equal after a difference."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fonoteka.streaming.local_agreement import agreed_count

TEXTS = st.text("abc")


@given(TEXTS, TEXTS)
def test_what_is_equal_after_a_difference_is_not_agreed(common, end):
    assert agreed_count([f"{common}d{end}", f"{common}m{end}"]) == len(common)


@given(TEXTS, TEXTS)
def test_a_hypothesis_agrees_with_itself_and_with_its_beginning(common, end):
    assert agreed_count([common + end, common, common + end]) == len(common)
