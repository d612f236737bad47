"""Whether a model's confidence equals its accuracy: 80 % of answers at 0.8 should be correct.

The sums of bins add up over speakers, so an interval over speakers can be drawn from them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.core.errors import UserError


def tally(
    confidence: NDArray[np.floating[Any]], correct: NDArray[np.bool_], bins: int
) -> NDArray[np.float64]:
    """Return the sums of each bin of equal width, the first from 0, the last to 1.

    A confidence that lies on an edge falls into the bin below it, as in the source.

    Args:
        confidence: probability of the answer, in [0, 1], shape `[N]`.
        correct: whether the answer is correct, shape `[N]`.
        bins: number of bins.

    Returns:
        Answers, the sum of their confidence, and correct answers, shape `[bins, 3]`.

    Raises:
        ValueError: a confidence lies outside [0, 1] or there is no bin.

    Source: Guo et al. 2017, "On calibration of modern neural networks".

    >>> tally(np.array([0.2, 0.9, 1.0]), np.array([False, True, False]), bins=2).tolist()
    [[1.0, 0.2, 0.0], [2.0, 1.9, 1.0]]
    """
    if bins < 1:
        raise UserError(f"expected at least one bin, found {bins}")
    confidences = np.asarray(confidence, dtype=np.float64)
    if not ((confidences >= 0) & (confidences <= 1)).all():
        raise UserError(
            f"confidence must lie in [0, 1], found {confidences.min()} to {confidences.max()}"
        )
    bin_index = np.maximum(np.ceil(confidences * bins).astype(np.intp) - 1, 0)
    sums = [
        np.bincount(bin_index, weights, bins)
        for weights in (np.ones(len(bin_index)), confidences, correct)
    ]
    return np.stack(sums, axis=1).astype(np.float64)


def expected_error(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the expected calibration error: how far confidence lies from accuracy, bin by bin.

    A bin is weighted by its answers. The error is never below 0, so with few answers even a
    perfectly calibrated model has some.

    Args:
        sums: of bins, from `tally`, shape `[..., bins, 3]`, with at least one answer.

    Returns:
        Errors in [0, 1], shape `[...]`.

    >>> float(expected_error(np.array([[2.0, 1.0, 1.0], [10.0, 9.0, 6.0]])))
    0.25
    """
    distance = np.abs(sums[..., 1] - sums[..., 2]).sum(axis=-1)
    error: NDArray[np.float64] = distance / sums[..., 0].sum(axis=-1)
    return error


def reliability(sums: NDArray[np.float64]) -> list[dict[str, float | None]]:
    """Return each bin's edges, answers, mean confidence and accuracy; None if it has no answer.

    >>> for row in reliability(np.array([[0.0, 0.0, 0.0], [10.0, 9.0, 6.0]])):
    ...     print(*row.values())
    0.0 0.5 0 None None
    0.5 1.0 10 0.9 0.6
    """
    rows: list[dict[str, float | None]] = []
    for number, (answers, confidence, correct) in enumerate(sums.tolist()):
        occupied = answers > 0
        rows.append({
            "from": number / len(sums), "to": (number + 1) / len(sums), "segments": int(answers),
            "confidence": confidence / answers if occupied else None,
            "accuracy": correct / answers if occupied else None,
        })  # fmt: skip
    return rows
