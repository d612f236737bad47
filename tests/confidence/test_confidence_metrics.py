"""Scores of confidence: values worked out by hand, scikit-learn, and properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from fonoteka.confidence.confidence_metrics import (
    ErrorDetection,
    confidence_scores,
    entropy_sums,
    normalised_cross_entropy,
)

WHOLE = np.ones((1, 1))

ANSWERS = st.lists(
    st.tuples(st.integers(0, 20).map(lambda n: n / 20), st.booleans()), min_size=2, max_size=60
).filter(lambda rows: len({right for _, right in rows}) == 2)


def arrays(rows):
    confidence, correct = zip(*rows, strict=True)
    return np.array(confidence), np.array(correct)


def nce(confidence, correct):
    return float(normalised_cross_entropy(entropy_sums(confidence, correct)))


def areas(confidence, correct):
    if not len(correct):  # no speaker is left to be drawn
        return float("nan"), float("nan")
    detection = ErrorDetection(confidence, correct, ["ana"] * len(correct))
    return float(detection.auc_roc(WHOLE)[0]), float(detection.auc_pr(WHOLE)[0])


def test_the_cross_entropy_is_that_worked_out_by_hand():
    # Three right at 0.8 and one wrong at 0.4: log2(.8)*3 + log2(.6) = -1.7027 bits; the entropy of
    # 3 to 1 is 4 * 0.8113 = 3.2451 bits; (3.2451 - 1.7027) / 3.2451 = 0.4753.
    score = nce(np.array([0.8, 0.8, 0.8, 0.4]), np.array([True, True, True, False]))
    assert score == pytest.approx(0.4753, abs=1e-4)


@given(ANSWERS)
def test_constant_confidence_at_the_base_rate_explains_nothing(rows):
    _, correct = arrays(rows)
    constant = np.full(len(correct), correct.mean())
    assert nce(constant, correct) == pytest.approx(0, abs=1e-9)


def test_confidence_that_is_wrong_with_certainty_is_far_below_zero():
    score = nce(np.array([0.0, 1.0]), np.array([True, False]))
    assert -20 < score < -18  # log2(1e-6) is -19.9


def test_answers_without_an_error_have_no_entropy_to_explain():
    assert np.isnan(nce(np.array([0.9, 0.8]), np.array([True, True])))
    assert np.isnan(nce(np.array([0.9, 0.8]), np.array([False, False])))


@given(ANSWERS)
def test_areas_are_those_of_scikit_learn(rows):
    confidence, correct = arrays(rows)
    roc = roc_auc_score(~correct, -confidence)
    precision = average_precision_score(~correct, -confidence)
    assert areas(confidence, correct) == pytest.approx((roc, precision))


@given(ANSWERS, st.lists(st.integers(0, 3), min_size=3, max_size=3))
def test_a_speaker_counts_as_often_as_it_is_drawn(rows, draws):
    confidence, correct = arrays(rows)
    number = np.arange(len(rows)) % 3
    counts = np.array([draws[: len(set(number))], [1] * len(set(number))], dtype=float)
    detection = ErrorDetection(confidence, correct, [f"v{n}" for n in number])
    repeated = [np.repeat(each, np.array(draws)[number]) for each in (confidence, correct)]
    drawn = detection.auc_roc(counts)[0], detection.auc_pr(counts)[0]
    assert drawn == pytest.approx(areas(*repeated), nan_ok=True)
    whole = detection.auc_roc(counts)[1], detection.auc_pr(counts)[1]
    assert whole == pytest.approx(areas(confidence, correct))


@pytest.mark.parametrize(("correct", "area"), [([0, 0, 1, 1], 1.0), ([1, 1, 0, 0], 0.0)])
def test_errors_at_the_lowest_confidence_are_found_and_at_the_highest_missed(correct, area):
    roc, _ = areas(np.array([0.1, 0.2, 0.8, 0.9]), np.array(correct) > 0)
    assert roc == area


def test_equal_confidence_ranks_by_chance():
    correct = np.array([True, True, True, False])
    assert areas(np.full(4, 0.7), correct) == (0.5, 0.25)


def test_areas_do_not_exist_without_an_error():
    assert np.isnan(areas(np.array([0.1, 0.9]), np.array([True, True]))).all()


def sample(count, speakers, seed=1):
    """Return answers whose confidence is exactly the probability that they are right."""
    rng = np.random.default_rng(seed)
    confidence = rng.beta(4, 1, count)
    correct = rng.random(count) < confidence
    return confidence, correct, [f"v{n}" for n in rng.integers(speakers, size=count)]


def test_a_perfectly_calibrated_sample_has_nearly_no_calibration_error():
    scores = confidence_scores(*sample(40_000, 20), bins=15, resamples=200, seed=1)
    # In a bin of n answers the share of right ones is off by 0.5 / sqrt(n) at most: here 0.01.
    assert scores["ece"]["value"] < 0.01
    assert scores["nce"]["value"] > 0.05
    assert 0.6 < scores["auc_roc"]["value"] < 0.9
    for name in ("nce", "auc_roc", "auc_pr"):
        entry = scores[name]
        assert entry["low"] < entry["value"] < entry["high"]


def test_confidence_that_is_too_high_has_the_gap_as_its_calibration_error():
    scores = confidence_scores(
        np.full(10, 0.9), np.arange(10) < 6, ["ana", "ivo"] * 5, bins=10, resamples=50, seed=1
    )
    assert scores["ece"]["value"] == pytest.approx(0.3)
    assert (scores["phones"], scores["accuracy"]) == (10, 0.6)


def test_one_speaker_or_draws_without_an_error_leave_no_interval():
    confidence, correct = np.array([0.9, 0.8, 0.3, 0.7]), np.array([True, True, False, True])
    of_ana = confidence_scores(confidence, correct, ["ana"] * 4, bins=5, resamples=50, seed=1)
    assert of_ana["auc_roc"] == {"value": 1.0, "low": None, "high": None}
    # All errors are of ivo, so a draw of ana alone has none.
    of_both = confidence_scores(confidence, correct, ["ana", "ana", "ivo", "ivo"], 5, 50, seed=1)
    assert of_both["auc_roc"] == {"value": 1.0, "low": None, "high": None}
    assert of_both["ece"]["low"] is not None


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="at least one, found 0, 0 and 0"):
        confidence_scores(np.zeros(0), np.zeros(0, bool), [], 5, 10, seed=1)
    with pytest.raises(ValueError, match="at least one, found 1, 1 and 2"):
        confidence_scores(np.ones(1), np.ones(1, bool), ["a", "b"], 5, 10, seed=1)
