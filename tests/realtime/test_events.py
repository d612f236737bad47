"""Peaks are picked, events matched and latencies counted as by hand."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.realtime.events import (
    Counts,
    event_counts,
    hop_counts,
    latencies,
    match_events,
    pick_peaks,
)

MOMENTS = st.lists(st.integers(0, 12).map(lambda n: n / 100), max_size=5, unique=True).map(sorted)


def test_counts_add_up_and_f1_of_nothing_is_0():
    assert Counts(1, 2, 3) + Counts(4, 5, 6) == Counts(5, 7, 9)
    assert Counts().f1 == 0
    assert Counts(3, 0, 0).f1 == 1


def test_hop_counts_equal_a_count_by_hand():
    predicted, true = np.array([1, 1, 0, 0, 1]), np.array([1, 0, 0, 1, 1])
    assert hop_counts(predicted, true) == Counts(hits=2, extra=1, missed=1)


@pytest.mark.parametrize(
    ("rising", "hops"),
    [
        ([0.9, 0.1], [0]),
        ([0.1, 0.9], []),  # the next hop is not known yet
        ([0.1, 0.5, 0.1], []),  # not above the threshold
        ([0.1, 0.6, 0.6, 0.6, 0.1], [3]),
        ([0.6, 0.7, 0.6, 0.8, 0.1], [1, 3]),
        ([], []),
    ],
)
def test_a_peak_is_above_the_threshold_and_the_hop_after_it(rising, hops):
    assert pick_peaks(np.array(rising, dtype=np.float32), 0.5).tolist() == hops


@given(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=40), st.integers(1, 39))
def test_a_peak_is_known_one_hop_later_and_stays_a_peak(rising, count):
    probabilities = np.array(rising, dtype=np.float32)
    whole, part = pick_peaks(probabilities, 0.5), pick_peaks(probabilities[:count], 0.5)
    assert part.tolist() == [hop for hop in whole if hop < min(count, len(probabilities)) - 1]


def best_pairing(predicted, true, tolerance):
    """Return the largest number of pairs of any pairing, by exhaustive search."""
    few, many = sorted((predicted, true), key=len)
    for size in range(len(few), 0, -1):
        for left in combinations(few, size):
            for right in permutations(many, size):
                if all(abs(a - b) <= tolerance + 1e-9 for a, b in zip(left, right, strict=True)):
                    return size
    return 0


@given(MOMENTS, MOMENTS)
def test_no_pairing_has_more_pairs(predicted, true):
    pairs = match_events(predicted, true, 0.02)
    assert len(pairs) == best_pairing(predicted, true, 0.02)
    assert all(abs(predicted[s] - true[t]) <= 0.02 + 1e-9 for s, t in pairs)
    for side in (0, 1):
        assert len({pair[side] for pair in pairs}) == len(pairs)


def test_an_event_matches_up_to_the_tolerance():
    assert event_counts([0.1, 0.3], [0.12, 0.33], 0.02) == Counts(hits=1, extra=1, missed=1)
    assert event_counts([], [0.1], 0.02) == Counts(missed=1)
    assert event_counts([0.1], [], 0.02) == Counts(extra=1)


@pytest.mark.parametrize("late", [0, 1, 3])
def test_a_latency_includes_the_hop_of_the_decision(late):
    true = np.repeat([0, 1, 0, 2], 10)
    predicted = np.concatenate([np.zeros(late, np.int64), true])[: len(true)]
    assert latencies(predicted, true, 8).hops == [late + 1] * 3


def test_a_decision_after_the_limit_is_a_miss():
    true, predicted = np.repeat([0, 1], [5, 10]), np.repeat([0, 1], [9, 6])
    assert latencies(predicted, true, 4).missed == 1
    assert latencies(predicted, true, 5).hops == [5]


def test_a_decision_before_the_change_is_counted_separately():
    true, predicted = np.repeat([0, 1], [5, 5]), np.repeat([0, 1], [4, 6])
    result = latencies(predicted, true, 5)
    assert (result.hops, result.missed, result.anticipated) == ([], 0, 1)


def test_a_decision_belongs_to_the_last_change_to_its_value():
    #                0  1     0        1
    true = np.array([0, 1, 1, 0, 0, 0, 1, 1, 1, 1])
    predicted = np.array([0, 0, 0, 0, 0, 0, 0, 1, 1, 1])
    result = latencies(predicted, true, 9)
    assert result.hops == [2]  # of the second 1; the first was missed, so the 0 was there before
    assert (result.missed, result.anticipated) == (1, 1)


def test_a_short_sound_may_be_decided_after_the_next_began():
    true = np.array([0, 1, 2, 2, 2, 2])
    predicted = np.array([0, 0, 0, 1, 2, 2])
    assert latencies(predicted, true, 5).hops == [3, 3]


@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=30),
    st.lists(st.integers(0, 2), min_size=30, max_size=30),
    st.integers(1, 10),
)
def test_every_change_is_counted_once(true, predicted, within):
    true = np.array(true)
    result = latencies(np.array(predicted)[: len(true)], true, within)
    total = int((np.diff(true) != 0).sum())
    assert len(result.hops) + result.missed + result.anticipated == total
    assert all(1 <= hops <= within for hops in result.hops)
