"""Labels of hops: the expected decision of each task at each hop of a stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from fonoteka.alignment.phone_rows import Row
from fonoteka.g2p.visemes import VISEME_OF, VISEMES, VOICED
from fonoteka.phones import INVENTORY

Labels = NDArray[np.int64]
SIL = "sil"
MIN_PAUSE_S = 0.1
"""Shorter gaps between two phones, such as the closure of a stop, count as speech."""


def phone_labels(rows: Sequence[Row], hops: int, hop_s: float) -> Labels:
    """Return the phone at the centre of each hop, shape `[hops]`: its index from 1 on, or 0.

    >>> phone_labels([("a", 0.01, 0.03)], 4, 0.01).tolist()
    [0, 1, 1, 0]
    """
    middle = (np.arange(hops) + 0.5) * hop_s
    labels = np.zeros(hops, dtype=np.int64)
    for phone, start_s, end_s in rows:
        first, after = np.searchsorted(middle, [start_s, end_s])
        labels[first:after] = 1 + INVENTORY.index(phone)
    return labels


def speech_labels(rows: Sequence[Row], hops: int, hop_s: float) -> Labels:
    """Return 1 during speech, shape `[hops]`; pauses of MIN_PAUSE_S or more are not speech."""
    middle = (np.arange(hops) + 0.5) * hop_s
    labels = np.zeros(hops, dtype=np.int64)
    last_s = -np.inf
    for _, start_s, end_s in sorted(rows, key=lambda row: row[1]):
        begin_s = last_s if start_s - last_s < MIN_PAUSE_S else start_s
        first, after = np.searchsorted(middle, [begin_s, end_s])
        labels[first:after] = 1
        last_s = max(last_s, end_s)
    return labels


def voicing_labels(rows: Sequence[Row], hops: int, hop_s: float) -> Labels:
    """Return 1 during voiced phones, shape `[hops]`."""
    return _lookup(rows, hops, hop_s, [phone in VOICED for phone in INVENTORY])


def viseme_labels(rows: Sequence[Row], hops: int, hop_s: float) -> Labels:
    """Return the index of the viseme, shape `[hops]`; 0 is silence."""
    return _lookup(rows, hops, hop_s, [VISEMES.index(VISEME_OF[p]) for p in INVENTORY])


def onset_labels(rows: Sequence[Row], hops: int, hop_s: float) -> Labels:
    """Return 1 in each hop in which a phone begins, shape `[hops]`.

    >>> onset_labels([("a", 0.01, 0.03), ("b", 0.035, 0.05)], 5, 0.01).tolist()
    [0, 1, 0, 1, 0]
    """
    labels = np.zeros(hops, dtype=np.int64)
    # Half a microsecond: a time exactly at the edge of a hop belongs to the hop that starts there.
    indices = np.array([int((start_s + 5e-7) / hop_s) for _, start_s, _ in rows], dtype=np.int64)
    labels[indices[indices < hops]] = 1
    return labels


def _lookup(rows: Sequence[Row], hops: int, hop_s: float, values: Sequence[int]) -> Labels:
    return np.array([0, *values], dtype=np.int64)[phone_labels(rows, hops, hop_s)]


@dataclass(frozen=True)
class TaskSpec:
    """The task of a model at each hop.

    Attributes:
        labels: function that returns the labels of a stream, see above.
        names: classes in the order of the outputs; a single name is a binary task.
        event: whether a positive decision is an event rather than a state.
    """

    labels: Callable[[Sequence[Row], int, float], Labels]
    names: tuple[str, ...]
    event: bool = False


TASKS: Mapping[str, TaskSpec] = MappingProxyType({
    "speech": TaskSpec(speech_labels, ("speech",)),
    "voicing": TaskSpec(voicing_labels, ("voiced",)),
    "phone": TaskSpec(phone_labels, (SIL, *INVENTORY)),
    "viseme": TaskSpec(viseme_labels, VISEMES),
    "onset": TaskSpec(onset_labels, ("onset",), event=True),
})  # fmt: skip
"""The tasks of the five models, by name."""


def delayed(labels: Labels, hops: int) -> Labels:
    """Return labels shifted by the delay of a model in hops; the first labels are 0.

    >>> delayed(np.array([1, 2, 3]), 1).tolist()
    [0, 1, 2]
    """
    if hops == 0:
        return labels
    return np.concatenate([np.zeros(min(hops, len(labels)), labels.dtype), labels[:-hops]])
