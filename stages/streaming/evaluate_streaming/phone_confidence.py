"""Compare measures of confidence: fit each on validation streams, score it on test streams."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fonoteka.confidence.confidence_metrics import (
    confidence_scores,
    entropy_sums,
    normalised_cross_entropy,
)
from fonoteka.scoring.decoding import greedy
from fonoteka.scoring.error_rate import aligned
from fonoteka.streaming.confidence import (
    MEASURES,
    ConfidenceCalibration,
    fit_calibration,
    phone_measure,
)
from fonoteka.streaming.interfaces import Posteriors
from fonoteka.streaming.stream_metrics import ReferencePhone


@dataclass(frozen=True)
class MeasuredPhone:
    """A decoded phone of a stream.

    Attributes:
        speaker: of the stream.
        correct: whether it is aligned with an equal true phone.
        measures: the value of each measure of `MEASURES`.
    """

    speaker: str
    correct: bool
    measures: tuple[float, ...]


@dataclass(frozen=True)
class ConfidenceParams:
    """Part `confidence` of section `evaluate_streaming`.

    Attributes:
        method: of the calibration, `isotonic` or `logistic`.
        bins: of the calibration error.
    """

    method: str
    bins: int


def measured_phones(
    log_probs: Posteriors, labels: Sequence[str], reference: Sequence[ReferencePhone], speaker: str
) -> list[MeasuredPhone]:
    """Return the phones of the best path of a stream, with their measures.

    Args:
        log_probs: log posteriors of the stream, `[T, V]`.
        labels: names of the V columns.
        reference: the true phones.
        speaker: of the stream.
    """
    segments = greedy(log_probs, labels)
    pairs = aligned([symbol for symbol, *_ in reference], [s.symbol for s in segments])
    correct = [true == symbol for true, symbol in pairs if symbol is not None]
    return [
        MeasuredPhone(
            speaker, right,
            tuple(phone_measure(log_probs[s.start : s.end], measure) for measure in MEASURES),
        )
        for s, right in zip(segments, correct, strict=True)
    ]  # fmt: skip


def compare_measures(
    valid: Sequence[MeasuredPhone], test: Sequence[MeasuredPhone], params: ConfidenceParams,
    resamples: int, seed: int,
) -> tuple[dict[str, Any], ConfidenceCalibration]:  # fmt: skip
    """Return the scores of each calibrated measure, and the calibration of the best one.

    The best has the highest normalised cross entropy on the validation streams; the test streams
    choose nothing. A model that decodes no phone in a split has no scores, and the measure itself
    for a calibration.
    """
    if not valid or not test:
        return {}, ConfidenceCalibration(MEASURES[0], "none", (0.0, 1.0), (0.0, 1.0))
    right = np.array([phone.correct for phone in valid])
    speakers = [phone.speaker for phone in test]
    scores: dict[str, Any] = {}
    calibrations: dict[str, tuple[float, ConfidenceCalibration]] = {}
    for number, measure in enumerate(MEASURES):
        values = column(valid, number)
        fitted = fit_calibration(values.tolist(), right.tolist(), measure, params.method)
        own = float(normalised_cross_entropy(entropy_sums(fitted.apply(values), right)))
        # Without a wrong phone on the validation split every measure is as good.
        calibrations[measure] = (-1.0 if np.isnan(own) else own, fitted)
        scores[measure] = confidence_scores(
            fitted.apply(column(test, number)), np.array([phone.correct for phone in test]),
            speakers, params.bins, resamples, seed,
        )  # fmt: skip
    best = max(calibrations, key=lambda measure: calibrations[measure][0])
    for measure in scores:
        scores[measure]["chosen"] = measure == best
    return scores, calibrations[best][1]


def column(phones: Iterable[MeasuredPhone], number: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the values of a measure, `[N]`."""
    return np.array([phone.measures[number] for phone in phones], dtype=np.float64)
