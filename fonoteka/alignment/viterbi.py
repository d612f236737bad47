"""The best path through a chain of states, some of which may be left out.

The path is exact for recordings of any length. Back pointers of an hour with 40,000 states would
have 7 GB; here the scores of one frame in about sqrt(T) are stored, and the frames between two of
them are computed again on the way back. That doubles the time and needs 200 MB.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float64]
"""The best score of a path to each state, `[S]`, -inf where no path leads."""

Moves = NDArray[np.int8]
"""By how many states the best path to each state moved in a frame, `[S]`: 0, 1, or 2 over an
optional one."""


def best_path(
    scores: NDArray[np.floating[Any]], labels: Sequence[int], optional: Sequence[bool]
) -> NDArray[np.int64] | None:
    """Return the state of each frame on the best path, `[T]`, or None if no path fits.

    A state takes at least one frame, an optional one may be left out; no two optional states follow
    each other. If several paths are equally good, the one that is sooner in its last states is
    returned.

    Args:
        scores: log score of each label in each frame, `[T, V]`; -inf forbids it.
        labels: of the states in order, `[S]`, at least one.
        optional: whether a state may be left out, `[S]`.

    >>> scores = np.log(np.array([[0.9, 0.1], [0.2, 0.8], [0.9, 0.1], [0.3, 0.7]]))
    >>> best_path(scores, [0, 1, 0], [True, False, True]).tolist()
    [0, 1, 2, 2]
    """
    chain = _Chain(scores, labels, optional)
    frames = len(scores)
    if not frames:
        return None
    every = max(1, math.isqrt(frames))
    row = chain.first()
    stored = [row]  # the rows of frames 0, every, 2 * every, ...
    for frame in range(1, frames):
        row = chain.next(row, frame)
        if frame % every == 0:
            stored.append(row)
    state = chain.last(row)
    if state is None:
        return None
    path = np.empty(frames, dtype=np.int64)
    path[-1] = state
    for number in reversed(range(len(stored))):
        start = number * every
        moves = chain.moves(stored[number], start + 1, min(start + every, frames - 1))
        for frame, move in zip(range(start + len(moves), start, -1), reversed(moves), strict=True):
            state -= int(move[state])
            path[frame - 1] = state
    return path


class _Chain:
    """The states and the step from the scores of one frame to those of the next."""

    def __init__(
        self, scores: NDArray[np.floating[Any]], labels: Sequence[int], optional: Sequence[bool]
    ) -> None:
        self.scores, self.labels = scores, np.asarray(labels)
        self.optional = np.asarray(optional, dtype=bool)
        self.over = np.full(len(self.labels), -np.inf)  # added to a path over the state before
        self.over[2:][self.optional[1:-1]] = 0.0

    def first(self) -> Row:
        """Return the scores of the first frame."""
        row = np.full(len(self.labels), -np.inf)
        starts = 2 if self.optional[0] else 1
        row[:starts] = self.scores[0, self.labels[:starts]]
        return row

    def next(self, row: Row, frame: int) -> Row:
        """Return the scores of a frame, from those of the frame before."""
        scored: Row = self._best(row) + self.scores[frame, self.labels]
        return scored

    def moves(self, row: Row, start: int, last: int) -> list[Moves]:
        """Return the moves of the frames from `start` to `last`; `row` is of the frame before."""
        result = []
        for frame in range(start, last + 1):
            best = self._best(row)
            move = np.full(len(row), 2, dtype=np.int8)
            move[1:][best[1:] == row[:-1]] = 1
            move[best == row] = 0
            result.append(move)
            row = best + self.scores[frame, self.labels]
        return result

    def _best(self, row: Row) -> Row:
        """Return the score of the best path into each state, without that of the frame."""
        best = row.copy()
        np.maximum(best[1:], row[:-1], out=best[1:])
        np.maximum(best[2:], row[:-2] + self.over[2:], out=best[2:])
        return best

    def last(self, row: Row) -> int | None:
        """Return the best state in which a path may end, or None if no path leads to one."""
        ends = [len(row) - 1]
        if self.optional[-1] and len(row) > 1:
            ends.append(len(row) - 2)
        state = max(ends, key=lambda end: row[end])
        return state if row[state] > -np.inf else None
