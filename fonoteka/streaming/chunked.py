"""Feed a whole signal to a streaming engine, chunk by chunk, as it would arrive."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from fonoteka.audio.dsp import Signal
from fonoteka.core.errors import UserError
from fonoteka.streaming.interfaces import FrameSource, Posteriors, StreamUpdate


class FedEngine(Protocol):
    """What an engine offers to those who have samples; `open_engine` returns one."""

    def feed(self, samples: Signal) -> StreamUpdate:
        """Return what is known after samples `[N]` at 16 kHz."""

    def finish(self) -> StreamUpdate:
        """Return the last update of the stream, and reset the state."""


def chunks_of(signal: Signal, size: int) -> list[Signal]:
    """Return a signal `[N]` in chunks of `size` samples; the last may be shorter.

    Raises:
        UserError: the size is below 1.
    """
    if size < 1:
        raise UserError(f"streaming: expected chunks of at least 1 sample, found {size}")
    return [signal[start : start + size] for start in range(0, len(signal), size)]


def stream_updates(engine: FedEngine, signal: Signal, size: int) -> list[StreamUpdate]:
    """Return all updates of a stream `[N]` that is fed in chunks of `size` samples.

    The last is that of `finish`, so the list has one more than there are chunks.
    """
    updates = [engine.feed(chunk) for chunk in chunks_of(signal, size)]
    return [*updates, engine.finish()]


def whole_stream(source: FrameSource, signal: Signal) -> Posteriors:
    """Return the final frames `[T, V]` of a whole stream `[N]`, fed at once."""
    return np.concatenate([source.push(signal).final, source.finish().final])
