"""Intervals over speakers of statistics that are not ratios of sums: quantiles, areas.

`fonoteka.scoring.bootstrap_of` adds up the counts of the speakers that are drawn. A quantile has no
counts to add, so here a value counts as often as its speaker is drawn. All draws are computed
together, as products of matrices: one draw at a time took 90 s for the confidence of 14,542 phones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fonoteka.scoring.error_rate import Interval, bootstrap_of

Numbers = NDArray[np.float64]
Indices = NDArray[np.intp]

BLOCK_VALUES = 2**20
"""Values of a block of draws in memory, 8 MiB."""


def interval_over_draws(
    speakers: int, statistic: Callable[[Numbers], Numbers], resamples: int, seed: int
) -> Interval:
    """Return the bootstrap interval of a statistic of how often each speaker is drawn.

    Args:
        speakers: their number, S.
        statistic: maps counts per speaker `[R, S]` to values `[R]`; NaN if there is none.
        resamples: number of resamples.
        seed: of the random generator; the draws are those of `bootstrap_of`.

    Returns:
        The interval; none if there is one speaker, or a draw without a value.

    >>> ages = np.array([30.0, 40.0])
    >>> interval = interval_over_draws(2, lambda counts: counts @ ages / 2, 100, seed=1)
    >>> interval.low, interval.high
    (30.0, 40.0)
    """
    missing = 0

    def values_of(counts: Numbers) -> Numbers:
        nonlocal missing
        values = statistic(counts)
        missing = int(np.isnan(values).sum())
        return values

    interval = bootstrap_of(np.eye(speakers), values_of, resamples, seed)
    if missing:
        return Interval(None, None, f"no value in {missing} of {resamples} draws of speakers")
    return interval


def numbered(speakers: Sequence[str]) -> tuple[list[str], Indices]:
    """Return the names of speakers, sorted, and the number of each item's speaker, `[N]`.

    >>> names, number = numbered(["ivo", "ana", "ivo"])
    >>> names, number.tolist()
    (['ana', 'ivo'], [1, 0, 1])
    """
    names, number = np.unique(np.asarray(speakers, dtype=str), return_inverse=True)
    return names.tolist(), number


def speaker_table(number: Indices, level: Indices, shape: tuple[int, int]) -> Numbers:
    """Return how many items each speaker has at each level, `[S, G]`.

    Args:
        number: of each item's speaker, `[N]`.
        level: of each item, `[N]`.
        shape: numbers of speakers and levels.
    """
    flat = np.bincount(number * shape[1] + level, minlength=shape[0] * shape[1])
    return flat.reshape(shape).astype(np.float64)


def blocks(counts: Numbers, levels: int) -> Iterator[Numbers]:
    """Yield rows of counts `[R, S]`, as many together as fit in memory with that many levels."""
    rows = max(1, BLOCK_VALUES // max(1, levels))
    for start in range(0, len(counts), rows):
        yield counts[start : start + rows]


class SpeakerQuantiles:
    """Quantiles of the values of speakers, each value as often as its speaker is drawn.

    Args:
        values: `[N]`.
        speakers: the speaker of each value, N.

    >>> quantiles = SpeakerQuantiles([30.0, 10.0, 20.0], ["ivo", "ana", "ana"])
    >>> quantiles(0.5, np.array([[1.0, 1.0], [0.0, 2.0]])).tolist()
    [20.0, 30.0]
    """

    def __init__(self, values: ArrayLike, speakers: Sequence[str]) -> None:
        self._values, level = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True)
        self.speakers, number = numbered(speakers)
        self._table = speaker_table(number, level, (len(self.speakers), len(self._values)))

    def __call__(self, share: float, counts: Numbers) -> Numbers:
        """Return the quantile of each draw, `[R]`; NaN if it has no value.

        It is the smallest value that the share reaches, which numpy calls `inverted_cdf`.

        Args:
            share: from 0 to 1.
            counts: how often each speaker is drawn, `[R, S]`, in the order of their names.
        """
        results = [np.zeros(0)]
        for block in blocks(counts, len(self._values)):
            sums = np.cumsum(block @ self._table, axis=1)
            if not sums.shape[1]:
                results.append(np.full(len(block), np.nan))
                continue
            # The tolerance is for a share such as 0.9, whose product with a sum is inexact.
            place = (sums < share * sums[:, -1:] - 1e-9).sum(axis=1)
            results.append(np.where(sums[:, -1] > 0, self._values[place], np.nan))
        return np.concatenate(results)
