"""Turn posteriors into symbols. Everything that names a phone calls this module and no other.

Three decoders for three models would give three accuracies and none to trust.
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
class Spoken:
    """A decoded symbol and the frames `[start, end)` in which it was the likeliest."""

    symbol: str
    start: int
    end: int


def greedy(log_probs: NDArray[np.float32], labels: Sequence[str] = LABELS) -> list[Spoken]:
    """Return the best path with repeats merged and blanks taken out.

    Args:
        log_probs: log posteriors of each frame, shape `[T, V]`.
        labels: names of the V columns; the first is the blank.

    Raises:
        ValueError: the shape doesn't fit the labels, or a value is NaN.

    Source: Graves et al. 2006, "Connectionist Temporal Classification".

    >>> best = np.log(np.array([[.9, .1], [.2, .8], [.2, .8], [.9, .1], [.2, .8]], dtype="f4"))
    >>> [(s.symbol, s.start, s.end) for s in greedy(best, ["", "a"])]
    [('a', 1, 3), ('a', 4, 5)]
    """
    check(log_probs, labels)
    best = log_probs.argmax(axis=1)
    edges = np.flatnonzero(np.diff(best, prepend=-1, append=-1))
    runs = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    return [Spoken(labels[best[a]], a, b) for a, b in runs if best[a] != 0]


def segment_scores(log_probs: NDArray[np.float32], start: int, end: int) -> NDArray[np.float32]:
    """Return how likely each phone is in a segment: the highest posterior it reaches in its frames.

    The blank can't win and has no place. Not the mean: a CTC model is sure of a phone in one frame
    and of the blank in the others, and a mean of log posteriors is decided by how sure it is of the
    blank.

    Args:
        log_probs: log posteriors, shape `[T, V]`; column 0 is the blank.
        start: first frame.
        end: the frame after the last.

    Returns:
        Log probabilities of the phones, shape `[V - 1]`; as probabilities they sum to 1.

    Raises:
        ValueError: no frame of the segment lies in the posteriors, or a value is NaN.

    >>> peaky = np.log(np.array([[.98, .01, .01], [.1, .1, .8], [.4, .5, .1]], dtype="f4"))
    >>> [round(float(p), 3) for p in np.exp(segment_scores(peaky, 0, 3))]
    [0.385, 0.615]
    """
    frames = log_probs[max(start, 0) : end, 1:]
    if frames.size == 0:
        raise UserError(f"segment [{start}, {end}) holds none of {len(log_probs)} frames")
    if np.isnan(frames).any():
        raise UserError(f"posteriors of segment [{start}, {end}) are NaN; the model is broken")
    peaks = frames.max(axis=0).astype(np.float64)
    return np.asarray(peaks - np.logaddexp.reduce(peaks), dtype=np.float32)


def segment_label(
    log_probs: NDArray[np.float32], start: int, end: int, labels: Sequence[str] = LABELS
) -> str:
    """Return the one phone of a segment: the likeliest by `segment_scores`.

    Raises:
        ValueError: the shape doesn't fit the labels, a value is NaN, or no frame of the segment
            lies in the posteriors.

    >>> peaky = np.log(np.array([[.98, .01, .01], [.1, .1, .8], [.4, .5, .1]], dtype="f4"))
    >>> segment_label(peaky, 0, 3, ["", "a", "b"])
    'b'
    """
    check(log_probs, labels)
    return labels[1 + int(segment_scores(log_probs, start, end).argmax())]


def frames_of(start_s: float, end_s: float, total: int) -> tuple[int, int]:
    """Return the frames `[start, end)` of a segment in seconds: at least one, all below `total`.

    >>> frames_of(0.10, 0.16, 50), frames_of(0.999, 1.02, 50)
    ((5, 8), (49, 50))
    """
    start = min(round(start_s * FRAMES_PER_SECOND), total - 1)
    return start, min(max(start + 1, round(end_s * FRAMES_PER_SECOND)), total)


def check(log_probs: NDArray[np.float32], labels: Sequence[str]) -> None:
    """Refuse posteriors that can't be decoded.

    Raises:
        ValueError: the shape doesn't fit the labels, or a value is NaN.
    """
    if log_probs.ndim != 2 or log_probs.shape[1] != len(labels):
        raise UserError(f"expected posteriors [T, {len(labels)}], found {log_probs.shape}")
    if np.isnan(log_probs).any():
        where = int(np.flatnonzero(np.isnan(log_probs).any(axis=1))[0])
        raise UserError(f"posteriors are NaN, first in frame {where}; the model is broken")
