"""Peak picking, event matching, counts and latencies of decisions at each hop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Counts:
    """Counts of decisions against the truth; counts can be added.

    Attributes:
        hits: true positives.
        extra: false positives.
        missed: false negatives.
    """

    hits: int = 0
    extra: int = 0
    missed: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.hits + other.hits, self.extra + other.extra, self.missed + other.missed
        )  # fmt: skip

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall; 0 if there is nothing to find.

        >>> Counts(2, 1, 1).f1 == 2 / 3
        True
        """
        return 2 * self.hits / max(1, 2 * self.hits + self.extra + self.missed)


def hop_counts(predicted: Numbers, true: Numbers) -> Counts:
    """Return the counts of binary decisions at hops."""
    positive, correct = predicted == 1, true == 1
    return Counts(
        int((positive & correct).sum()),
        int((positive & ~correct).sum()),
        int((~positive & correct).sum()),
    )


def pick_peaks(probabilities: Array, threshold: float) -> Numbers:
    """Return the hops of all peaks above a threshold in probabilities `[T]`.

    A host knows a peak one hop later. On a plateau the last hop is the peak.

    >>> pick_peaks(np.array([0.1, 0.9, 0.9, 0.2, 0.6, 0.1]), 0.5).tolist()
    [2, 4]
    """
    before = np.concatenate([[-np.inf], probabilities[:-1]])
    after = np.concatenate([probabilities[1:], [np.inf]])
    high = (probabilities > threshold) & (probabilities >= before) & (probabilities > after)
    return np.flatnonzero(high)


def match_events(
    predicted_s: Sequence[float], true_s: Sequence[float], tolerance_s: float
) -> list[tuple[int, int]]:
    """Return index pairs of predicted and true events within a tolerance; both lists are sorted.

    Each event is in at most one pair. Greedy matching from the earliest gives the most pairs.

    >>> match_events([0.1, 0.52], [0.11, 0.13, 0.5], 0.02)
    [(0, 0), (1, 2)]
    """
    pairs, predicted, true = [], 0, 0
    while predicted < len(predicted_s) and true < len(true_s):
        difference = predicted_s[predicted] - true_s[true]
        if abs(difference) <= tolerance_s + 1e-9:
            pairs.append((predicted, true))
        predicted += difference <= tolerance_s + 1e-9
        true += difference >= -tolerance_s - 1e-9
    return pairs


def event_counts(
    predicted_s: Sequence[float], true_s: Sequence[float], tolerance_s: float
) -> Counts:
    """Return the counts of predicted events within a tolerance of true ones."""
    hits = len(match_events(predicted_s, true_s, tolerance_s))
    return Counts(hits, len(predicted_s) - hits, len(true_s) - hits)


@dataclass(frozen=True)
class Latencies:
    """Latencies of decisions after changes of the truth.

    Attributes:
        hops: latencies in hops until the end of the hop with the decision, at least 1.
        missed: number of changes without a decision in time.
        anticipated: number of changes whose decision was already present, without a latency.
    """

    hops: list[int]
    missed: int
    anticipated: int


def latencies(predicted: Numbers, true: Numbers, max_hops: int) -> Latencies:
    """Return the latency in hops of the decision after each change of the truth.

    Args:
        predicted: the decision at each hop, `[T]`.
        true: the truth at each hop, `[T]`, at the time of the sound.
        max_hops: maximum latency in hops. Later decisions count as misses, and so does a decision
            after the next change to the same value: it belongs to that change.

    >>> latencies(np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 1, 1]), 4)
    Latencies(hops=[3], missed=0, anticipated=0)
    """
    hops, missed, anticipated = [], 0, 0
    changes = np.flatnonzero(np.diff(true)) + 1
    for number, change in enumerate(changes):
        # A decision that is already present when the truth changes has no latency.
        if predicted[change - 1] == true[change]:
            anticipated += 1
            continue
        end = change + max_hops
        next_same = (c for c in changes[number + 1 :] if c >= end or true[c] == true[change])
        hits = np.flatnonzero(predicted[change : min(end, next(next_same, end))] == true[change])
        if hits.size:
            hops.append(int(hits[0]) + 1)
        else:
            missed += 1
    return Latencies(hops, missed, anticipated)
