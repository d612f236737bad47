"""Which of K classes is taken for which: counts that add up, and the rates that follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Rates = NDArray[np.float64]


def counts_of(
    said: NDArray[np.integer[Any]], heard: NDArray[np.integer[Any]], classes: int
) -> Counts:
    """Return how often each class was taken for each, shape `[K, K]`: a row what was said.

    Args:
        said: numbers of classes, 0 to K - 1, shape `[N]`.
        heard: what each was taken for, likewise.
        classes: K.

    >>> counts_of(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    cells = np.bincount(said * classes + heard, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.int64)


@dataclass(frozen=True)
class ClassRates:
    """Rates of each class, shape `[K]` each; NaN where there is nothing to divide by.

    Attributes:
        precision: right of those heard as the class; NaN where it was never heard.
        recall: right of those said; NaN where it was never said.
        f1: their harmonic mean; NaN where one of them is.
        accuracy: right about being the class or not; high for every rare class.
    """

    precision: Rates
    recall: Rates
    f1: Rates
    accuracy: Rates


def class_rates(counts: Counts) -> ClassRates:
    """Return the rates of each class, one against the rest.

    >>> found = class_rates(np.array([[3, 1, 0], [0, 2, 0], [0, 0, 0]]))
    >>> found.recall.tolist(), found.precision.round(2).tolist()
    ([0.75, 1.0, nan], [1.0, 0.67, nan])
    """
    hits, said, heard = np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0)
    total = counts.sum()
    precision, recall = shares(hits, heard), shares(hits, said)
    f1 = shares(2 * hits, said + heard)
    f1[np.isnan(precision) | np.isnan(recall)] = np.nan
    right = total - said - heard + 2 * hits
    return ClassRates(precision, recall, f1, shares(right, np.full(len(hits), total)))


def balanced_accuracy(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean recall of the classes that were said: each counts alike, rare or common.

    Args:
        sums: right answers and all answers of each class, shape `[..., K, 2]`, with at least one
            answer.

    >>> float(balanced_accuracy(np.array([[9.0, 9.0], [0.0, 1.0], [0.0, 0.0]])))
    0.5
    """
    recall = shares(sums[..., 0], sums[..., 1])
    mean: NDArray[np.float64] = np.nanmean(recall, axis=-1)
    return mean


def shares(parts: NDArray[Any], wholes: NDArray[Any]) -> Rates:
    """Return parts of wholes, NaN where there is no whole.

    >>> shares(np.array([1, 0]), np.array([2, 0])).tolist()
    [0.5, nan]
    """
    found = np.full(np.broadcast_shapes(parts.shape, wholes.shape), np.nan)
    np.divide(parts, wholes, out=found, where=wholes > 0)
    return found
