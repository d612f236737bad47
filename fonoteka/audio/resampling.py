"""Resampling of a signal that arrives in blocks, equal to the resampling of the whole signal.

Each block is resampled with samples of its neighbours on both sides, and only the middle is kept.
So a recording of two hours needs the memory of two blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from math import gcd

import numpy as np

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError

_SHORTEST_BLOCK = 1 << 16  # samples; shorter blocks are joined, or their margins would dominate
_FILTERS = 16  # whose taps are kept: 64 KiB each at most, and clients of a service choose the rates


class Resampler:
    """Resamples one signal to 16 kHz that arrives in blocks; it holds the state of the signal."""

    def __init__(self, sample_rate_hz: int, shortest: int = _SHORTEST_BLOCK) -> None:
        """Start a signal.

        Args:
            sample_rate_hz: rate of the blocks, above 0.
            shortest: see `blocks_at_16k`.
        """
        self._up, self._down = _ratio(sample_rate_hz)
        self._is_needed = sample_rate_hz != SAMPLE_RATE_HZ
        self._shortest = max(shortest, 1)
        # scipy's filter reaches 10 max(up, down) / up samples to either side. Before a block a
        # whole multiple of `down` keeps the phase of the filter.
        self._after = -(-10 * max(self._up, self._down) // self._up)
        self._margin = -(-self._after // self._down) * self._down
        self._start()

    def _start(self) -> None:
        self._held: Signal = np.zeros(0, dtype=np.float32)
        self._before = 0  # samples of `_held` that are resampled already and only serve as a margin

    def push(self, block: Signal) -> Signal:
        """Return the samples at 16 kHz that a block `[T]` completes, `[N]`; N may be 0."""
        if not self._is_needed:
            return block
        up, down, before = self._up, self._down, self._before
        self._held = np.concatenate([self._held, block])
        ready = (len(self._held) - self._after - before) // down * down
        if ready < self._shortest:
            return self._held[:0]
        resampled = _resampled(self._held[: before + ready + self._after], up, down)
        start = max(before + ready - self._margin, 0)
        self._before, self._held = before + ready - start, self._held[start:]
        return resampled[before * up // down : (before + ready) * up // down]

    def finish(self) -> Signal:
        """Return the last samples at 16 kHz, `[N]`, and reset the state for another signal."""
        held, before = self._held, self._before
        self._start()
        if len(held) <= before:
            return held[:0]
        return _resampled(held, self._up, self._down)[before * self._up // self._down :]


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
    resampler = Resampler(sample_rate_hz, shortest)
    failures: list[UserError | OSError] = []
    for block in _until_failure(blocks, failures):
        if len(resampled := resampler.push(block)):
            yield resampled
    if len(last := resampler.finish()):
        yield last
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


@lru_cache(_FILTERS)
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
