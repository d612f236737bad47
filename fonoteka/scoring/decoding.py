"""Decoding of posteriors to symbols, for every model and every stage.

With a separate decoder per model, accuracies would not be comparable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fonoteka.audio.dsp import FRAMES_PER_SECOND
from fonoteka.core.errors import UserError
from fonoteka.phones import LABELS


@dataclass(frozen=True)
class DecodedSegment:
    """A decoded symbol and the frames `[start, end)` in which it is the most likely one."""

    symbol: str
    start: int
    end: int


def greedy(log_probs: NDArray[np.float32], labels: Sequence[str] = LABELS) -> list[DecodedSegment]:
    """Return the best path with repeats merged and blanks removed.

    Args:
        log_probs: log posteriors per frame, shape `[T, V]`.
        labels: names of the V columns; the first is the blank.

    Raises:
        UserError: the shape does not fit the labels, or a value is NaN.

    Source: Graves et al. 2006, "Connectionist Temporal Classification".

    >>> best = np.log(np.array([[.9, .1], [.2, .8], [.2, .8], [.9, .1], [.2, .8]], dtype="f4"))
    >>> [(s.symbol, s.start, s.end) for s in greedy(best, ["", "a"])]
    [('a', 1, 3), ('a', 4, 5)]
    """
    check_posteriors(log_probs, labels)
    best = log_probs.argmax(axis=1)
    edges = np.flatnonzero(np.diff(best, prepend=-1, append=-1))
    runs = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    return [DecodedSegment(labels[best[a]], a, b) for a, b in runs if best[a] != 0]


def segment_scores(log_probs: NDArray[np.float32], start: int, end: int) -> NDArray[np.float32]:
    """Return the scores of all phones in a segment: the maximum posterior over its frames.

    The blank is excluded. The maximum is used instead of the mean, because a CTC model predicts a
    phone in one frame and the blank in the others, so the blank would dominate a mean of log
    posteriors.

    Args:
        log_probs: log posteriors, shape `[T, V]`; column 0 is the blank.
        start: first frame.
        end: the frame after the last.

    Returns:
        Log probabilities of the phones, shape `[V - 1]`; as probabilities they sum to 1.

    Raises:
        UserError: the posteriors have no frame of the segment, or a value is NaN.

    >>> peaky = np.log(np.array([[.98, .01, .01], [.1, .1, .8], [.4, .5, .1]], dtype="f4"))
    >>> [round(float(p), 3) for p in np.exp(segment_scores(peaky, 0, 3))]
    [0.385, 0.615]
    """
    frames = log_probs[max(start, 0) : end, 1:]
    if frames.size == 0:
        raise UserError(f"segment [{start}, {end}) contains none of {len(log_probs)} frames")
    if np.isnan(frames).any():
        raise UserError(
            f"posteriors of segment [{start}, {end}) are NaN; train or export the model again"
        )
    # float64, so that the normalisation adds no rounding to the float32 scores.
    peaks = frames.max(axis=0).astype(np.float64)
    return np.asarray(peaks - np.logaddexp.reduce(peaks), dtype=np.float32)


def segment_label(
    log_probs: NDArray[np.float32], start: int, end: int, labels: Sequence[str] = LABELS
) -> str:
    """Return the most likely phone of a segment by `segment_scores`.

    Raises:
        UserError: the shape does not fit the labels, a value is NaN, or no frame of the segment is
            in the posteriors.

    >>> peaky = np.log(np.array([[.98, .01, .01], [.1, .1, .8], [.4, .5, .1]], dtype="f4"))
    >>> segment_label(peaky, 0, 3, ["", "a", "b"])
    'b'
    """
    check_posteriors(log_probs, labels)
    return labels[1 + int(segment_scores(log_probs, start, end).argmax())]


def frame_range(start_s: float, end_s: float, total: int) -> tuple[int, int]:
    """Return the frames `[start, end)` of a segment in seconds: at least one, all below `total`.

    >>> frame_range(0.10, 0.16, 50), frame_range(0.999, 1.02, 50)
    ((5, 8), (49, 50))
    """
    start = min(round(start_s * FRAMES_PER_SECOND), total - 1)
    return start, min(max(start + 1, round(end_s * FRAMES_PER_SECOND)), total)


def check_posteriors(log_probs: NDArray[np.float32], labels: Sequence[str]) -> None:
    """Raise an error for posteriors that cannot be decoded.

    Raises:
        UserError: the shape does not fit the labels, or a value is NaN.
    """
    if log_probs.ndim != 2 or log_probs.shape[1] != len(labels):
        raise UserError(f"expected posteriors [T, {len(labels)}], found {log_probs.shape}")
    if np.isnan(log_probs).any():
        frame = int(np.flatnonzero(np.isnan(log_probs).any(axis=1))[0])
        raise UserError(
            f"posteriors are NaN, first in frame {frame}; train or export the model again"
        )
