"""Whether a model's confidence is its accuracy: of what it is 80 % sure of, 80 % should be right.

Sums of bins add up over speakers, so that an interval over speakers can be drawn from them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.core.errors import UserError


def tally(
    confidence: NDArray[np.floating[Any]], right: NDArray[np.bool_], bins: int
) -> NDArray[np.float64]:
    """Return what adds up of each bin of equal width, the first from 0, the last to 1.

    A confidence that lies on an edge falls into the bin below it, as in the source.

    Args:
        confidence: probability of the answer given, in [0, 1], shape `[N]`.
        right: whether the answer was right, shape `[N]`.
        bins: how many.

    Returns:
        Answers, the sum of their confidence, and right answers, shape `[bins, 3]`.

    Raises:
        ValueError: a confidence lies outside [0, 1] or there is no bin.

    Source: Guo et al. 2017, "On calibration of modern neural networks".

    >>> tally(np.array([0.2, 0.9, 1.0]), np.array([False, True, False]), bins=2).tolist()
    [[1.0, 0.2, 0.0], [2.0, 1.9, 1.0]]
    """
    if bins < 1:
        raise UserError(f"expected at least one bin, found {bins}")
    sure = np.asarray(confidence, dtype=np.float64)
    if not ((sure >= 0) & (sure <= 1)).all():
        raise UserError(f"confidence must lie in [0, 1], found {sure.min()} to {sure.max()}")
    at = np.maximum(np.ceil(sure * bins).astype(np.intp) - 1, 0)
    sums = [np.bincount(at, weights, bins) for weights in (np.ones(len(at)), sure, right)]
    return np.stack(sums, axis=1).astype(np.float64)


def expected_error(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the expected calibration error: how far confidence lies from accuracy, bin by bin.

    It weighs a bin by its answers, and it is never below 0: of few answers even a perfectly
    calibrated model has some.

    Args:
        sums: of bins, from `tally`, shape `[..., bins, 3]`, with at least one answer.

    Returns:
        Errors in [0, 1], shape `[...]`.

    >>> float(expected_error(np.array([[2.0, 1.0, 1.0], [10.0, 9.0, 6.0]])))
    0.25
    """
    apart = np.abs(sums[..., 1] - sums[..., 2]).sum(axis=-1)
    error: NDArray[np.float64] = apart / sums[..., 0].sum(axis=-1)
    return error


def reliability(sums: NDArray[np.float64]) -> list[dict[str, float | None]]:
    """Return each bin's edges, answers, mean confidence and accuracy; None where it has no answer.

    >>> for row in reliability(np.array([[0.0, 0.0, 0.0], [10.0, 9.0, 6.0]])):
    ...     print(*row.values())
    0.0 0.5 0 None None
    0.5 1.0 10 0.9 0.6
    """
    rows: list[dict[str, float | None]] = []
    for number, (answers, sure, right) in enumerate(sums.tolist()):
        some = answers > 0
        rows.append({
            "from": number / len(sums), "to": (number + 1) / len(sums), "segments": int(answers),
            "confidence": sure / answers if some else None,
            "accuracy": right / answers if some else None,
        })  # fmt: skip
    return rows
