"""A small application behind the middleware of logs, and the lines that it writes."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import NoneType, SimpleNamespace
from typing import get_args, get_type_hints

from fastapi import FastAPI, Request, WebSocket
from running_service import running
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.staticfiles import StaticFiles

from fonoteka.service.context import record_of
from fonoteka.service.interfaces import ModelKind, ModelVersion, Usage, WorkerState
from fonoteka.service.routes import health
from fonoteka.service.telemetry.access_line import AccessLine
from fonoteka.service.telemetry.json_log import configure_logging
from fonoteka.service.telemetry.middleware import Telemetry, TelemetryMiddleware

MODEL = ModelVersion("tuned", "0123456789ab", ModelKind.WORDS, Path("models/tuned"))
USAGE = Usage(audio_s=4.0, queued_s=0.25, compute_s=0.5, turns=4)

LINE = AccessLine(
    request_id="a", connection=1, method="POST", route="/v1/align", status=200, close_code=None,
    seconds=0.15, model="tuned", model_version="0123456789ab", audio_s=4.0, queued_s=0.25,
    compute_s=0.5, cpu_share=1.0, memory_mib=10.0, bytes_in=1, bytes_out=2, key=None, error=None,
)  # fmt: skip


@dataclass
class FixedWorkers:
    """Workers in a given state."""

    states: list[WorkerState] = field(
        default_factory=lambda: [
            WorkerState("batch-0", None, 1, 0, 100.0, 2), WorkerState("live-0", None, 0, 3, 50.0, 0)
        ]
    )  # fmt: skip
    waiting: int = 5

    def state(self) -> list[WorkerState]:
        return self.states

    def queued(self) -> int:
        return self.waiting


@dataclass
class FixedModels:
    """Models that never change."""

    models: list[ModelVersion] = field(default_factory=lambda: [MODEL])
    problems: dict[str, str] = field(default_factory=dict)

    def listed(self) -> list[ModelVersion]:
        return self.models

    is_loading = False

    def refused(self) -> dict[str, str]:
        return self.problems


class LogStream(io.TextIOBase):
    """A stream whose lines can be waited for: a line is written after the client has its answer."""

    def __init__(self) -> None:
        self.lines: queue.Queue[str] = queue.Queue()

    def write(self, text: str) -> int:
        self.lines.put(text)
        return len(text)

    def next(self, event: str | None = None) -> dict:
        """Return the next line of an event, of any if None."""
        while True:
            text = self.lines.get(timeout=60)
            assert text.endswith("\n")
            assert text.count("\n") == 1
            line = json.loads(text, parse_constant=lambda word: 1 / 0)
            if event in (None, line["event"]):
                return line

    def rest(self) -> list[dict]:
        """Return the lines that were written and not read."""
        return [json.loads(self.lines.get()) for _ in range(self.lines.qsize())]


@contextmanager
def json_logs() -> Iterator[LogStream]:
    """Set up the logs of the service, and restore those of pytest."""
    names = ("uvicorn", "uvicorn.error", "uvicorn.asgi", "uvicorn.access", "httpx")
    loggers = [logging.getLogger(name) for name in (None, *names)]
    before = [(logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    stream = LogStream()
    configure_logging(stream)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # the client logs its requests too
    try:
        yield stream
    finally:
        logging.captureWarnings(capture=False)
        for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
            logger.handlers[:] = handlers
            logger.setLevel(level)
            logger.propagate = propagate


def fixed_context(*, log_text: bool = False, **parts):
    parts = {"workers": FixedWorkers(), "models": FixedModels(), **parts}
    return SimpleNamespace(settings=SimpleNamespace(log_text=log_text), **parts)


def telemetry_app(context, folder: Path | None = None) -> FastAPI:
    """Return an application whose routes end in every way."""
    app = FastAPI(middleware=[Middleware(TelemetryMiddleware, telemetry=Telemetry(context))])
    app.state.context = context
    app.include_router(health.router)
    if folder is not None:
        app.mount("/files", StaticFiles(directory=folder))
    for path, route in {
        "/items/{item}": item, "/boom": boom, "/late": late, "/endless": endless, "/echo": echo,
        "/own-id": own_id, "/busy": busy,
    }.items():  # fmt: skip
        app.add_api_route(path, route, methods=["GET", "POST"], include_in_schema=False)
    app.add_api_websocket_route("/ws/{room}", talk)
    app.add_api_websocket_route("/denied", denied)
    app.add_api_websocket_route("/refused", refused)
    app.add_api_websocket_route("/broken", broken)
    return app


@contextmanager
def served(context, folder: Path | None = None) -> Iterator[tuple[str, LogStream]]:
    """Yield the address of a running application and its log, after the lines of the start."""
    with json_logs() as stream, running(telemetry_app(context, folder)) as url:
        stream.rest()
        yield url, stream


def assert_is_access_line(line):
    """Compare names, order and types of a line with the dataclass that documents it."""
    hints = get_type_hints(AccessLine)
    optional = {each.name for each in fields(AccessLine) if each.default is None}
    names = [name for name in hints if name not in optional or name in line]
    assert [*line] == ["time", "level", "event", *names]
    for name in names:
        allowed = get_args(hints[name]) or (hints[name],)
        value = line[name]
        assert type(value) in allowed or (float in allowed and type(value) is int), (name, value)
        assert value is not None or NoneType in allowed, name


async def item(request: Request, item: str) -> Response:
    record = record_of(request)
    record.model, record.usage, record.key = MODEL, USAGE, "ana"
    record.text = "dobar\ndan \ud800"
    return Response(f"item {item}", headers={"X-Request-ID": "made by the route"})


async def boom(request: Request) -> Response:
    raise RuntimeError("first\nsecond")


async def late(request: Request) -> Response:
    async def body():
        yield b"begun"
        raise RuntimeError("too late")

    return StreamingResponse(body())


async def endless(request: Request) -> Response:
    async def body():
        while True:
            yield b"x" * 65536
            await asyncio.sleep(0)  # what is sent to a client that left never waits

    return StreamingResponse(body())


async def echo(request: Request) -> Response:
    return Response(await request.body())


async def own_id(request: Request) -> Response:
    return Response(record_of(request).request_id)


async def busy(request: Request) -> Response:
    record_of(request).error = "busy"
    return JSONResponse({}, 429)


async def talk(websocket: WebSocket, room: str) -> None:
    """Echo texts until one is a command."""
    await websocket.accept(headers=[(b"x-room", room.encode())])
    record = record_of(websocket)
    record.model = MODEL
    while (text := await websocket.receive_text()) != "close":
        if text == "fail":
            raise RuntimeError("in a stream")
        await websocket.send_text(text)
    record.usage = USAGE
    await websocket.close(4000)


async def denied(websocket: WebSocket) -> None:
    record_of(websocket).error = "missing_api_key"
    await websocket.send_denial_response(JSONResponse({"error": "key"}, 401))


async def refused(websocket: WebSocket) -> None:
    await websocket.close()


async def broken(websocket: WebSocket) -> None:
    raise RuntimeError("before the handshake")
