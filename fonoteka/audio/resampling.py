"""Resampling of a signal that arrives in blocks, equal to the resampling of the whole signal.

Each block is resampled with samples of its neighbours on both sides, and only the middle is kept.
So a recording of two hours needs the memory of two blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import gcd

import numpy as np

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal, to_mono_16k

_SHORTEST_BLOCK = 1 << 16  # samples; shorter blocks are joined, or their margins would dominate


def blocks_at_16k(blocks: Iterable[Signal], sample_rate_hz: int) -> Iterator[Signal]:
    """Yield the signal of all blocks at 16 kHz, in blocks `[T]`.

    Args:
        blocks: one channel, in blocks `[T]` of any lengths.
        sample_rate_hz: rate of the blocks, above 0.

    >>> sum(map(len, blocks_at_16k([np.zeros(900, np.float32)] * 10, 8000)))
    18000
    """
    if sample_rate_hz == SAMPLE_RATE_HZ:
        yield from blocks
        return
    common = gcd(sample_rate_hz, SAMPLE_RATE_HZ)
    up, down = SAMPLE_RATE_HZ // common, sample_rate_hz // common
    # scipy's filter reaches 10 max(up, down) / up samples to either side. Whole multiples of `down`
    # keep the phase of the filter.
    margin = (-(-10 * max(up, down) // (up * down)) + 1) * down
    held = np.zeros(0, dtype=np.float32)
    before = 0  # samples of `held` that are resampled already and only serve as a margin
    for block in blocks:
        held = np.concatenate([held, block])
        ready = (len(held) - margin - before) // down * down
        if ready < _SHORTEST_BLOCK:
            continue
        resampled = to_mono_16k(held[: before + ready + margin], sample_rate_hz)
        yield resampled[before * up // down : (before + ready) * up // down]
        start = max(before + ready - margin, 0)
        before, held = before + ready - start, held[start:]
    if len(held) > before:
        yield to_mono_16k(held, sample_rate_hz)[before * up // down :]
