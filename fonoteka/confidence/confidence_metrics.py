"""Scores of the confidence of decoded phones: calibration, information, and detection of errors.

Each has an interval over speakers. A confidence can rank errors well and be calibrated badly, or
be calibrated and useless: the same value for all. So there are four scores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fonoteka.confidence.calibration import expected_error, tally
from fonoteka.confidence.speaker_draws import (
    blocks,
    interval_over_draws,
    numbered,
    speaker_table,
)
from fonoteka.core.errors import UserError
from fonoteka.scoring.error_rate import Interval, bootstrap_of

Values = NDArray[np.float64]
Correct = NDArray[np.bool_]

SMALLEST = 1e-6
"""Confidence is limited to 1e-6 from 0 and from 1 for the cross entropy: one wrong phone of
confidence 1 would make it infinite."""


def entropy_sums(confidence: Values, correct: Correct) -> Values:
    """Return what the normalised cross entropy is computed from, and what adds up over speakers.

    Args:
        confidence: probability that the answer is correct, in [0, 1], shape `[N]`.
        correct: whether the answer is correct, shape `[N]`.

    Returns:
        Answers, correct answers, and the summed log2 of the probability of what was the case.
    """
    bounded = np.clip(confidence, SMALLEST, 1 - SMALLEST)
    explained = np.where(correct, np.log2(bounded), np.log2(1 - bounded)).sum()
    return np.array([len(correct), correct.sum(), explained], dtype=np.float64)


def normalised_cross_entropy(sums: Values) -> Values:
    """Return the share of the entropy of right and wrong that the confidence explains.

    1 is perfect, 0 is a constant at the share of correct answers, below 0 is worse than that.

    Args:
        sums: of `entropy_sums`, `[..., 3]`.

    Returns:
        Scores `[...]`; NaN if no answer or every answer is correct, because there is no entropy.

    Source: Siu and Gish 1999, "Evaluation of word confidence for speech recognition systems"; NIST
    SCTK reports it as NCE.

    >>> right = np.array([True, True, True, False])
    >>> float(normalised_cross_entropy(entropy_sums(np.full(4, 0.75), right)))
    0.0
    >>> round(float(normalised_cross_entropy(entropy_sums(right.astype(float), right))), 4)
    1.0
    """
    total, right, explained = np.moveaxis(sums, -1, 0)
    mixed = (right > 0) & (right < total)
    share = np.where(mixed, right / np.maximum(total, 1), 0.5)
    entropy = -right * np.log2(share) - (total - right) * np.log2(1 - share)
    score = (entropy + explained) / np.where(mixed, entropy, 1.0)
    return np.asarray(np.where(mixed, score, np.nan))


class ErrorDetection:
    """How well a low confidence finds wrong answers, for all draws of speakers together.

    Args:
        confidence: `[N]`; only its order counts.
        correct: whether the answer is correct, `[N]`.
        speakers: the speaker of each answer, N.

    >>> detection = ErrorDetection([0.1, 0.4, 0.6, 0.9], [False, True, False, True], ["ana"] * 4)
    >>> detection.auc_roc(np.ones((1, 1))).tolist(), detection.auc_pr(np.ones((1, 1))).round(4)
    ([0.75], array([0.8333]))
    """

    def __init__(self, confidence: ArrayLike, correct: ArrayLike, speakers: Sequence[str]) -> None:
        right = np.asarray(correct, dtype=np.bool_)
        values, level = np.unique(np.asarray(confidence), return_inverse=True)
        names, number = numbered(speakers)
        shape = len(names), len(values)
        # Per speaker and level of confidence, the lowest first.
        self._wrong = speaker_table(number[~right], level[~right], shape)
        self._right = speaker_table(number[right], level[right], shape)

    def _draws(self, counts: Values) -> Iterator[tuple[Values, Values]]:
        """Yield wrong and correct answers per draw and level."""
        for block in blocks(counts, self._wrong.shape[1]):
            yield block @ self._wrong, block @ self._right

    def auc_roc(self, counts: Values) -> Values:
        """Return the probability that a wrong answer has the lower confidence of the two, `[R]`.

        Equal confidences count half. 0.5 is chance; NaN if no answer or every answer is wrong.

        Args:
            counts: how often each speaker is drawn, `[R, S]`, in the order of their names.
        """
        areas = [np.zeros(0)]
        for wrong, right in self._draws(counts):
            above = right.sum(axis=1, keepdims=True) - np.cumsum(right, axis=1)
            pairs = wrong.sum(axis=1) * right.sum(axis=1)
            area = (wrong * (above + right / 2)).sum(axis=1) / np.maximum(pairs, 1)
            areas.append(np.where(pairs > 0, area, np.nan))
        return np.concatenate(areas)

    def auc_pr(self, counts: Values) -> Values:
        """Return the average precision at finding wrong answers, lowest confidence first, `[R]`.

        Chance is the share of wrong answers; NaN if no answer is wrong.

        Args:
            counts: as of `auc_roc`.
        """
        areas = [np.zeros(0)]
        for wrong, right in self._draws(counts):
            errors = np.cumsum(wrong, axis=1)
            # A level without an answer has no precision, and no error to weight it with.
            precision = errors / np.maximum(np.cumsum(wrong + right, axis=1), 1)
            total = wrong.sum(axis=1)
            area = (wrong * precision).sum(axis=1) / np.maximum(total, 1)
            areas.append(np.where(total > 0, area, np.nan))
        return np.concatenate(areas)


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
    names, number = numbered(speakers)
    own = [(confidence[number == index], correct[number == index]) for index in range(len(names))]
    tallies = np.stack([tally(*pair, bins) for pair in own])
    entropies = np.stack([entropy_sums(*pair) for pair in own])
    detection = ErrorDetection(confidence, correct, speakers)
    statistics: dict[str, Callable[[Values], Values]] = {
        "nce": lambda counts: normalised_cross_entropy(counts @ entropies),
        "auc_roc": detection.auc_roc,
        "auc_pr": detection.auc_pr,
    }
    ece = float(expected_error(tallies.sum(axis=0)))
    scores = {"ece": _entry(ece, bootstrap_of(tallies, expected_error, resamples, seed))}
    for name, statistic in statistics.items():
        interval = interval_over_draws(len(names), statistic, resamples, seed)
        scores[name] = _entry(float(statistic(np.ones((1, len(names))))[0]), interval)
    return {"phones": len(correct), "accuracy": float(correct.mean())} | scores


def _entry(value: float, interval: Interval) -> dict[str, float | None]:
    return {"value": value, "low": interval.low, "high": interval.high}
