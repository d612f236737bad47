"""Quantiles of the values of speakers that are drawn, and intervals over draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.confidence import speaker_draws
from fonoteka.confidence.speaker_draws import (
    SpeakerQuantiles,
    blocks,
    interval_over_draws,
    numbered,
)
from fonoteka.scoring import bootstrap

VALUES = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=30)


@given(VALUES, st.integers(1, 99))
def test_a_quantile_is_that_of_numpy(values, percent):
    expected = np.quantile(values, percent / 100, method="inverted_cdf")
    quantiles = SpeakerQuantiles(values, ["ana"] * len(values))
    assert quantiles(percent / 100, np.ones((1, 1))).tolist() == [expected]


@given(VALUES, st.lists(st.integers(0, 3), min_size=3, max_size=3))
def test_a_value_counts_as_often_as_its_speaker_is_drawn(values, draws):
    number = np.arange(len(values)) % 3
    quantiles = SpeakerQuantiles(values, [f"v{n}" for n in number])
    counts = np.array([draws[: len(quantiles.speakers)]], dtype=float)
    repeated = np.repeat(values, np.array(draws)[number])
    expected = np.quantile(repeated, 0.5, method="inverted_cdf") if len(repeated) else np.nan
    assert quantiles(0.5, counts)[0] == pytest.approx(expected, nan_ok=True)


def test_no_value_has_no_quantile():
    assert np.isnan(SpeakerQuantiles([], [])(0.5, np.ones((2, 0)))).tolist() == [True, True]


def test_draws_are_computed_in_blocks_and_none_is_lost(monkeypatch):
    monkeypatch.setattr(speaker_draws, "BLOCK_VALUES", 12)
    counts = np.arange(20.0).reshape(10, 2)
    assert [len(block) for block in blocks(counts, 4)] == [3, 3, 3, 1]
    assert [len(block) for block in blocks(counts, 100)] == [1] * 10
    quantiles = SpeakerQuantiles([1.0, 2.0, 3.0, 4.0], ["ana", "ivo", "ana", "ivo"])
    small = quantiles(0.9, counts)
    monkeypatch.setattr(speaker_draws, "BLOCK_VALUES", 10**6)
    assert small.tolist() == quantiles(0.9, counts).tolist()


def test_the_interval_of_a_ratio_is_that_of_the_bootstrap():
    rng = np.random.default_rng(1)
    counts = [(int(rng.integers(5)), 10) for _ in range(8)]
    table = np.array(counts, dtype=float)
    interval = interval_over_draws(
        8, lambda draws: (draws @ table[:, 0]) / (draws @ table[:, 1]), 300, seed=2
    )
    expected = bootstrap(counts, 300, seed=2)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


def test_draws_without_a_value_are_counted_and_leave_no_interval():
    interval = interval_over_draws(
        2, lambda draws: np.where(draws[:, 0] > 0, 1.0, np.nan), 200, seed=1
    )
    assert interval.low is None
    assert interval.reason.startswith("no value in ")
    assert 20 < int(interval.reason.split()[3]) < 80  # a quarter of 200


def test_one_speaker_has_no_interval():
    assert interval_over_draws(1, lambda draws: draws[:, 0], 10, seed=1).low is None


def test_speakers_are_numbered_in_the_order_of_their_names():
    names, number = numbered(["b", "a", "b", "c"])
    assert (names, number.tolist()) == (["a", "b", "c"], [1, 0, 1, 2])
