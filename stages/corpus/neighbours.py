"""Propose which clips may hold one recording, without comparing each with each.

Prints (see `stages.common.soundprint`) are sorted together, so that equal high bits lie side by
side. Each code is compared with the `NEIGHBOURS` after it, where equal ones also have like low
bits beside them. The work grows as n log n, and a pattern that is in every clip, such as a word's
onset, costs no more than a rare one; of many equal copies each meets the next ones, which is enough
to chain them together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from stages.common.soundprint import DETAIL_BITS, Codes

NEIGHBOURS = 8
"""Codes after each that it is compared with."""
MAX_DIFFERENT = 6
"""Low bits in which two codes of one sound may differ, of 24; by chance 12 do."""
NEEDED, NEEDED_SHORT, SHORT_S = 16, 8, 1.0
"""Points for a proposal, where the shorter clip is so long or shorter: it has less to agree in."""
PARTNERS = 8
"""The best proposals of a clip that are kept."""
_AT_ONCE = 1 << 17  # codes sorted at a time, which bounds memory
_DETAIL = np.uint64((1 << DETAIL_BITS) - 1)

Pairs = NDArray[np.int64]


def candidates(prints: Iterable[Codes], durations_s: Sequence[float]) -> Pairs:
    """Return pairs of clips that may be one recording.

    Two clips get points for each moment of which a code agrees: 8 less one for each low bit that
    differs. A moment counts once, whichever of its codes agreed.

    Args:
        prints: of each clip; they are taken one by one and not kept.
        durations_s: of each clip, in seconds.

    Returns:
        Shape `[P, 2]`: places in `prints`, the smaller first, rows ascending; at most `PARTNERS`
        times as many as clips.

    >>> one, other = np.arange(3, dtype=np.uint64) << np.uint64(24), np.array([9], dtype=np.uint64)
    >>> one = one | np.arange(3, dtype=np.uint64)
    >>> candidates([one, other, one], [2.0, 2.0, 2.0]).tolist()
    [[0, 2]]
    """
    codes, owners = _flat(prints)
    parts = -(-len(codes) // _AT_ONCE)
    share = ((codes >> np.uint64(DETAIL_BITS)) % np.uint64(max(parts, 1))).astype(np.uint16)
    hits = [_hits(codes[share == part], owners[share == part]) for part in range(parts)]
    if not hits:
        return np.empty((0, 2), dtype=np.int64)
    first, second, moments, points = (np.concatenate(column) for column in zip(*hits, strict=True))
    pairs, scores = _scores(first, second, moments, points)
    shorter = np.asarray(durations_s)[pairs].min(axis=1)
    enough = scores >= np.where(shorter < SHORT_S, NEEDED_SHORT, NEEDED)
    return _best(pairs[enough], scores[enough])


def _flat(prints: Iterable[Codes]) -> tuple[Codes, NDArray[np.int32]]:
    """Return all codes one after the other, and whose each is."""
    held, lengths = bytearray(), []
    for one in prints:
        held += one.tobytes()
        lengths.append(len(one))
    return np.frombuffer(held, dtype=np.uint64), np.repeat(
        np.arange(len(lengths), dtype=np.int32), lengths
    )


Column = NDArray[np.int64]


def _hits(codes: Codes, owners: NDArray[np.int32]) -> tuple[Column, Column, Column, Column]:
    """Return where codes agree: first clip, second clip, the first one's moment, points."""
    order = np.argsort(codes, kind="stable")
    codes, owners = codes[order], owners[order]
    found = []
    for apart in range(1, min(NEIGHBOURS, len(codes) - 1) + 1):
        differ = codes[apart:] ^ codes[:-apart]
        like = (differ <= _DETAIL) & (owners[apart:] != owners[:-apart])
        here = np.flatnonzero(like)
        different = np.bitwise_count(differ[here])
        here, points = here[different <= MAX_DIFFERENT], different[different <= MAX_DIFFERENT]
        one, other = owners[here], owners[here + apart]
        moment = np.where(one < other, codes[here], codes[here + apart]) & _DETAIL
        found.append(
            (np.minimum(one, other), np.maximum(one, other), moment, 8 - points.astype(int))
        )
    if not found:
        return (np.empty(0, dtype=np.int64),) * 4
    columns = [np.concatenate(column).astype(np.int64) for column in zip(*found, strict=True)]
    return columns[0], columns[1], columns[2], columns[3]


def _scores(
    first: Column, second: Column, moments: Column, points: Column
) -> tuple[Pairs, NDArray[np.float64]]:
    """Return the pairs that have hits and their points, each moment with its best hit only."""
    order = np.lexsort((-points, moments, second, first))
    first, second, moments, points = (column[order] for column in (first, second, moments, points))
    pair_starts = np.r_[True, (first[1:] != first[:-1]) | (second[1:] != second[:-1])][: len(first)]
    starts = pair_starts | np.r_[True, moments[1:] != moments[:-1]][: len(first)]
    pair = np.cumsum(pair_starts) - 1
    scores = np.bincount(pair[starts], weights=points[starts]).astype(np.float64)
    pairs: Pairs = np.stack([first[pair_starts], second[pair_starts]], axis=1)
    return pairs, scores


def _best(pairs: Pairs, scores: NDArray[np.float64]) -> Pairs:
    """Keep a pair that is among the best of either clip; of equal ones the first."""
    clip = np.concatenate([pairs[:, 0], pairs[:, 1]])
    twice = np.concatenate([scores, scores])
    order = np.lexsort((np.tile(np.arange(len(pairs)), 2), -twice, clip))
    sorted_clips = clip[order]
    rank = np.arange(len(order)) - np.searchsorted(sorted_clips, sorted_clips)
    chosen = np.unique(order[rank < PARTNERS] % max(len(pairs), 1))
    return pairs[chosen]
