"""A server that answers uploads as a test wants, and records what it received."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn
from fastapi import FastAPI, Request, Response


@dataclass
class Upload:
    """A request that was received."""

    route: str
    fields: dict[str, str]
    name: str
    data: bytes
    key: str | None


@dataclass
class RecordingServer:
    """A running server.

    Attributes:
        url: of it.
        answers: status, body and headers of the next answers; when they are used up, the text of
            the uploaded bytes is the answer.
        uploads: that were received.
    """

    url: str
    answers: list[tuple[int, object, dict[str, str]]] = field(default_factory=list)
    uploads: list[Upload] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        async with request.form() as form:
            fields = {name: value for name, value in form.items() if name != "file"}
            name, data = form["file"].filename, await form["file"].read()
        key = request.headers.get("Authorization")
        self.uploads.append(Upload(request.url.path, fields, name, data, key))
        if not self.answers:
            return Response(b"text of " + data)
        status, body, headers = self.answers.pop(0)
        return Response(body, status, headers)


@contextmanager
def recording_server() -> Iterator[RecordingServer]:
    """Yield a server that answers."""
    bound = socket.create_server(("127.0.0.1", 0))
    service = RecordingServer(f"http://127.0.0.1:{bound.getsockname()[1]}")
    app = FastAPI()
    app.add_api_route("/{route:path}", service.answer, methods=["POST"], response_model=None)
    config = uvicorn.Config(app, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([bound])))
    thread.start()
    try:
        yield service
    finally:
        server.should_exit = True
        thread.join(20)
        bound.close()
