"""From probabilities to answers, one hop after another, and how many of them are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Counts:
    """Answers against the truth; they add up.

    Attributes:
        hits: yes, and right.
        extra: yes, and wrong.
        missed: no, and wrong.
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
        """The harmonic mean of precision and recall; 0 where there was nothing to find.

        >>> Counts(2, 1, 1).f1 == 2 / 3
        True
        """
        return 2 * self.hits / max(1, 2 * self.hits + self.extra + self.missed)


def counts_of(said: Numbers, true: Numbers) -> Counts:
    """Return the counts of hops that are answered with 1 or 0."""
    yes, right = said == 1, true == 1
    return Counts(int((yes & right).sum()), int((yes & ~right).sum()), int((~yes & right).sum()))


def peaks(probabilities: Array, threshold: float) -> Numbers:
    """Return the hops of all peaks above a threshold, of probabilities `[T]`.

    A host knows of a peak one hop later. Of hops that are equally high the last is the peak.

    >>> peaks(np.array([0.1, 0.9, 0.9, 0.2, 0.6, 0.1]), 0.5).tolist()
    [2, 4]
    """
    before = np.concatenate([[-np.inf], probabilities[:-1]])
    after = np.concatenate([probabilities[1:], [np.inf]])
    high = (probabilities > threshold) & (probabilities >= before) & (probabilities > after)
    return np.flatnonzero(high)


def matched(
    said_s: Sequence[float], true_s: Sequence[float], tolerance_s: float
) -> list[tuple[int, int]]:
    """Return pairs of moments that belong together, each in one pair at most; both are sorted.

    Taking the earliest that fits is best for moments on a line: no other pairing has more pairs.

    >>> matched([0.1, 0.52], [0.11, 0.13, 0.5], 0.02)
    [(0, 0), (1, 2)]
    """
    pairs, said, true = [], 0, 0
    while said < len(said_s) and true < len(true_s):
        apart = said_s[said] - true_s[true]
        if abs(apart) <= tolerance_s + 1e-9:
            pairs.append((said, true))
        said += apart <= tolerance_s + 1e-9
        true += apart >= -tolerance_s - 1e-9
    return pairs


def event_counts(said_s: Sequence[float], true_s: Sequence[float], tolerance_s: float) -> Counts:
    """Return the counts of moments that were said within a tolerance of the true ones."""
    hits = len(matched(said_s, true_s, tolerance_s))
    return Counts(hits, len(said_s) - hits, len(true_s) - hits)


@dataclass(frozen=True)
class Delays:
    """How the answers followed the changes of the truth.

    Attributes:
        hops: of each change that was followed: whole hops until the end of the hop with the answer,
            at least 1.
        without: changes that no answer followed in time.
        before: changes whose answer was there already, so that no delay can be told.
    """

    hops: list[int]
    without: int
    before: int


def delays(said: Numbers, true: Numbers, within: int) -> Delays:
    """Return how many hops after each change of the truth the answer followed.

    Args:
        said: the answer at each hop, `[T]`.
        true: the truth at each hop, `[T]`, at the time of the sound.
        within: hops; a later answer is none. Neither is one that comes when the truth has changed
            to the same once more: it belongs to that change.

    >>> delays(np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 1, 1]), 4)
    Delays(hops=[3], without=0, before=0)
    """
    hops, without, before = [], 0, 0
    changes = np.flatnonzero(np.diff(true)) + 1
    for number, at in enumerate(changes):
        if said[at - 1] == true[at]:
            before += 1
            continue
        end = at + within
        again = (c for c in changes[number + 1 :] if c >= end or true[c] == true[at])
        hits = np.flatnonzero(said[at : min(end, next(again, end))] == true[at])
        if hits.size:
            hops.append(int(hits[0]) + 1)
        else:
            without += 1
    return Delays(hops, without, before)
