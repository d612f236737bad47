"""A server with the routes of live streams, whose workers are engines in the same process."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import uvicorn
from fastapi import FastAPI
from streaming_maker import FRAME, LABELS, LEVELS, ToySource

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.service.context import RequestRecord, ServiceContext
from fonoteka.service.interfaces import (
    BusyError,
    JobError,
    ModelKind,
    ModelVersion,
    StreamClosed,
    UnavailableError,
    UnknownModelError,
    Usage,
)
from fonoteka.service.live.live_socket import MESSAGE_BYTES
from fonoteka.service.live.transport import AbortingProtocol
from fonoteka.service.routes import stream as stream_routes
from fonoteka.service.settings import ServiceSettings, UploadLimits
from fonoteka.streaming.engine import StreamEngine
from fonoteka.streaming.greedy_decoder import GreedyDecoder, peak_posterior

SILENCE_S = 0.6


class QuietEndpoints:
    """Ends an utterance with a phone after `SILENCE_S` of zeros."""

    def __init__(self):
        self.silent = 0

    def push(self, samples, spoken):
        self.silent = 0 if samples.any() else self.silent + len(samples)
        if not spoken or self.silent < SILENCE_S * SAMPLE_RATE_HZ:
            return None
        self.silent = 0
        return "silence"

    def finish(self):
        self.silent = 0


def level_engine() -> StreamEngine:
    """Return an engine whose phones are levels of samples; a frame is final at once."""
    return StreamEngine(ToySource(), GreedyDecoder(LABELS, peak_posterior), QuietEndpoints())


def level_signal(phones: str, frames: int = 5) -> np.ndarray:
    """Return samples of phones, each followed by a pause; `.` is a second of silence."""
    parts = []
    for name in phones.split():
        if name == ".":
            parts.append(np.zeros(SAMPLE_RATE_HZ, np.float32))
            continue
        level = np.full(frames * FRAME, LEVELS[LABELS.index(name)], np.float32)
        parts += [level, np.zeros(2 * FRAME, np.float32)]
    return np.concatenate(parts)


def pcm16(signal: np.ndarray) -> bytes:
    return np.round(signal * 32768).astype("<i2").tobytes()


class EngineStream:
    """A `LiveStream` that computes at once, or never if its workers are stalled."""

    def __init__(self, workers, request):
        self.workers, self.request, self.engine = workers, request, workers.engine()
        self.events = asyncio.Queue()
        self.samples = self.turns = 0
        self.ended = self.cancelled = False

    def feed(self, samples):
        if self.ended:
            raise UnavailableError("the stream has ended")
        self.samples += len(samples)
        self.turns += 1
        if self.workers.stalled:
            if self.samples > self.workers.behind_s * SAMPLE_RATE_HZ:
                raise BusyError(f"{self.samples / SAMPLE_RATE_HZ:.1f} s wait", 1)
            return
        self.events.put_nowait(self.workers.changed(self.engine.feed(samples)))

    def finish(self):
        if self.ended:
            return
        self.ended = True
        self.events.put_nowait(self.workers.changed(self.engine.finish()))
        usage = Usage(self.samples / SAMPLE_RATE_HZ, 0.0, 0.01, self.turns)
        self.events.put_nowait(StreamClosed(usage))

    def fail(self, error):
        self.ended = True
        self.events.put_nowait(error)

    async def updates(self):
        while True:
            event = await self.events.get()
            if isinstance(event, JobError):
                raise event
            yield event
            if isinstance(event, StreamClosed):
                return

    def cancel(self):
        self.ended = self.cancelled = True
        self.workers.changed_state.set()


class EngineWorkers:
    """`Workers` of live streams alone.

    Attributes:
        engine: makes the engine of a stream.
        changed: maps an update to the one that is sent.
        refusal: what `open_stream` raises, None for a stream.
        stalled: whether samples only wait.
    """

    def __init__(self, engine=level_engine, changed=lambda update: update, behind_s=10.0):
        self.engine, self.changed, self.behind_s = engine, changed, behind_s
        self.refusal, self.stalled = None, False
        self.streams = []
        self.changed_state = threading.Event()

    def open_stream(self, request):
        if self.refusal:
            raise self.refusal
        self.streams.append(EngineStream(self, request))
        return self.streams[-1]

    async def stop(self, drain_s):
        for stream in self.streams:
            stream.finish()

    async def fail(self, error):
        for stream in self.streams:
            stream.fail(error)


class FolderModels:
    """`Models` of one folder: a streaming recogniser, another recogniser, and one of words."""

    def __init__(self, folder: Path):
        self.versions = {
            name: ModelVersion(name, "0123456789ab", kind, folder)
            for name, kind in {
                "streaming": ModelKind.STREAM, "whisper_ctc": ModelKind.PHONES,
                "whisper_tuned": ModelKind.WORDS,
            }.items()
        }  # fmt: skip

    def get(self, name, kind=None):
        if name not in self.versions:
            raise UnknownModelError(f"no model {name!r}; see /v1/models")
        return self.versions[name]


class LiveServer:
    """A running server.

    Attributes:
        port: on loopback.
        workers: of its streams.
        records: of its connections, in order.
    """

    def __init__(self, workers, folder: Path, idle_s: float = 30.0, **settings):
        self.workers, self.records = workers, []
        app = FastAPI()
        app.include_router(stream_routes.router)
        limits = replace(UploadLimits(), idle_s=idle_s)
        app.state.context = ServiceContext(
            ServiceSettings(folder, limits=limits, **settings), workers, FolderModels(folder), None
        )
        config = uvicorn.Config(
            self.with_record(app), ws=AbortingProtocol, ws_max_size=4 * MESSAGE_BYTES,
            log_level="critical", lifespan="off", timeout_graceful_shutdown=1,
        )  # fmt: skip
        self.server = uvicorn.Server(config)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.begun = threading.Event()

    def with_record(self, app):
        async def recorded(scope, receive, send):
            headers = dict(scope.get("headers", ()))
            request_id = headers.get(b"x-request-id", uuid4().hex.encode()).decode()
            scope.setdefault("state", {})["record"] = RequestRecord(request_id)
            self.records.append(scope["state"]["record"])
            await app(scope, receive, send)

        return recorded

    def url(self, path: str) -> str:
        return f"ws://127.0.0.1:{self.port}{path}"

    def call(self, coroutine):
        """Run a coroutine in the server's loop, and return its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    async def serve(self):
        self.loop = asyncio.get_running_loop()
        self.begun.set()
        await self.server.serve([self.socket])


@contextmanager
def running_live_server(workers=None, **options) -> Iterator[LiveServer]:
    """Yield a server that answers; `options` are those of `LiveServer`."""
    server = LiveServer(workers or EngineWorkers(), **options)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        assert server.begun.wait(20)
        yield server
    finally:
        server.server.should_exit = True
        thread.join(20)
        server.socket.close()
        assert not thread.is_alive()
