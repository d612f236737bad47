"""Propose which clips may hold one recording, without comparing each with each.

Prints (see `fonoteka.fingerprint.fingerprint`) are sorted together, so that equal high bits lie
side by side. Each code is compared with the `NEIGHBOURS` after it, where equal ones also have like
low bits beside them. The work grows as n log n, and a pattern that is in every clip, such as a
word's onset, costs no more than a rare one; of many equal copies each meets the next ones, which is
enough to chain them together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import log2

import numpy as np
from numpy.typing import NDArray

from fonoteka.fingerprint.fingerprint import DETAIL_BITS, Codes

NEIGHBOURS = 8
"""Codes after each that it is compared with."""
MAX_DIFFERENT = 6
"""Low bits in which two codes of one sound may differ, of 24; by chance 12 do."""
NEEDED, NEEDED_SHORT, SHORT_S = 12, 8, 1.0
"""Points for a proposal; where the shorter clip is below that, for it has less to agree in."""
MANY, MORE = 5000, 2.0
"""Of more clips than that more agree by chance: so many points more are asked at each doubling, by
which the proposals for a clip stay as many as they are (of 30,000 short clips, one for five)."""
PARTNERS = 8
"""The best proposals of a clip that are kept."""
_AT_ONCE, _MOST_PARTS = 1 << 17, 64  # codes or hits sorted at a time, which bounds memory
_POINTS, _LOST_BITS = 8, 3  # for a hit, less one for each low bit that differs
_DETAIL = np.uint64((1 << DETAIL_BITS) - 1)

Pairs = NDArray[np.int64]


def candidates(prints: Codes, durations_s: Sequence[float]) -> Pairs:
    """Return pairs of clips that may be one recording.

    Two clips get points for each moment of which a code agrees: 8 less one for each low bit that
    differs. A moment counts once, whichever of its codes agreed.

    Args:
        prints: of each clip, shape `[clips, codes]`; zeros are no codes.
        durations_s: of each clip, in seconds.

    Returns:
        Shape `[P, 2]`: places in `prints`, the smaller first, rows ascending; at most `PARTNERS`
        times as many as clips.

    >>> one = np.arange(1, 4, dtype=np.uint64) * np.uint64((1 << 24) + 1)
    >>> other = np.array([9, 0, 0], dtype=np.uint64)
    >>> candidates(np.stack([one, other, one]), [2.0, 2.0, 2.0]).tolist()
    [[0, 2]]
    """
    flat = np.ascontiguousarray(prints).reshape(-1)
    parts = min(-(-len(flat) // _AT_ONCE), _MOST_PARTS)
    octet = flat.astype("<u8", copy=False).view(np.uint8)[DETAIL_BITS // 8 :: 8]
    share = octet % max(parts, 1)  # the lowest of the high bits, which are spread evenly
    hits = []
    for part in range(parts):  # nothing is copied but a part at a time
        here = np.flatnonzero((share == part) & (flat > 0))
        hits.append(_hits(flat[here], (here // prints.shape[1]).astype(np.int32)))
    if not hits:
        return np.empty((0, 2), dtype=np.int64)
    both, moments = (np.concatenate(column) for column in zip(*hits, strict=True))
    hits.clear()
    more = MORE * max(0.0, log2(max(len(durations_s), 1) / MANY))
    lengths = np.asarray(durations_s)
    found = []
    for within in _ranges(both, len(prints)):
        pairs, scores = _scores(both[within], moments[within])
        shorter = lengths[pairs].min(axis=1)
        enough = scores >= np.where(shorter < SHORT_S, NEEDED_SHORT, NEEDED) + more
        found.append((pairs[enough], scores[enough]))
    return _best(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _ranges(both: Codes, clips: int) -> Iterator[NDArray[np.bool_]]:
    """Part hits by their first clip, so that what is known of all pairs is never there at once."""
    count = max(1, -(-len(both) // _AT_ONCE))
    bounds = np.linspace(0, clips, min(count, max(clips, 1)) + 1).astype(np.uint64)
    for start, stop in pairwise((bounds << np.uint64(32)).tolist()):
        yield (both >= start) & (both < stop)


def _hits(codes: Codes, owners: NDArray[np.int32]) -> tuple[Codes, NDArray[np.uint32]]:
    """Return where codes agree: both clips in one number, and the moment with the low bits lost.

    Twelve bytes a hit, for there are many; the moment is that of the first clip.
    """
    order = np.argsort(codes, kind="stable")
    codes, owners = codes[order], owners[order]
    pairs = [np.empty(0, dtype=np.uint64)]
    moments = [np.empty(0, dtype=np.uint32)]
    for apart in range(1, min(NEIGHBOURS, len(codes) - 1) + 1):
        differ = codes[apart:] ^ codes[:-apart]
        here = np.flatnonzero((differ <= _DETAIL) & (owners[apart:] != owners[:-apart]))
        lost = np.bitwise_count(differ[here])
        here, lost = here[lost <= MAX_DIFFERENT], lost[lost <= MAX_DIFFERENT]
        one, other = owners[here], owners[here + apart]
        low, high = np.minimum(one, other).astype(np.uint64), np.maximum(one, other)
        pairs.append((low << np.uint64(32)) | high.astype(np.uint64))
        moment = np.where(one < other, codes[here], codes[here + apart]) & _DETAIL
        moments.append((moment << np.uint64(_LOST_BITS) | lost).astype(np.uint32))
    return np.concatenate(pairs), np.concatenate(moments)


def _scores(both: Codes, moments: NDArray[np.uint32]) -> tuple[Pairs, NDArray[np.float64]]:
    """Return the pairs that have hits and their points, each moment with its best hit only."""
    order = np.lexsort((moments, both))
    both, moments = both[order], moments[order]
    new_pair = np.r_[True, both[1:] != both[:-1]][: len(both)]
    moment = moments >> np.uint32(_LOST_BITS)
    best = new_pair | np.r_[True, moment[1:] != moment[:-1]][: len(both)]
    points = _POINTS - (moments[best] & np.uint32((1 << _LOST_BITS) - 1)).astype(np.float64)
    scores = np.bincount(np.cumsum(new_pair)[best] - 1, weights=points).astype(np.float64)
    pairs = both[new_pair]
    places: Pairs = np.stack([pairs >> np.uint64(32), pairs & np.uint64(0xFFFFFFFF)], axis=1)
    return places.astype(np.int64), scores


def _best(pairs: Pairs, scores: NDArray[np.float64]) -> Pairs:
    """Keep a pair that is among the best of either clip; of equal ones the first."""
    clip = np.concatenate([pairs[:, 0], pairs[:, 1]])
    twice = np.concatenate([scores, scores])
    order = np.lexsort((np.tile(np.arange(len(pairs)), 2), -twice, clip))
    sorted_clips = clip[order]
    rank = np.arange(len(order)) - np.searchsorted(sorted_clips, sorted_clips)
    chosen = np.unique(order[rank < PARTNERS] % max(len(pairs), 1))
    return pairs[chosen]
