"""Score the phone segments of each clip, in the order of segments.parquet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from fonoteka.alignment.phone_rows import Row
from fonoteka.phones import INVENTORY
from fonoteka.scoring.decoding import frame_range, segment_scores

Array = NDArray[np.float32]
Predict = Callable[[Array], Array]
Times = Sequence[Sequence[float]]


def times_of(rows: Iterable[Row]) -> Times:
    """Return start and end in seconds of each phone."""
    return [[start_s, end_s] for _, start_s, end_s in rows]


def rows_of(log_probs: Array, times: Times) -> Array:
    """Return log probabilities of the phones in each segment, `[S, V - 1]`.

    Args:
        log_probs: log posteriors of a clip, `[T, V]`.
        times: start and end of each segment in seconds.
    """
    spans = (frame_range(start_s, end_s, len(log_probs)) for start_s, end_s in times)
    return _stacked([segment_scores(log_probs, start, end) for start, end in spans])


def pooled_rows(predict: Predict, frames: Array, times: Times) -> Array:
    """Return the same for a model whose input is the mean of a segment's frames.

    Args:
        predict: embeddings `[1, D]` to log posteriors `[1, V]`.
        frames: a clip's embeddings `[T, D]`.
        times: start and end of each segment in seconds.
    """
    spans = (frame_range(start_s, end_s, len(frames)) for start_s, end_s in times)
    means = (frames[start:end].mean(axis=0, keepdims=True) for start, end in spans)
    return _stacked([segment_scores(predict(mean), 0, 1) for mean in means])


def _stacked(rows: Sequence[Array]) -> Array:
    return np.array(rows, dtype=np.float32).reshape(-1, len(INVENTORY))
