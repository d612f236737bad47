"""From probabilities to answers: peaks, pairs of moments, and how late an answer came."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.realtime.events import Counts, counts_of, delays, event_counts, matched, peaks

MOMENTS = st.lists(st.integers(0, 12).map(lambda n: n / 100), max_size=5, unique=True).map(sorted)


def test_counts_add_up_and_nothing_to_find_is_no_division_by_nothing():
    assert Counts(1, 2, 3) + Counts(4, 5, 6) == Counts(5, 7, 9)
    assert Counts().f1 == 0
    assert Counts(3, 0, 0).f1 == 1


def test_yes_and_no_are_counted_by_hand():
    said, true = np.array([1, 1, 0, 0, 1]), np.array([1, 0, 0, 1, 1])
    assert counts_of(said, true) == Counts(hits=2, extra=1, missed=1)


@pytest.mark.parametrize(
    ("rising", "hops"),
    [
        ([0.9, 0.1], [0]),
        ([0.1, 0.9], []),  # nobody knows yet what comes after it
        ([0.1, 0.5, 0.1], []),  # not above the threshold
        ([0.1, 0.6, 0.6, 0.6, 0.1], [3]),
        ([0.6, 0.7, 0.6, 0.8, 0.1], [1, 3]),
        ([], []),
    ],
)
def test_a_peak_is_above_the_threshold_and_the_hop_after_it(rising, hops):
    assert peaks(np.array(rising, dtype=np.float32), 0.5).tolist() == hops


@given(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=40), st.integers(1, 39))
def test_a_peak_is_known_a_hop_later_and_stays_one(rising, at):
    heard = np.array(rising, dtype=np.float32)
    whole, part = peaks(heard, 0.5), peaks(heard[:at], 0.5)
    assert part.tolist() == [hop for hop in whole if hop < min(at, len(heard)) - 1]


def best_pairing(said, true, tolerance):
    """The most pairs that any pairing has, by trying all."""
    few, many = sorted((said, true), key=len)
    for size in range(len(few), 0, -1):
        for left in combinations(few, size):
            for right in permutations(many, size):
                if all(abs(a - b) <= tolerance + 1e-9 for a, b in zip(left, right, strict=True)):
                    return size
    return 0


@given(MOMENTS, MOMENTS)
def test_no_pairing_has_more_pairs(said, true):
    pairs = matched(said, true, 0.02)
    assert len(pairs) == best_pairing(said, true, 0.02)
    assert all(abs(said[s] - true[t]) <= 0.02 + 1e-9 for s, t in pairs)
    for side in (0, 1):
        assert len({pair[side] for pair in pairs}) == len(pairs)


def test_a_moment_counts_up_to_the_tolerance():
    assert event_counts([0.1, 0.3], [0.12, 0.33], 0.02) == Counts(hits=1, extra=1, missed=1)
    assert event_counts([], [0.1], 0.02) == Counts(missed=1)
    assert event_counts([0.1], [], 0.02) == Counts(extra=1)


@pytest.mark.parametrize("late", [0, 1, 3])
def test_an_answer_that_comes_hops_later_is_as_late_as_that_and_its_own_hop(late):
    true = np.repeat([0, 1, 0, 2], 10)
    said = np.concatenate([np.zeros(late, np.int64), true])[: len(true)]
    assert delays(said, true, 8).hops == [late + 1] * 3


def test_an_answer_that_does_not_come_in_time_is_none():
    true, said = np.repeat([0, 1], [5, 10]), np.repeat([0, 1], [9, 6])
    assert delays(said, true, 4).without == 1
    assert delays(said, true, 5).hops == [5]


def test_an_answer_that_was_there_before_is_counted_apart():
    true, said = np.repeat([0, 1], [5, 5]), np.repeat([0, 1], [4, 6])
    found = delays(said, true, 5)
    assert (found.hops, found.without, found.before) == ([], 0, 1)


def test_an_answer_belongs_to_the_last_change_to_it():
    #                0  1     0        1
    true = np.array([0, 1, 1, 0, 0, 0, 1, 1, 1, 1])
    said = np.array([0, 0, 0, 0, 0, 0, 0, 1, 1, 1])
    found = delays(said, true, 9)
    assert found.hops == [2]  # of the second 1; the first was missed, so the 0 was there before
    assert (found.without, found.before) == (1, 1)


def test_a_short_sound_may_be_answered_when_the_next_has_begun():
    true = np.array([0, 1, 2, 2, 2, 2])
    said = np.array([0, 0, 0, 1, 2, 2])
    assert delays(said, true, 5).hops == [3, 3]


@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=30),
    st.lists(st.integers(0, 2), min_size=30, max_size=30),
    st.integers(1, 10),
)
def test_every_change_is_counted_once(true, said, within):
    true = np.array(true)
    found = delays(np.array(said)[: len(true)], true, within)
    total = int((np.diff(true) != 0).sum())
    assert len(found.hops) + found.without + found.before == total
    assert all(1 <= hops <= within for hops in found.hops)
