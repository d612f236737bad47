"""Confusion of K classes: counts that add up, and the rates computed from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Rates = NDArray[np.float64]


def counts_of(
    labels: NDArray[np.integer[Any]], predicted: NDArray[np.integer[Any]], classes: int
) -> Counts:
    """Return the confusion matrix, shape `[K, K]`: rows are labels, columns predictions.

    Args:
        labels: indices of classes, 0 to K - 1, shape `[N]`.
        predicted: the predicted class of each, likewise.
        classes: K, the number of classes.

    >>> counts_of(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    cells = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.int64)


@dataclass(frozen=True)
class ClassRates:
    """Rates of each class, shape `[K]` each; NaN if the divisor is 0.

    Attributes:
        precision: correct share of the predictions of the class; NaN if it was never predicted.
        recall: correct share of the labels of the class; NaN if it is not among the labels.
        f1: their harmonic mean; NaN if one of them is.
        accuracy: of the class against the rest; high for every rare class.
    """

    precision: Rates
    recall: Rates
    f1: Rates
    accuracy: Rates


def class_rates(counts: Counts) -> ClassRates:
    """Return the rates of each class, one against the rest.

    >>> rates = class_rates(np.array([[3, 1, 0], [0, 2, 0], [0, 0, 0]]))
    >>> rates.recall.tolist(), rates.precision.round(2).tolist()
    ([0.75, 1.0, nan], [1.0, 0.67, nan])
    """
    hits, labels, predicted = np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0)
    total = counts.sum()
    precision, recall = shares(hits, predicted), shares(hits, labels)
    f1 = shares(2 * hits, labels + predicted)
    f1[np.isnan(precision) | np.isnan(recall)] = np.nan
    correct = total - labels - predicted + 2 * hits
    return ClassRates(precision, recall, f1, shares(correct, np.full(len(hits), total)))


def balanced_accuracy(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean recall of the classes among the labels, with equal weights.

    Args:
        sums: correct and all answers of each class, shape `[..., K, 2]`, with at least one
            answer.

    >>> float(balanced_accuracy(np.array([[9.0, 9.0], [0.0, 1.0], [0.0, 0.0]])))
    0.5
    """
    recall = shares(sums[..., 0], sums[..., 1])
    mean: NDArray[np.float64] = np.nanmean(recall, axis=-1)
    return mean


def shares(parts: NDArray[Any], wholes: NDArray[Any]) -> Rates:
    """Return parts of wholes, NaN if the whole is 0.

    >>> shares(np.array([1, 0]), np.array([2, 0])).tolist()
    [0.5, nan]
    """
    result = np.full(np.broadcast_shapes(parts.shape, wholes.shape), np.nan)
    np.divide(parts, wholes, out=result, where=wholes > 0)
    return result
