"""Confidence is compared with accuracy bin by bin, and the sums of bins add up."""

from __future__ import annotations

import numpy as np
import pytest

from fonoteka.confidence.calibration import expected_error, reliability, tally


def answers(confidence, right):
    return np.array(confidence), np.array(right, dtype=bool)


def test_the_error_is_that_worked_out_by_hand():
    # bin (0.5, 0.75]: sure of 0.6, right in 1 of 2; bin (0.75, 1]: sure of 0.95, right in 2 of 2
    sums = tally(*answers([0.6, 0.6, 0.9, 1.0], [True, False, True, True]), bins=4)
    assert expected_error(sums) == pytest.approx((2 * 0.1 + 2 * 0.05) / 4)


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_a_model_as_right_as_it_is_sure_has_no_error(bins):
    sums = tally(*answers([0.25] * 4 + [0.75] * 4, [1, 0, 0, 0, 1, 1, 1, 0]), bins)
    assert expected_error(sums) == pytest.approx(0, abs=1e-12)


def test_a_model_that_is_always_sure_and_half_right_is_half_wrong_about_itself():
    assert expected_error(tally(*answers([1.0, 1.0], [True, False]), 15)) == 0.5


def test_too_sure_and_too_modest_do_not_cancel_between_bins():
    distance = tally(*answers([0.4, 0.9], [True, False]), 2)
    assert expected_error(distance) == pytest.approx((0.6 + 0.9) / 2)
    assert expected_error(tally(*answers([0.4, 0.9], [True, False]), 1)) == pytest.approx(0.15)


@pytest.mark.parametrize(("confidence", "bin_number"), [(0, 0), (0.5, 0), (0.51, 1), (1, 1)])
def test_an_edge_belongs_to_the_bin_below_it(confidence, bin_number):
    sums = tally(*answers([confidence], [True]), 2)
    assert np.flatnonzero(sums[:, 0]).tolist() == [bin_number]


def test_sums_of_two_speakers_are_those_of_both():
    rng = np.random.default_rng(0)
    sure, right = rng.random(200), rng.random(200) < 0.5
    halves = tally(sure[:80], right[:80], 15) + tally(sure[80:], right[80:], 15)
    assert halves == pytest.approx(tally(sure, right, 15))


def test_many_draws_are_judged_at_once():
    draws = np.stack([tally(*answers([0.9], [right]), 5) for right in (True, False)])
    assert expected_error(draws) == pytest.approx([0.1, 0.9])


def test_a_bin_without_answers_has_no_accuracy():
    empty, full = reliability(tally(*answers([0.8, 0.6], [True, False]), 2))
    assert (empty["segments"], empty["confidence"], empty["accuracy"]) == (0, None, None)
    assert (full["segments"], full["accuracy"]) == (2, 0.5)
    assert full["confidence"] == pytest.approx(0.7)
    assert (empty["from"], empty["to"], full["to"]) == (0.0, 0.5, 1.0)


@pytest.mark.parametrize("confidence", [-0.1, 1.1, np.nan])
def test_a_confidence_that_is_not_a_probability_is_refused(confidence):
    with pytest.raises(ValueError, match=r"confidence must lie in \[0, 1\], found"):
        tally(*answers([confidence], [True]), 2)


def test_no_bin_is_refused():
    with pytest.raises(ValueError, match="expected at least one bin, found 0"):
        tally(*answers([0.5], [True]), 0)


def test_no_answers_fall_into_no_bin():
    assert tally(*answers([], []), 3).tolist() == [[0.0, 0.0, 0.0]] * 3
