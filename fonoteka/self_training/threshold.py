"""The confidence above which a label of a model is kept, chosen on labelled clips.

The threshold is the lowest one whose labels have the wanted precision on the validation split, so
it needs speakers that the model was not trained on. A calibration turns each score into the
expected share of right labels, which is stored per clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from fonoteka.core.errors import UserError
from fonoteka.streaming.confidence import ConfidenceCalibration, fit_calibration

Z = 1.959964  # 95 % of a normal distribution
FEWEST = 10  # kept clips of the validation split; with fewer the precision means nothing


class NoThresholdError(UserError):
    """No threshold has the wanted precision on the validation split."""


@dataclass(frozen=True)
class ConfidenceThreshold:
    """A threshold and how it was chosen.

    Attributes:
        score: the lowest score that is kept, 0 to 1.
        target: the wanted precision.
        precision: share of right labels among the kept ones of the validation split.
        precision_low: lower end of its 95 % interval, by Wilson.
        valid_kept: clips of the validation split at or above the threshold.
        valid_total: all of its clips.
        calibration: from a score to the expected precision.
    """

    score: float
    target: float
    precision: float
    precision_low: float
    valid_kept: int
    valid_total: int
    calibration: ConfidenceCalibration

    def confidence(self, scores: Sequence[float]) -> NDArray[np.float64]:
        """Return the expected share of right labels of each score, `[N]`."""
        return self.calibration.apply(np.asarray(scores, dtype=np.float64))

    def summary(self) -> dict[str, float]:
        """Return the numbers of a report."""
        return {
            "score": round(self.score, 6),
            "target": self.target,
            "valid_kept": self.valid_kept,
            "valid_precision": round(self.precision, 4),
            "valid_precision_low": round(self.precision_low, 4),
            "valid_total": self.valid_total,
        }


def wilson_low(right: int, total: int) -> float:
    """Return the lower end of the 95 % interval of a share.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    >>> round(wilson_low(10, 10), 3), round(wilson_low(90, 100), 3)
    (0.722, 0.826)
    """
    share, square = right / total, Z * Z / total
    spread = Z * sqrt(share * (1 - share) / total + square / (4 * total))
    return (share + square / 2 - spread) / (1 + square)


def choose_threshold(
    scores: Sequence[float], correct: Sequence[bool], target: float
) -> ConfidenceThreshold:
    """Return the lowest threshold whose labels have a precision of `target` or more.

    Args:
        scores: of labelled clips, 0 to 1.
        correct: whether the label of each clip is right.
        target: wanted precision, above 0 and at most 1.

    Raises:
        UserError: the target is not a share.
        NoThresholdError: no threshold with `FEWEST` clips or more reaches it.

    >>> scores = [number / 40 for number in range(40)]
    >>> chosen = choose_threshold(scores, [score > 0.4 for score in scores], 0.9)
    >>> chosen.score, chosen.valid_kept, round(chosen.precision, 3)
    (0.375, 25, 0.92)
    """
    if not 0 < target <= 1:
        raise UserError(f"precision must be above 0 and at most 1, found {target:g}")
    order = sorted(zip(scores, correct, strict=True), key=lambda pair: -pair[0])
    right, best, highest = 0, (0, 0), 0.0
    for count, (score, is_right) in enumerate(order, start=1):
        right += is_right
        # Clips of equal score are kept or left out together.
        last_of_equals = count == len(order) or order[count][0] < score
        if last_of_equals and count >= FEWEST:
            highest = max(highest, right / count)
            if right / count >= target:
                best = (count, right)
    if not best[0]:
        raise NoThresholdError(
            f"no threshold has a precision of {target:g} on {len(order)} validation clips (highest "
            f"{highest:.3f} with {FEWEST} clips or more); use a better model or a lower precision"
        )
    count, right = best
    calibration = fit_calibration(scores, correct, "max_probability_min", "isotonic")
    return ConfidenceThreshold(
        order[count - 1][0], target, right / count, wilson_low(right, count), count, len(order),
        calibration,
    )  # fmt: skip
