"""Error rates of deciding by a score whether two things are of one speaker."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fonoteka.confidence.speaker_draws import interval_over_draws

Numbers = NDArray[np.float64]


def equal_error(
    same: ArrayLike, different: ArrayLike, same_weights: ArrayLike, different_weights: ArrayLike
) -> tuple[float, float]:
    """Return the equal error rate and its threshold.

    Misses and false alarms cross between two scores; the rate is the mean of both where the
    difference has just changed its sign.

    Args:
        same: scores of one speaker, shape `[M]`.
        different: scores of two speakers, shape `[N]`.
        same_weights: how often each counts, shape `[M]`.
        different_weights: shape `[N]`.

    >>> equal_error([0.9, 0.8, 0.4], [0.5, 0.2, 0.1], [1, 1, 1], [1, 1, 1])
    (0.3333333333333333, 0.5)
    """
    scores = np.concatenate([np.asarray(same, float), np.asarray(different, float)])
    order = np.argsort(-scores, kind="stable")
    ones = np.concatenate([same_weights, np.zeros(len(scores) - len(np.asarray(same)))])
    twos = np.concatenate([np.zeros(len(np.asarray(same))), different_weights])
    # The difference of counts is exact; 1 minus their ratio is not, and two equal rates would cross
    # one score too late.
    misses = (ones.sum() - np.cumsum(ones[order])) / ones.sum()
    alarms = np.cumsum(twos[order]) / twos.sum()
    crossing = int(np.argmax(alarms >= misses))
    return float((misses[crossing] + alarms[crossing]) / 2), float(scores[order[crossing]])


def pair_errors(cosines: Numbers, threshold: float, resamples: int, seed: int) -> dict[str, Any]:
    """Return the error rates of a decision on two samples of each, with intervals.

    Args:
        cosines: of the first sample of each speaker with the second of each, shape `[S, S]`.
        threshold: two samples that reach it count as one speaker.
        resamples: draws of the speakers.
        seed: of the draws.
    """
    speakers = len(cosines)
    different = ~np.eye(speakers, dtype=bool)
    same_scores, different_scores = cosines.diagonal(), cosines[different]
    missed = (same_scores < threshold).astype(float)
    alarmed = ((cosines >= threshold) & different).astype(float)

    # A speaker who is drawn twice does not form a pair with themself: a pair has two.
    def rates(counts: Numbers) -> list[float]:
        pairs = np.outer(counts, counts)[different]
        if not pairs.any():  # one speaker in every place: a draw without a value
            return [np.nan]
        return [equal_error(same_scores, different_scores, counts, pairs)[0]]

    def misses(counts: Numbers) -> Numbers:
        missed_draws: Numbers = counts @ missed / counts.sum(axis=1)
        return missed_draws

    def alarms(counts: Numbers) -> Numbers:
        pairs = counts.sum(axis=1) ** 2 - (counts**2).sum(axis=1)
        flagged: Numbers = np.einsum("rs,rs->r", counts @ alarmed, counts)
        alarmed_draws: Numbers = np.divide(
            flagged, pairs, out=np.full(len(counts), np.nan), where=pairs > 0
        )
        return alarmed_draws

    whole = np.ones((1, speakers))
    rate, rate_threshold = equal_error(
        same_scores, different_scores, np.ones(speakers), np.ones(len(different_scores))
    )

    def entry(value: float, statistic: Any) -> dict[str, Any]:
        interval = interval_over_draws(speakers, statistic, resamples, seed)
        return {"value": value, "low": interval.low, "high": interval.high}

    return {
        "speakers": speakers,
        "same_pairs": speakers,
        "different_pairs": int(different.sum()),
        "equal_error": entry(rate, lambda draws: np.array([rates(c) for c in draws])[:, 0]),
        "equal_error_threshold": rate_threshold,
        "threshold": threshold,
        "misses": entry(float(misses(whole)[0]), misses),
        "false_alarms": entry(float(alarms(whole)[0]), alarms),
    }
