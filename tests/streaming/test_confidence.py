"""Measures of a phone's frames, and their calibration."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from fonoteka.confidence.calibration import expected_error, tally
from fonoteka.streaming.confidence import (
    FRAME_MEASURES,
    MEASURES,
    ConfidenceCalibration,
    fit_calibration,
    gibbs,
    max_probability,
    phone_measure,
    tsallis,
)


def logs(*rows):
    with np.errstate(divide="ignore"):
        return np.log(np.array(rows, dtype=np.float32))


def test_the_largest_posterior_is_normalised_by_the_number_of_labels():
    # (4 * 0.7 - 1) / 3
    assert max_probability(logs([0.7, 0.1, 0.1, 0.1])) == pytest.approx([0.6])


def test_shannons_entropy_is_gibbs_with_alpha_one():
    # The entropy of .5 .25 .25 is 1.5 ln 2, and e to the minus that is 2 ** -1.5; uniform: 1 / 3.
    expected = (2**-1.5 - 1 / 3) / (1 - 1 / 3)
    assert gibbs(logs([0.5, 0.25, 0.25]), alpha=1.0) == pytest.approx([expected], abs=1e-6)


def test_tsallis_entropy_is_that_worked_out_by_hand():
    # alpha 2: (1 - (.25 + .0625 + .0625)) / 1 = 0.625; uniform over 3 labels: 1 - 1 / 3.
    expected = (np.exp(-0.625) - np.exp(-2 / 3)) / (1 - np.exp(-2 / 3))
    assert tsallis(logs([0.5, 0.25, 0.25]), alpha=2.0) == pytest.approx([expected], abs=1e-6)


@pytest.mark.parametrize("name", FRAME_MEASURES)
@pytest.mark.parametrize("labels", [2, 5, 60])
def test_equal_posteriors_are_zero_and_a_certain_label_is_one(name, labels):
    certain = np.full(labels, 0.0)
    certain[1] = 1.0
    values = FRAME_MEASURES[name](logs(np.full(labels, 1 / labels), certain))
    assert values == pytest.approx([0, 1], abs=1e-6)


@given(st.lists(st.floats(-20, 0), min_size=2, max_size=12), st.sampled_from([*FRAME_MEASURES]))
def test_a_measure_lies_between_zero_and_one(scores, name):
    frame = np.array([scores]) - np.logaddexp.reduce(scores)
    assert 0 <= FRAME_MEASURES[name](frame.astype(np.float32))[0] <= 1


@given(st.floats(0.35, 0.9), st.floats(0.01, 0.09), st.sampled_from([*FRAME_MEASURES]))
def test_a_measure_rises_with_the_best_posterior(best, more, name):
    frames = logs(*([p, *[(1 - p) / 9] * 9] for p in (best, best + more)))
    low, high = FRAME_MEASURES[name](frames)
    assert low < high


def test_a_phone_is_the_mean_or_the_minimum_of_its_frames():
    frames = logs([0.5, 0.5], [0.75, 0.25], [1.0, 0.0])
    assert phone_measure(frames, "max_probability_mean") == pytest.approx(0.5)
    assert phone_measure(frames, "max_probability_min") == pytest.approx(0.0, abs=1e-6)


def test_a_measure_of_nothing_or_of_no_such_name_is_refused():
    with pytest.raises(ValueError, match="measure 'softmax' is not one of max_probability_mean, "):
        phone_measure(logs([0.5, 0.5]), "softmax")
    with pytest.raises(ValueError, match=r"expected frames \[N, V\] of a phone, found \(0, 2\)"):
        phone_measure(np.zeros((0, 2), np.float32), "gibbs_min")


def sample(count, seed=1):
    """Return measures whose phones are right with the square of the measure as probability."""
    rng = np.random.default_rng(seed)
    values = rng.random(count)
    return values, rng.random(count) < values**2


@pytest.mark.parametrize("method", ["isotonic", "logistic"])
def test_a_calibrated_confidence_is_right_as_often_as_it_states(method):
    fitted = fit_calibration(*sample(20_000), "gibbs_min", method)
    values, correct = sample(20_000, seed=2)
    before = float(expected_error(tally(values, correct, 10)))
    after = float(expected_error(tally(fitted.apply(values), correct, 10)))
    assert before > 0.15  # the mean of v - v ** 2 is 1 / 6
    # A bin of 2,000 is off by 0.01; a curve of two parameters is off from the square by up to 0.04.
    assert after < (0.015 if method == "isotonic" else 0.03)


def test_the_isotonic_table_is_that_of_scikit_learn():
    values, correct = sample(500)
    fitted = fit_calibration(values, correct, "gibbs_min", "isotonic")
    theirs = IsotonicRegression(out_of_bounds="clip").fit(values, correct)
    grid = np.linspace(-0.1, 1.1, 300)
    expected = np.clip(theirs.predict(grid), 1 / 502, 501 / 502)
    # The margin bends the line between two points, one of which it moves by 1 / 502.
    assert np.abs(fitted.apply(grid) - expected).max() <= 1 / 502 + 1e-6


def test_no_confidence_is_certain():
    fitted = fit_calibration([0.1, 0.2, 0.8, 0.9], [False, False, True, True], "gibbs_min",
                             "isotonic")  # fmt: skip
    assert fitted.apply(np.array([0.0, 1.0])) == pytest.approx([1 / 6, 5 / 6])


@pytest.mark.parametrize("method", ["isotonic", "logistic"])
@pytest.mark.parametrize("right", [True, False])
def test_phones_that_are_all_right_or_all_wrong_give_a_constant(method, right):
    fitted = fit_calibration([0.2, 0.5, 0.5], [right] * 3, "gibbs_min", method)
    assert set(fitted.apply(np.linspace(0, 1, 5))) == {0.8 if right else 0.2}


def test_a_measure_that_falls_with_the_share_of_right_phones_gives_a_constant():
    values, correct = sample(2_000)
    for method in ("isotonic", "logistic"):
        fitted = fit_calibration(1 - values, correct, "gibbs_min", method)
        assert np.ptp(fitted.apply(np.linspace(0, 1, 50))) < 0.1


@pytest.mark.parametrize("method", ["isotonic", "logistic"])
def test_a_calibration_survives_its_file(method):
    fitted = fit_calibration(*sample(1_000), "tsallis_mean", method)
    record = json.loads(json.dumps(fitted.to_json()))
    assert ConfidenceCalibration.from_json(record, "c.json") == fitted


def test_a_decoder_can_call_a_calibration_for_the_confidence_of_a_phone():
    fitted = ConfidenceCalibration("max_probability_mean", "isotonic", (0.0, 1.0), (0.1, 0.9))
    assert fitted(logs([0.5, 0.5], [0.75, 0.25]), 1) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"points": [0.5, 0.5]}, "expected a measure and ascending points"),
        ({"points": []}, "expected a measure and ascending points"),
        ({"probabilities": [0.9, 0.1]}, "expected a measure and ascending points"),
        ({"measure": "softmax"}, "expected a measure and ascending points"),
    ],
)
def test_a_file_that_is_not_a_table_is_refused(change, words):
    record = ConfidenceCalibration("gibbs_min", "isotonic", (0.0, 1.0), (0.1, 0.9)).to_json()
    with pytest.raises(ValueError, match=f"c.json: {words}"):
        ConfidenceCalibration.from_json(record | change, "c.json")
    with pytest.raises(ValueError, match=r"c\.json: the calibration has no 'points'; fit it again"):
        ConfidenceCalibration.from_json({"measure": "gibbs_min"}, "c.json")


def test_a_calibration_of_nothing_or_by_no_such_method_is_refused():
    with pytest.raises(ValueError, match="0 values and 0 answers to fit a calibration to"):
        fit_calibration([], [], "gibbs_min", "isotonic")
    with pytest.raises(ValueError, match="method 'linear' is neither 'isotonic' nor 'logistic'"):
        fit_calibration([0.1], [True], "gibbs_min", "linear")


def test_every_measure_has_a_name_of_its_frames_and_its_summary():
    assert len(MEASURES) == 6
    frame = logs([0.6, 0.3, 0.1])
    for measure in MEASURES:  # of one frame, the mean is the minimum
        name = measure.rpartition("_")[0]
        assert phone_measure(frame, measure) == pytest.approx(FRAME_MEASURES[name](frame)[0])
