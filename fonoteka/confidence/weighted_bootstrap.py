"""Intervals over speakers of statistics that are not ratios of sums: quantiles, areas.

`fonoteka.scoring.bootstrap_of` adds up the counts of the speakers that are drawn. A quantile has no
counts to add, so here an item counts as often as its speaker is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fonoteka.scoring.error_rate import Interval, bootstrap_of

Weights = NDArray[np.float64]


def interval_over_speakers(
    speakers: Sequence[str], statistic: Callable[[Weights], float], resamples: int, seed: int
) -> Interval:
    """Return the bootstrap interval of a statistic of weighted items.

    Args:
        speakers: the speaker of each item, N.
        statistic: maps how often each item counts, `[N]`, to a number; NaN if there is none.
        resamples: number of resamples.
        seed: of the random generator; the draws are those of `bootstrap_of`.

    >>> ages = np.array([30.0, 40.0])
    >>> mean = lambda weights: float(ages @ weights / weights.sum())
    >>> interval = interval_over_speakers(["ana", "ivo"], mean, 100, seed=1)
    >>> interval.low, interval.high
    (30.0, 40.0)
    """
    names, number = np.unique(np.asarray(speakers, dtype=str), return_inverse=True)
    missing = 0

    def statistics(counts: Weights) -> Weights:
        nonlocal missing
        values = np.array([statistic(row[number]) for row in counts])
        missing = int(np.isnan(values).sum())
        return values

    interval = bootstrap_of(np.eye(len(names)), statistics, resamples, seed)
    if missing:
        return Interval(None, None, f"no value in {missing} of {resamples} draws of speakers")
    return interval


class WeightedQuantile:
    """Quantiles of values that count more or less than once: the smallest value reached.

    Args:
        values: `[N]`.

    >>> quantile = WeightedQuantile([30.0, 10.0, 20.0])
    >>> quantile(0.5, np.ones(3)), quantile(0.5, np.array([5.0, 1.0, 1.0]))
    (20.0, 30.0)
    """

    def __init__(self, values: ArrayLike) -> None:
        numbers = np.asarray(values, dtype=np.float64)
        self._order = np.argsort(numbers, kind="stable")
        self._sorted = numbers[self._order]

    def __call__(self, share: float, weights: Weights) -> float:
        """Return the quantile for weights `[N]`; NaN if they sum to 0.

        It is the quantile that numpy calls `inverted_cdf`; sorting once makes 2,000 draws fast.
        """
        sums = np.cumsum(weights[self._order])
        if not len(sums) or not sums[-1] > 0:
            return float("nan")
        place = int(np.searchsorted(sums, share * sums[-1]))
        return float(self._sorted[min(place, len(sums) - 1)])
