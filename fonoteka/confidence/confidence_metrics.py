"""Scores of the confidence of decoded phones: calibration, information, and detection of errors.

Each has an interval over speakers. A confidence can rank errors well and be calibrated badly, or
be calibrated and useless: the same value for all. So there are four scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.confidence.calibration import expected_error, tally
from fonoteka.confidence.weighted_bootstrap import Weights, interval_over_speakers
from fonoteka.core.errors import UserError
from fonoteka.scoring.error_rate import Interval, bootstrap_of

Values = NDArray[np.float64]
Correct = NDArray[np.bool_]

SMALLEST = 1e-6
"""Confidence is limited to 1e-6 from 0 and from 1 for the cross entropy: one wrong phone of
confidence 1 would make it infinite."""


def normalised_cross_entropy(
    confidence: Values, correct: Correct, weights: Weights | None = None
) -> float:
    """Return the share of the entropy of right and wrong that the confidence explains.

    1 is perfect, 0 is a constant at the share of correct answers, below 0 is worse than that.

    Args:
        confidence: probability that the answer is correct, in [0, 1], shape `[N]`.
        correct: whether the answer is correct, shape `[N]`.
        weights: how often each answer counts, shape `[N]`; once if None.

    Returns:
        The score; NaN if no answer or every answer is correct, because there is no entropy.

    Source: Siu and Gish 1999, "Evaluation of word confidence for speech recognition systems"; NIST
    SCTK reports it as NCE.

    >>> right = np.array([True, True, True, False])
    >>> normalised_cross_entropy(np.full(4, 0.75), right)
    0.0
    >>> round(normalised_cross_entropy(np.array([1.0, 1.0, 1.0, 0.0]), right), 4)
    1.0
    """
    counts = np.ones(len(confidence)) if weights is None else weights
    bounded = np.clip(confidence, SMALLEST, 1 - SMALLEST)
    total, right = float(counts.sum()), float(counts[correct].sum())
    if not 0 < right < total:
        return float("nan")
    share = right / total
    entropy = -right * np.log2(share) - (total - right) * np.log2(1 - share)
    explained = np.where(correct, np.log2(bounded), np.log2(1 - bounded)) @ counts
    return float((entropy + explained) / entropy)


class ErrorDetection:
    """How well a low confidence finds wrong answers, for answers that count more or less than once.

    Args:
        confidence: `[N]`; only its order counts.
        correct: whether the answer is correct, `[N]`.

    >>> detection = ErrorDetection(np.array([0.1, 0.4, 0.6, 0.9]), np.array([0, 1, 0, 1]) > 0)
    >>> detection.auc_roc(), round(detection.auc_pr(), 4)
    (0.75, 0.8333)
    """

    def __init__(self, confidence: Values, correct: Correct) -> None:
        _, self._level = np.unique(confidence, return_inverse=True)
        self._levels = int(self._level.max(initial=-1)) + 1
        self._correct = correct

    def _counts(self, weights: Weights | None) -> tuple[Weights, Weights]:
        """Return wrong and correct answers per level of confidence, the lowest first."""
        counts = np.ones(len(self._correct)) if weights is None else weights
        wrong = np.bincount(self._level, counts * ~self._correct, self._levels)
        right = np.bincount(self._level, counts * self._correct, self._levels)
        return wrong.astype(np.float64), right.astype(np.float64)

    def auc_roc(self, weights: Weights | None = None) -> float:
        """Return the probability that a wrong answer has the lower confidence of the two.

        Equal confidences count half. 0.5 is chance; NaN if no answer or every answer is wrong.
        """
        wrong, right = self._counts(weights)
        pairs = wrong.sum() * right.sum()
        above = right.sum() - np.cumsum(right)  # correct answers with more confidence
        return float(wrong @ (above + right / 2) / pairs) if pairs else float("nan")

    def auc_pr(self, weights: Weights | None = None) -> float:
        """Return the average precision at finding wrong answers, the lowest confidence first.

        Chance is the share of wrong answers; NaN if no answer is wrong.
        """
        wrong, right = self._counts(weights)
        errors = np.cumsum(wrong)
        if not len(errors) or not errors[-1]:
            return float("nan")
        precision = errors / np.maximum(np.cumsum(wrong + right), 1e-12)
        return float(wrong @ precision / errors[-1])


def confidence_scores(
    confidence: Values, correct: Correct, speakers: Sequence[str], bins: int, resamples: int,
    seed: int,
) -> dict[str, Any]:  # fmt: skip
    """Return the scores of a confidence, each with its interval over speakers.

    Args:
        confidence: estimated probability that the answer is correct, in [0, 1], shape `[N]`.
        correct: whether the answer is correct, shape `[N]`.
        speakers: the speaker of each answer, N.
        bins: of the calibration error.
        resamples: number of resamples.
        seed: of the random generator.

    Returns:
        Number of `phones`, share that is correct as `accuracy`, and `ece`, `nce`, `auc_roc` and
        `auc_pr`, each `{"value", "low", "high"}`; a value that does not exist is NaN.

    Raises:
        UserError: there is no answer, or the lengths differ.
    """
    if not len(correct) or not len(confidence) == len(correct) == len(speakers):
        raise UserError(
            f"confidence: expected as many values as answers and speakers, at least one, found "
            f"{len(confidence)}, {len(correct)} and {len(speakers)}"
        )
    detection = ErrorDetection(confidence, correct)
    statistics: dict[str, Callable[[Weights], float]] = {
        "nce": lambda weights: normalised_cross_entropy(confidence, correct, weights),
        "auc_roc": detection.auc_roc,
        "auc_pr": detection.auc_pr,
    }
    everything = np.ones(len(correct))
    names, number = np.unique(np.asarray(speakers, dtype=str), return_inverse=True)
    tallies = np.stack([
        tally(confidence[number == index], correct[number == index], bins)
        for index in range(len(names))
    ])  # fmt: skip
    ece = expected_error(tallies.sum(axis=0))
    scores = {"ece": _entry(float(ece), bootstrap_of(tallies, expected_error, resamples, seed))}
    for name, statistic in statistics.items():
        interval = interval_over_speakers(speakers, statistic, resamples, seed)
        scores[name] = _entry(statistic(everything), interval)
    return {"phones": len(correct), "accuracy": float(correct.mean())} | scores


def _entry(value: float, interval: Interval) -> dict[str, float | None]:
    return {"value": value, "low": interval.low, "high": interval.high}
