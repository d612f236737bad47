"""Pooled metrics of streams and their intervals over speakers."""

from __future__ import annotations

import numpy as np
import pytest
from streaming_maker import phone, update

from fonoteka.streaming.stream_metrics import score_stream
from fonoteka.streaming.stream_summary import summarise

TRUTH = [("a", 0.1, 0.2), ("b", 0.2, 0.3)]
A, B = phone("a", 0.1), phone("b", 0.2)


def stream(speaker, commit_s, final=(A, B)):
    updates = [update(0.24, [], [A]), update(commit_s, final)]
    return score_stream(updates, TRUTH, speaker)


def test_quantiles_are_of_all_phones_together():
    # Lags from the end: 0.2, 0.1 (ana), 0.6, 0.5 (ivo).
    summary = summarise([stream("ana", 0.4), stream("ivo", 0.8)], 200, seed=1)
    lag = summary["commit_lag_ms"]
    assert (lag["p50"], lag["p90"], lag["n"]) == (pytest.approx(200), pytest.approx(600), 4)
    assert summary["commit_lag_from_start_ms"]["p50"] == pytest.approx(300)
    assert summary["first_emission_ms"]["p90"] == pytest.approx(700)
    assert summary["first_provisional_ms"]["p50"] == pytest.approx(140)
    by_manner = summary["first_emission_ms_by_manner"]
    assert {manner: by_manner[manner]["n"] for manner in by_manner} == {
        "vowel": 2, "sonorant": 0, "fricative": 0, "stop": 0,
    }  # fmt: skip
    assert by_manner["vowel"] == summary["first_emission_ms"]
    assert summary["utterances"] == 2
    # Draws of ana alone and of ivo alone are more than 2.5 % of all.
    assert (lag["p90_low"], lag["p90_high"]) == (pytest.approx(200), pytest.approx(600))


def test_rates_are_sums_over_streams():
    scores = [stream("ana", 0.4), stream("ivo", 0.8, (phone("s", 0.1),))]
    summary = summarise(scores, 200, seed=1)
    assert (summary["per"], summary["per_low"], summary["per_high"]) == (0.5, 0.0, 1.0)
    assert (summary["matched"], summary["erasure"]) == (0.5, pytest.approx(1 / 3))
    assert summary["unstable_partials"] == 0.25
    assert (summary["streams"], summary["speakers"], summary["phones"]) == (2, 2, 4)
    assert summary["committed_changed"] == 0


def test_one_speaker_has_no_interval():
    summary = summarise([stream("ana", 0.4), stream("ana", 0.8)], 200, seed=1)
    assert summary["commit_lag_ms"]["p90_low"] is summary["per_low"] is None
    assert summary["commit_lag_ms"]["p90"] == pytest.approx(600)


def test_streams_without_a_phone_have_no_lag_and_no_erasure():
    silent = [score_stream([update(1.0)], TRUTH, speaker) for speaker in ("ana", "ivo")]
    summary = summarise(silent, 200, seed=1)
    assert summary["erasure"] is summary["erasure_low"] is None
    assert summary["commit_lag_ms"] == dict.fromkeys(
        ["p50", "p50_low", "p50_high", "p90", "p90_low", "p90_high"]
    ) | {"n": 0}
    assert summary["per"] == 1.0


def test_a_speaker_whose_draws_have_no_final_phone_leaves_no_interval():
    silent = score_stream([update(1.0)], TRUTH, "ivo")
    summary = summarise([stream("ana", 0.4), silent], 200, seed=1)
    assert summary["erasure"] == 0.0
    assert summary["erasure_low"] is None


def test_the_interval_of_a_rate_is_that_of_the_projects_bootstrap():
    from fonoteka.scoring import bootstrap

    rng = np.random.default_rng(1)
    finals = [(A, B), (A,), (phone("s", 0.1),)]
    scores = [stream(f"v{n % 7}", 0.4, finals[rng.integers(3)]) for n in range(40)]
    sums = {}
    for score in scores:
        wrong, reference = sums.get(score.speaker, (0, 0))
        sums[score.speaker] = wrong + score.errors.wrong, reference + score.errors.reference
    interval = bootstrap([sums[speaker] for speaker in sorted(sums)], 500, seed=3)
    summary = summarise(scores, 500, seed=3)
    assert (summary["per_low"], summary["per_high"]) == pytest.approx((interval.low, interval.high))


def test_no_stream_is_refused():
    with pytest.raises(ValueError, match="no stream to summarise"):
        summarise([], 10, seed=1)
