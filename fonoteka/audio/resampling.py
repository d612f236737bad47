"""Resampling of a signal that arrives in blocks, equal to the resampling of the whole signal.

Each block is resampled with samples of its neighbours on both sides, and only the middle is kept.
So a recording of two hours needs the memory of two blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from math import gcd

import numpy as np

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
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
    up, down = _ratio(sample_rate_hz)
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
        resampled = _resampled(held[: before + ready + after], up, down)
        yield resampled[before * up // down : (before + ready) * up // down]
        start = max(before + ready - margin, 0)
        before, held = before + ready - start, held[start:]
    if len(held) > before:
        yield _resampled(held, up, down)[before * up // down :]
    if failures:
        raise failures[0]


def prepare_resampling(sample_rate_hz: int) -> None:
    """Load what resampling needs, up to 2 s of work, before samples of a live source arrive."""
    if sample_rate_hz != SAMPLE_RATE_HZ:
        _resampled(np.zeros(1, dtype=np.float32), *_ratio(sample_rate_hz))


def _ratio(sample_rate_hz: int) -> tuple[int, int]:
    common = gcd(sample_rate_hz, SAMPLE_RATE_HZ)
    return SAMPLE_RATE_HZ // common, sample_rate_hz // common


def _resampled(signal: Signal, up: int, down: int) -> Signal:
    """Return a signal as `to_mono_16k` returns it, with a filter that is computed once.

    At 44.1 kHz in blocks of 40 ms the filter takes 18 of 20 ms per second of sound.
    """
    # Imported here because it takes 1.8 CPU seconds, which a signal at 16 kHz does not need.
    from scipy.signal import resample_poly

    resampled: Signal = resample_poly(signal, up, down, window=_low_pass(up, down))
    return resampled


@cache
def _low_pass(up: int, down: int) -> Signal:
    """Return the filter that `resample_poly` computes for each call."""
    from scipy.signal import firwin

    ratio = max(up, down)
    low_pass = firwin(20 * ratio + 1, 1 / ratio, window=("kaiser", 5.0))
    return np.asarray(low_pass, dtype=np.float32)


def _until_failure(
    blocks: Iterable[Signal], failures: list[UserError | OSError]
) -> Iterator[Signal]:
    """Yield the blocks before an error, and append the error to `failures`."""
    try:
        yield from blocks
    except (UserError, OSError) as error:
        failures.append(error)
