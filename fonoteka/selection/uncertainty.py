"""How uncertain a model is of a clip, and where the clip lies among others, from its posteriors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.scoring.decoding import DecodedSegment
from fonoteka.streaming.confidence import ConfidenceCalibration, phone_measure

Posteriors = NDArray[np.float32]
Values = NDArray[np.float64]

MEASURE = "max_probability_mean"
"""The measure of a phone's frames, unless the calibration of the model names another one."""


def measures_of(
    log_probs: Posteriors, segments: Sequence[DecodedSegment], measure: str = MEASURE
) -> list[float]:
    """Return a confidence measure of each decoded phone, 0 to 1, before calibration.

    Args:
        log_probs: log posteriors of the clip, `[T, V]`.
        segments: the phones that were decoded from them.
        measure: one of `fonoteka.streaming.confidence.MEASURES`.
    """
    return [phone_measure(log_probs[s.start : s.end], measure) for s in segments]


def expected_error(
    measures: Sequence[float], calibration: ConfidenceCalibration | None = None
) -> float:
    """Return the expected share of wrong phones of a clip, 0 to 1; NaN without a phone.

    Args:
        measures: of the decoded phones.
        calibration: from a measure to the probability that a phone is right. Without one the
            measure itself is taken for it: clips keep their order, but the share is not exact.

    >>> expected_error([0.5, 1.0])
    0.25
    >>> table = ConfidenceCalibration(MEASURE, "isotonic", (0.0, 1.0), (0.5, 1.0))
    >>> expected_error([0.5, 1.0], table)
    0.125
    """
    if not measures:
        return float("nan")
    values = np.asarray(measures, dtype=np.float64)
    right = values if calibration is None else calibration.apply(values)
    return float(1 - right.mean())


def phone_profile(log_probs: Posteriors) -> Values:
    """Return the square roots of the mean posteriors of the phones, `[V - 1]`.

    The Euclidean distance of two profiles is the Hellinger distance of the two distributions times
    the square root of 2: 0 for the same phones, at most 1.42. The blank is left out: a CTC model
    predicts it in most frames of every clip.

    Args:
        log_probs: log posteriors of a clip, `[T, V]`, T >= 1; column 0 is the blank.

    >>> frames = np.log(np.array([[.5, .5, 1e-9], [.5, 1e-9, .5]], dtype="f4"))
    >>> phone_profile(frames).round(4)
    array([0.7071, 0.7071])
    """
    mean: NDArray[Any] = np.exp(log_probs[:, 1:].astype(np.float64)).mean(axis=0)
    return np.asarray(np.sqrt(mean / max(float(mean.sum()), 1e-30)))
