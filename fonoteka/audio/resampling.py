"""Resampling of a signal that arrives in blocks, equal to the resampling of the whole signal.

Each block is resampled with samples of its neighbours on both sides, and only the middle is kept.
So a recording of two hours needs the memory of two blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import gcd

import numpy as np

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal, to_mono_16k
from fonoteka.core.errors import UserError

_SHORTEST_BLOCK = 1 << 16  # samples; shorter blocks are joined, or their margins would dominate


def blocks_at_16k(
    blocks: Iterable[Signal], sample_rate_hz: int, shortest: int = _SHORTEST_BLOCK
) -> Iterator[Signal]:
    """Yield the signal of all blocks at 16 kHz, in blocks `[T]`.

    If `blocks` raises a `UserError` or `OSError`, the samples before it are yielded first.

    Args:
        blocks: one channel, in blocks `[T]` of any lengths.
        sample_rate_hz: rate of the blocks, above 0.
        shortest: samples at this rate that are resampled at once; 1 for the least delay, which is
            that of the filter and of `sample_rate_hz / gcd(sample_rate_hz, 16000)` samples: 0.7 ms
            at 48 kHz, 10.6 ms at 44.1 kHz.

    >>> sum(map(len, blocks_at_16k([np.zeros(900, np.float32)] * 10, 8000)))
    18000
    """
    if sample_rate_hz == SAMPLE_RATE_HZ:
        yield from blocks
        return
    common = gcd(sample_rate_hz, SAMPLE_RATE_HZ)
    up, down = SAMPLE_RATE_HZ // common, sample_rate_hz // common
    # scipy's filter reaches 10 max(up, down) / up samples to either side. Before a block a whole
    # multiple of `down` keeps the phase of the filter.
    after = -(-10 * max(up, down) // up)
    margin = -(-after // down) * down
    held = np.zeros(0, dtype=np.float32)
    before = 0  # samples of `held` that are resampled already and only serve as a margin
    failures: list[UserError | OSError] = []
    for block in _until_failure(blocks, failures):
        held = np.concatenate([held, block])
        ready = (len(held) - after - before) // down * down
        if ready < max(shortest, 1):
            continue
        resampled = to_mono_16k(held[: before + ready + after], sample_rate_hz)
        yield resampled[before * up // down : (before + ready) * up // down]
        start = max(before + ready - margin, 0)
        before, held = before + ready - start, held[start:]
    if len(held) > before:
        yield to_mono_16k(held, sample_rate_hz)[before * up // down :]
    if failures:
        raise failures[0]


def _until_failure(
    blocks: Iterable[Signal], failures: list[UserError | OSError]
) -> Iterator[Signal]:
    """Yield the blocks before an error, and append the error to `failures`."""
    try:
        yield from blocks
    except (UserError, OSError) as error:
        failures.append(error)
