"""What a live worker does: streams, of which the one that waits longest is served first."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.service.interfaces import StreamClosed, Usage
from fonoteka.service.work.compute.loaded_models import LoadedModels
from fonoteka.service.work.compute.round_robin import failure
from fonoteka.service.work.messages import (
    Cancel,
    Ended,
    EndStream,
    FromWorker,
    OpenStream,
    Samples,
    StreamOutput,
    ToWorker,
)
from fonoteka.streaming.engine import StreamEngine

PIECE_S = 0.2
"""Samples that wait are joined to pieces of at most this length: a worker that is behind needs
fewer calls, and a stream waits for at most one piece of each other stream."""


@dataclass
class _ServedStream:
    key: int
    engine: StreamEngine
    queued_s: float
    waiting: deque[Signal] = field(default_factory=deque)
    since_s: float = 0.0  # when it began to wait: its samples came, or its last piece was done
    ends: bool = False
    samples: int = 0
    compute_s: float = 0.0
    turns: int = 0

    def add(self, samples: Signal) -> None:
        """Let samples wait."""
        if not self.waiting:
            self.since_s = time.monotonic()
        self.waiting.append(samples)

    def piece(self) -> Signal:
        """Return the next samples, of one piece."""
        room = round(PIECE_S * SAMPLE_RATE_HZ)
        parts: list[Signal] = []
        while self.waiting and room:
            samples = self.waiting.popleft()
            parts.append(samples[:room])
            if len(samples) > room:
                self.waiting.appendleft(samples[room:])
            room -= len(parts[-1])
        return np.concatenate(parts)

    def closed(self) -> StreamClosed:
        audio_s = self.samples / SAMPLE_RATE_HZ
        return StreamClosed(Usage(audio_s, self.queued_s, self.compute_s, self.turns))


class LiveWork:
    """The streams of a live worker."""

    def __init__(self, models: LoadedModels) -> None:
        self._models = models
        self._streams: dict[int, _ServedStream] = {}

    @property
    def waits(self) -> bool:
        """Whether nothing can be done until a message comes."""
        return self._next() is None

    def take(self, message: ToWorker) -> Iterator[FromWorker]:
        """Take a message, and yield the answers."""
        if isinstance(message, OpenStream):
            yield from self._open(message)
        elif isinstance(message, Samples | EndStream | Cancel):
            # A stream that failed is gone, and its client may not know yet.
            stream = self._streams.get(message.key)
            if stream is None:
                return
            if isinstance(message, Samples):
                stream.add(message.samples)
            elif isinstance(message, EndStream):
                stream.ends = True
            else:
                del self._streams[message.key]
                yield Ended(message.key, None)

    def _open(self, message: OpenStream) -> Iterator[FromWorker]:
        request = message.request
        began_s = time.thread_time()
        try:
            model = self._models.stream(request.model)
            engine = model.engine(request.policy, request.decoder)
        except Exception as error:
            yield Ended(message.key, *failure(error))
            return
        stream = _ServedStream(message.key, engine, time.monotonic() - message.admitted_s)
        stream.compute_s = time.thread_time() - began_s
        self._streams[message.key] = stream

    def _next(self) -> _ServedStream | None:
        """Return the stream that waits longest, if one has something to do.

        A client that sends faster than speech has to wait after each piece, like all others.
        """
        ready = (stream for stream in self._streams.values() if stream.waiting or stream.ends)
        return min(ready, key=lambda stream: stream.since_s, default=None)

    def step(self) -> Iterator[FromWorker]:
        """Compute the next piece, and yield what is known after it."""
        stream = self._next()
        assert stream is not None
        began_s = time.thread_time()
        last = not stream.waiting
        try:
            if last:
                update = stream.engine.finish()
            else:
                piece = stream.piece()
                update = stream.engine.feed(piece)
                stream.samples += len(piece)
        except Exception as error:
            del self._streams[stream.key]
            yield Ended(stream.key, *failure(error))
            return
        stream.turns += 1
        stream.since_s = time.monotonic()
        stream.compute_s += time.thread_time() - began_s
        yield StreamOutput(stream.key, update)
        if last:
            del self._streams[stream.key]
            yield Ended(stream.key, stream.closed())
