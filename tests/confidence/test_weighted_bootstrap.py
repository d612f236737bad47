"""Quantiles of weighted values and intervals over speakers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.confidence.weighted_bootstrap import WeightedQuantile, interval_over_speakers
from fonoteka.scoring import bootstrap

VALUES = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=30)


@given(VALUES, st.floats(0.01, 0.99))
def test_a_quantile_is_that_of_numpy(values, share):
    expected = np.quantile(values, share, method="inverted_cdf")
    assert WeightedQuantile(values)(share, np.ones(len(values))) == expected


@given(VALUES, st.data())
def test_a_weight_counts_a_value_as_often(values, data):
    weights = data.draw(
        st.lists(st.integers(0, 3), min_size=len(values), max_size=len(values)).filter(any)
    )
    expected = np.quantile(np.repeat(values, weights), 0.5, method="inverted_cdf")
    assert WeightedQuantile(values)(0.5, np.array(weights, float)) == expected


def test_no_value_has_no_quantile():
    assert np.isnan(WeightedQuantile([])(0.5, np.zeros(0)))
    assert np.isnan(WeightedQuantile([1.0])(0.5, np.zeros(1)))


def test_the_interval_of_a_ratio_is_that_of_the_bootstrap():
    rng = np.random.default_rng(1)
    counts = [(int(rng.integers(5)), 10) for _ in range(8)]
    items = np.array(counts, dtype=float)
    interval = interval_over_speakers(
        [f"v{n}" for n in range(8)],
        lambda weights: float(items[:, 0] @ weights / (items[:, 1] @ weights)), 300, seed=2,
    )  # fmt: skip
    expected = bootstrap(counts, 300, seed=2)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


def test_draws_without_a_value_are_counted_and_leave_no_interval():
    def first(weights):
        return 1.0 if weights[0] else float("nan")

    interval = interval_over_speakers(["ana", "ivo"], first, 200, seed=1)
    assert interval.low is None
    assert interval.reason.startswith("no value in ")
    assert 20 < int(interval.reason.split()[3]) < 80  # a quarter of 200


def test_one_speaker_has_no_interval():
    assert interval_over_speakers(["ana"] * 3, np.sum, 10, seed=1).low is None
