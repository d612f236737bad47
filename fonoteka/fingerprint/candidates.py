"""Propose pairs of clips that may contain one recording, without comparing every pair.

The codes of all fingerprints (see `fonoteka.fingerprint.fingerprint`) are sorted together, so codes
with equal high bits are adjacent, and among them codes with similar low bits. Each code is compared
with the `NEIGHBOURS` codes after it. The work grows as n log n. A pattern that occurs in every
clip, such as a word's onset, costs no more than a rare one. Each of many equal copies is compared
with the next ones, which is enough to group them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import log2

import numpy as np
from numpy.typing import NDArray

from fonoteka.fingerprint.fingerprint import DETAIL_BITS, Codes

NEIGHBOURS = 8
"""Number of following codes that a code is compared with."""
MAX_BIT_ERRORS = 6
"""Largest number of different low bits, of 24, in two codes of one sound; 12 differ by chance."""
MIN_POINTS, MIN_POINTS_SHORT, SHORT_S = 12, 8, 1.0
"""Points for a proposal, and for one whose shorter clip is under `SHORT_S` and has fewer codes."""
LARGE_CORPUS, POINTS_PER_DOUBLING = 5000, 2.0
"""In a larger corpus more codes agree by chance: each doubling adds this many points, so that the
number of proposals per clip stays the same (one for five clips of 30,000 short ones)."""
PARTNERS = 8
"""Number of proposals that are kept per clip, the best ones."""
_CHUNK, _MAX_PARTS = 1 << 17, 64  # codes or hits sorted at a time, which bounds memory
_POINTS, _LOST_BITS = 8, 3  # per hit, minus one per different low bit; bits of that difference
_DETAIL = np.uint64((1 << DETAIL_BITS) - 1)

Pairs = NDArray[np.int64]


def candidate_pairs(fingerprints: Codes, durations_s: Sequence[float]) -> Pairs:
    """Return pairs of clips that may be one recording.

    Two clips get points for each moment with matching codes: 8 minus one per different low bit. A
    moment counts once, by its best match.

    Args:
        fingerprints: codes by clip, shape `[clips, codes]`; zeros are padding.
        durations_s: of each clip, in seconds.

    Returns:
        Shape `[P, 2]`: indices of clips, the smaller first, rows ascending; at most `PARTNERS` rows
        per clip.

    >>> one = np.arange(1, 4, dtype=np.uint64) * np.uint64((1 << 24) + 1)
    >>> other = np.array([9, 0, 0], dtype=np.uint64)
    >>> candidate_pairs(np.stack([one, other, one]), [2.0, 2.0, 2.0]).tolist()
    [[0, 2]]
    """
    flat = np.ascontiguousarray(fingerprints).reshape(-1)
    parts = min(-(-len(flat) // _CHUNK), _MAX_PARTS)
    low_high_byte = flat.astype("<u8", copy=False).view(np.uint8)[DETAIL_BITS // 8 :: 8]
    part_of = low_high_byte % max(parts, 1)  # high bits are hashed, so parts are equal in size
    hits = []
    for part in range(parts):  # nothing is copied but a part at a time
        indices = np.flatnonzero((part_of == part) & (flat > 0))
        hits.append(_hits(flat[indices], (indices // fingerprints.shape[1]).astype(np.int32)))
    if not hits:
        return np.empty((0, 2), dtype=np.int64)
    pair_keys, moments = (np.concatenate(column) for column in zip(*hits, strict=True))
    hits.clear()
    extra = POINTS_PER_DOUBLING * max(0.0, log2(max(len(durations_s), 1) / LARGE_CORPUS))
    lengths = np.asarray(durations_s)
    results = []
    for mask in _ranges(pair_keys, len(fingerprints)):
        pairs, scores = _scores(pair_keys[mask], moments[mask])
        shorter = lengths[pairs].min(axis=1)
        is_proposed = scores >= np.where(shorter < SHORT_S, MIN_POINTS_SHORT, MIN_POINTS) + extra
        results.append((pairs[is_proposed], scores[is_proposed]))
    return _best(*(np.concatenate(column) for column in zip(*results, strict=True)))


def _ranges(pair_keys: Codes, clips: int) -> Iterator[NDArray[np.bool_]]:
    """Yield masks that divide hits by their first clip, so that memory holds one part at a time."""
    count = max(1, -(-len(pair_keys) // _CHUNK))
    bounds = np.linspace(0, clips, min(count, max(clips, 1)) + 1).astype(np.uint64)
    for start, stop in pairwise((bounds << np.uint64(32)).tolist()):
        yield (pair_keys >= start) & (pair_keys < stop)


def _hits(codes: Codes, owners: NDArray[np.int32]) -> tuple[Codes, NDArray[np.uint32]]:
    """Return the matching codes: both clips in one number, and moment and bit errors in another.

    A hit takes twelve bytes, because there are many. The moment is that of the first clip.
    """
    order = np.argsort(codes, kind="stable")
    codes, owners = codes[order], owners[order]
    pairs = [np.empty(0, dtype=np.uint64)]
    moments = [np.empty(0, dtype=np.uint32)]
    for distance in range(1, min(NEIGHBOURS, len(codes) - 1) + 1):
        difference = codes[distance:] ^ codes[:-distance]
        indices = np.flatnonzero(
            (difference <= _DETAIL) & (owners[distance:] != owners[:-distance])
        )
        bit_errors = np.bitwise_count(difference[indices])
        indices, bit_errors = (
            indices[bit_errors <= MAX_BIT_ERRORS],
            bit_errors[bit_errors <= MAX_BIT_ERRORS],
        )
        first, second = owners[indices], owners[indices + distance]
        low, high = np.minimum(first, second).astype(np.uint64), np.maximum(first, second)
        pairs.append((low << np.uint64(32)) | high.astype(np.uint64))
        moment = np.where(first < second, codes[indices], codes[indices + distance]) & _DETAIL
        moments.append((moment << np.uint64(_LOST_BITS) | bit_errors).astype(np.uint32))
    return np.concatenate(pairs), np.concatenate(moments)


def _scores(pair_keys: Codes, moments: NDArray[np.uint32]) -> tuple[Pairs, NDArray[np.float64]]:
    """Return the pairs with hits and their points; a moment counts with its best hit only."""
    order = np.lexsort((moments, pair_keys))
    pair_keys, moments = pair_keys[order], moments[order]
    new_pair = np.r_[True, pair_keys[1:] != pair_keys[:-1]][: len(pair_keys)]
    moment = moments >> np.uint32(_LOST_BITS)
    best = new_pair | np.r_[True, moment[1:] != moment[:-1]][: len(pair_keys)]
    points = _POINTS - (moments[best] & np.uint32((1 << _LOST_BITS) - 1)).astype(np.float64)
    scores = np.bincount(np.cumsum(new_pair)[best] - 1, weights=points).astype(np.float64)
    pairs = pair_keys[new_pair]
    places: Pairs = np.stack([pairs >> np.uint64(32), pairs & np.uint64(0xFFFFFFFF)], axis=1)
    return places.astype(np.int64), scores


def _best(pairs: Pairs, scores: NDArray[np.float64]) -> Pairs:
    """Return the pairs among the best `PARTNERS` of either clip; the first of equal ones."""
    clip = np.concatenate([pairs[:, 0], pairs[:, 1]])
    twice = np.concatenate([scores, scores])
    order = np.lexsort((np.tile(np.arange(len(pairs)), 2), -twice, clip))
    sorted_clips = clip[order]
    rank = np.arange(len(order)) - np.searchsorted(sorted_clips, sorted_clips)
    chosen = np.unique(order[rank < PARTNERS] % max(len(pairs), 1))
    return pairs[chosen]
