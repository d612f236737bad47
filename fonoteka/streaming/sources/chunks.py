"""Chunks of sound at 16 kHz: their length, their pace, and a request to stop them.

A source is an iterator of chunks `[N]`, float32. It ends at the end of the sound or after a request
to stop. Samples that arrived before an error are yielded before the error is raised.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from math import gcd
from types import FrameType

import numpy as np

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError

LONGEST_PERIOD = 441
"""Samples at the rate of a source after which its phase against 16 kHz repeats. A resampler waits
for one period: 40 ms at 11.025 kHz, and seconds at rates that are not in use, as 44.101 kHz."""


class StopRequest:
    """A request to end a stream before its end; a signal handler may make it at any time."""

    def __init__(self) -> None:
        self.requested = False


@contextmanager
def stop_on_interrupt() -> Iterator[StopRequest]:
    """Yield a request that the first Ctrl+C makes; the second raises `KeyboardInterrupt`.

    Only the main thread of a program may call it.
    """
    stop = StopRequest()

    def on_interrupt(_number: int, _frame: FrameType | None) -> None:
        stop.requested = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def check_rate(sample_rate_hz: int) -> None:
    """Refuse a rate whose resampling would wait for long.

    Raises:
        UserError: it repeats against 16 kHz only after more than `LONGEST_PERIOD` samples.

    >>> check_rate(48_000)
    >>> check_rate(44_101)
    Traceback (most recent call last):
        ...
    fonoteka.core.errors.UserError: a sample rate of 44101 Hz; expected a usual one: 8000, 16000, \
22050, 44100 or 48000
    """
    if sample_rate_hz < 1 or sample_rate_hz // gcd(sample_rate_hz, SAMPLE_RATE_HZ) > LONGEST_PERIOD:
        raise UserError(
            f"a sample rate of {sample_rate_hz} Hz; expected a usual one: 8000, 16000, 22050, "
            "44100 or 48000"
        )


def mono(samples: Signal, channels: int) -> Signal:
    """Return the mean of the channels of interleaved samples `[T * channels]`, `[T]`.

    >>> mono(np.array([0.5, 0.0, 1.0, 1.0], dtype=np.float32), 2).tolist()
    [0.25, 1.0]
    """
    if channels == 1:
        return samples
    mean: Signal = samples.reshape(-1, channels).mean(axis=1, dtype=np.float32)
    return mean


def chunked(blocks: Iterable[Signal], size: int) -> Iterator[Signal]:
    """Yield the samples of blocks `[T]` in chunks of `size`; the last may be shorter.

    If `blocks` raises a `UserError` or `OSError`, the samples before it are yielded first.

    >>> [len(chunk) for chunk in chunked([np.zeros(5, np.float32)] * 3, 4)]
    [4, 4, 4, 3]
    """
    held = np.zeros(0, dtype=np.float32)
    try:
        for block in blocks:
            held = np.concatenate([held, block])
            whole = len(held) // size * size
            for start in range(0, whole, size):
                yield held[start : start + size]
            held = held[whole:]
    except (UserError, OSError):
        if len(held):
            yield held
        raise
    if len(held):
        yield held


def paced(
    chunks: Iterable[Signal],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Signal]:
    """Yield each chunk when its last sample would have been spoken.

    The time is counted from the first chunk on, so that a late chunk does not delay the others.

    Args:
        chunks: `[N]` at 16 kHz.
        clock: returns seconds.
        sleep: waits for seconds.
    """
    start_s, samples = None, 0
    for chunk in chunks:
        start_s = clock() if start_s is None else start_s
        samples += len(chunk)
        if (wait_s := start_s + samples / SAMPLE_RATE_HZ - clock()) > 0:
            sleep(wait_s)
        yield chunk
