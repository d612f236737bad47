"""The threshold has the wanted precision on labelled clips, and the calibration its share."""

from __future__ import annotations

import numpy as np
import pytest

from fonoteka.core.errors import UserError
from fonoteka.self_training.threshold import FEWEST, choose_threshold, wilson_low


def drawn(count, seed=1):
    """Return scores and answers of a model whose score is the probability to be right."""
    rng = np.random.default_rng(seed)
    scores = rng.uniform(size=count)
    return scores.tolist(), (rng.uniform(size=count) < scores).tolist()


@pytest.mark.parametrize("target", [0.6, 0.8, 0.9])
def test_the_kept_clips_have_the_precision_and_the_next_lower_threshold_has_not(target):
    scores, correct = drawn(2000)
    chosen = choose_threshold(scores, correct, target)
    retained = [
        right for score, right in zip(scores, correct, strict=True) if score >= chosen.score
    ]
    assert len(retained) == chosen.valid_kept
    assert sum(retained) / len(retained) == pytest.approx(chosen.precision)
    assert chosen.precision >= target > chosen.precision_low
    for lower in sorted(score for score in scores if score < chosen.score):
        more = [right for score, right in zip(scores, correct, strict=True) if score >= lower]
        assert sum(more) / len(more) < target


def test_the_precision_of_other_clips_is_near_the_expected_one():
    chosen = choose_threshold(*drawn(4000, seed=1), 0.8)
    scores, correct = drawn(4000, seed=2)
    retained = [(s, right) for s, right in zip(scores, correct, strict=True) if s >= chosen.score]
    precision = np.mean([right for _, right in retained])
    # 2400 clips: the standard error of the share is 0.008.
    assert chosen.confidence([s for s, _ in retained]).mean() == pytest.approx(precision, abs=0.03)


def test_a_confidence_never_falls_as_the_score_rises():
    chosen = choose_threshold(*drawn(500), 0.7)
    values = chosen.confidence(np.linspace(0, 1, 50))
    assert (np.diff(values) >= 0).all()
    assert values[0] > 0
    assert values[-1] < 1


def test_clips_of_equal_score_are_kept_together():
    scores = [0.9] * 10 + [0.5] * 10
    chosen = choose_threshold(scores, [True] * 15 + [False] * 5, 0.75)
    assert (chosen.score, chosen.valid_kept) == (0.5, 20)


def test_a_precision_that_no_threshold_has_is_refused_with_the_highest():
    with pytest.raises(UserError, match=r"precision of 0.9 on 20 validation clips \(highest 0.500"):
        choose_threshold([0.1] * 20, [True, False] * 10, 0.9)
    with pytest.raises(UserError, match=r"highest 0\.000"):
        choose_threshold([0.9] * (FEWEST - 1), [True] * (FEWEST - 1), 0.5)


@pytest.mark.parametrize("target", [0, -1, 1.5])
def test_a_precision_that_is_not_a_share_is_refused(target):
    with pytest.raises(UserError, match="precision must be above 0"):
        choose_threshold([0.5], [True], target)


def test_the_interval_is_that_of_wilson():
    # Newcombe 1998, table I: 81 of 263 is 0.2553 to 0.3662 by the score method.
    assert wilson_low(81, 263) == pytest.approx(0.2553, abs=5e-5)
