"""Confidence of decoded phones: measures of their frames, and calibration on other speakers.

A measure says how peaked the posteriors of a frame are, from 0 (all labels alike) to 1 (one label
is certain). Its mean or its minimum over the frames of a phone is the phone's.
Only calibration makes it the probability that the phone is right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.core.errors import UserError
from fonoteka.streaming.interfaces import Posteriors

Values = NDArray[np.float64]

ALPHA = 1 / 3
"""The temperature of the entropies, which the paper recommends: it makes small posteriors count."""


def max_probability(log_probs: Posteriors) -> Values:
    """Return the normalised largest posterior of each frame, shape `[N]`.

    >>> max_probability(np.log(np.array([[.5, .5], [.75, .25], [1 - 1e-9, 1e-9]], "f4"))).round(6)
    array([0. , 0.5, 1. ])
    """
    probabilities = _probabilities(log_probs)
    labels = log_probs.shape[1]
    return _limited((labels * probabilities.max(axis=1) - 1) / (labels - 1))


def gibbs(log_probs: Posteriors, alpha: float = ALPHA) -> Values:
    """Return the confidence of each frame by its Gibbs entropy, shape `[N]`.

    The entropy is `-sum(p^alpha ln p^alpha)`, that of Shannon if alpha is 1. Exponential
    normalisation maps 0 to 1, and that of equal posteriors to 0.

    Source: Laptev and Ginsburg 2022, "Fast entropy-based methods of word-level confidence
    estimation for end-to-end automatic speech recognition", arXiv:2212.08703.
    """
    logs = np.log(_probabilities(log_probs))
    labels = log_probs.shape[1]
    entropy = -(alpha * logs * np.exp(alpha * logs)).sum(axis=1)
    return _exponential(entropy, alpha * labels ** (1 - alpha) * np.log(labels))


def tsallis(log_probs: Posteriors, alpha: float = ALPHA) -> Values:
    """Return the confidence of each frame by its Tsallis entropy, shape `[N]`.

    The entropy is `(1 - sum(p^alpha)) / (alpha - 1)`, normalised as in `gibbs`.

    Source: as `gibbs`.
    """
    labels = log_probs.shape[1]
    entropy = (1 - (_probabilities(log_probs) ** alpha).sum(axis=1)) / (alpha - 1)
    return _exponential(entropy, (1 - labels ** (1 - alpha)) / (alpha - 1))


def _probabilities(log_probs: Posteriors) -> Values:
    """Return posteriors that sum to 1, of at least 1e-30: a power of 0 has no logarithm."""
    probabilities = np.maximum(np.exp(log_probs.astype(np.float64)), 1e-30)
    scaled: Values = probabilities / probabilities.sum(axis=1, keepdims=True)
    return scaled


def _exponential(entropy: Values, largest: float) -> Values:
    # For alpha below 1 and fewer than 5 labels, equal posteriors do not have the largest entropy.
    lowest = np.exp(-largest)
    return _limited((np.exp(-entropy) - lowest) / (1 - lowest))


def _limited(values: Values) -> Values:
    limited: Values = np.clip(values, 0, 1)
    return limited


FRAME_MEASURES: Mapping[str, Callable[[Posteriors], Values]] = {
    "max_probability": max_probability, "gibbs": gibbs, "tsallis": tsallis,
}  # fmt: skip
SUMMARIES: Mapping[str, Callable[[Values], np.floating[Any]]] = {"mean": np.mean, "min": np.min}
MEASURES = tuple(f"{frame}_{summary}" for frame in FRAME_MEASURES for summary in SUMMARIES)


def phone_measure(log_probs: Posteriors, measure: str) -> float:
    """Return a measure of a phone, 0 to 1.

    Args:
        log_probs: log posteriors of the phone's frames, `[N, V]`, N >= 1 and V >= 2.
        measure: one of `MEASURES`.

    Raises:
        UserError: there is no such measure, or no frame.

    >>> frames = np.log(np.array([[.5, .5], [.75, .25]], dtype="f4"))
    >>> round(phone_measure(frames, "max_probability_mean"), 6)
    0.25
    """
    if measure not in MEASURES:
        raise UserError(f"confidence: measure {measure!r} is not one of {', '.join(MEASURES)}")
    if log_probs.ndim != 2 or not len(log_probs) or log_probs.shape[1] < 2:
        raise UserError(f"confidence: expected frames [N, V] of a phone, found {log_probs.shape}")
    frame, _, summary = measure.rpartition("_")
    return float(SUMMARIES[summary](FRAME_MEASURES[frame](log_probs)))


@dataclass(frozen=True)
class ConfidenceCalibration:
    """A map from a measure to the estimated probability that a phone is right.

    It is a table of points with straight lines between them: numpy alone applies it.

    Attributes:
        measure: the measure that it is for, one of `MEASURES`.
        method: how it was fitted, `isotonic` or `logistic`.
        points: values of the measure, ascending.
        probabilities: one per point, not descending.
    """

    measure: str
    method: str
    points: tuple[float, ...]
    probabilities: tuple[float, ...]

    def apply(self, values: NDArray[np.floating[Any]]) -> Values:
        """Return the probabilities for values of the measure, shape `[N]`."""
        return np.asarray(np.interp(values, self.points, self.probabilities), dtype=np.float64)

    def __call__(self, log_probs: Posteriors, label: int) -> float:
        """Return the confidence of a phone, from its frames; decoders take it for their own.

        Args:
            log_probs: log posteriors of the phone's frames, `[N, V]`.
            label: of the phone; it is the largest posterior of its frames, so it adds nothing.
        """
        del label
        return float(self.apply(np.array([phone_measure(log_probs, self.measure)]))[0])

    def to_json(self) -> dict[str, Any]:
        """Return the calibration as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any], place: str) -> ConfidenceCalibration:
        """Return what `to_json` returned.

        Args:
            record: the JSON object.
            place: the file, for the message.

        Raises:
            UserError: a key is missing, or the points are not a table.
        """
        try:
            points, probabilities = tuple(record["points"]), tuple(record["probabilities"])
            result = cls(record["measure"], record["method"], points, probabilities)
        except KeyError as error:
            raise UserError(f"{place}: the calibration has no {error}; fit it again") from error
        steps = np.diff(points), np.diff(probabilities)
        ascending = len(points) and (steps[0] > 0).all() and (steps[1] >= 0).all()
        if len(points) != len(probabilities) or not ascending or result.measure not in MEASURES:
            raise UserError(
                f"{place}: expected a measure and ascending points, each with a probability; fit "
                "it again"
            )
        return result


LOGISTIC_POINTS = 101
"""Points of a logistic curve; between two, the straight line is within 0.001 of the curve."""


def fit_calibration(
    values: Sequence[float], correct: Sequence[bool], measure: str, method: str
) -> ConfidenceCalibration:
    """Fit the map from a measure to the share of right phones.

    Args:
        values: the measure of each phone.
        correct: whether the phone is right.
        measure: one of `MEASURES`.
        method: `isotonic` follows the data and needs thousands of phones; `logistic` is a curve
            with two parameters, of the measure's log odds.

    Returns:
        The calibration. Its probabilities are at least 1 / (N + 2) from 0 and 1: N phones that are
        all right do not prove that the next one is.

    Raises:
        UserError: there is no phone, or no such method.

    Source: Zadrozny and Elkan 2002, "Transforming classifier scores into accurate multiclass
    probability estimates"; Platt 1999, "Probabilistic outputs for support vector machines".
    """
    x, y = np.asarray(values, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if method not in ("isotonic", "logistic"):
        raise UserError(f"confidence: method {method!r} is neither 'isotonic' nor 'logistic'")
    if not len(x) or len(x) != len(y):
        raise UserError(
            f"confidence: {len(x)} values and {len(y)} answers to fit a calibration to; the "
            "validation split needs clips with phone times"
        )
    margin = 1 / (len(x) + 2)
    if method == "isotonic" or len({*y.tolist()}) == 1:
        points, probabilities = _isotonic(x, y)
    else:
        points, probabilities = _logistic(x, y)
    bounded = np.clip(probabilities, margin, 1 - margin)
    return ConfidenceCalibration(measure, method, tuple(points.tolist()), tuple(bounded.tolist()))


def _isotonic(values: Values, correct: Values) -> tuple[Values, Values]:
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(out_of_bounds="clip").fit(values, correct)
    # Two points closer than this are one, so that the table stays ascending after it was printed.
    points, first = np.unique(np.round(fitted.X_thresholds_, 9), return_index=True)
    return points, fitted.y_thresholds_[first]


def _logistic(values: Values, correct: Values) -> tuple[Values, Values]:
    from scipy.special import expit
    from sklearn.linear_model import LogisticRegression

    def log_odds(measure: Values) -> Values:
        bounded = np.clip(measure, 1e-6, 1 - 1e-6)
        return np.asarray(np.log(bounded / (1 - bounded)))

    # C is the inverse of the regularisation: two parameters need none.
    fitted = LogisticRegression(C=1e6).fit(log_odds(values)[:, None], correct)
    slope = max(0.0, float(fitted.coef_[0, 0]))  # a confidence never falls as its measure rises
    # The points are dense where the log odds are steep, near 0 and near 1.
    odds = np.linspace(-np.log(1e6), np.log(1e6), LOGISTIC_POINTS)
    points = expit(odds)
    return points, expit(slope * log_odds(points) + float(fitted.intercept_[0]))
