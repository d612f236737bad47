"""A service without models: the routes of the page, and answers computed from what arrives."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import uvicorn
from fastapi import FastAPI, Request, WebSocket
from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse
from starlette.websockets import WebSocketDisconnect
from tone_reader import ToneReader

from fonoteka.service.api_errors import AUTHENTICATION, ApiError
from fonoteka.service.routes import page

MODELS = (("whisper", "words"), ("whisper_ctc", "phones"), ("streaming", "stream"))
LINES = ((("Dobar", 0.2, 0.6), ("dan.", 0.7, 1.2)), (("Kako", 2.0, 2.4), ("ste?", 2.45, 3.0)))


@dataclass
class FakeService:
    """How the service answers, and what it received.

    Attributes:
        url: of the running server.
        key: that requests need, None for no key.
        models: names and kinds.
        lines: words `(text, start, end)` of each transcription, in segments.
        refusal: the answer to each upload instead of a transcription.
        refused_stream: code and message with which streams end at once.
        ending: code with which streams end after their first committed phone.
        forms: the fields of each upload, and the name and size of its file.
        streams: the parameters of each stream, and its reader.
    """

    url: str = ""
    key: str | None = None
    models: tuple = MODELS
    lines: tuple = LINES
    refusal: ApiError | None = None
    refused_stream: tuple[int, str] | None = None
    ending: int | None = None
    forms: list = field(default_factory=list)
    streams: list = field(default_factory=list)

    def check_key(self, key):
        if self.key is not None and key != self.key:
            raise ApiError(401, "the key is not valid", "invalid_api_key", type=AUTHENTICATION)


def create_app(service):
    """Return the application of a fake service."""
    # Routes are functions of this one because they answer as `service` is when a request arrives.
    app = FastAPI()
    app.include_router(page.router)

    @app.exception_handler(ApiError)
    async def refuse(request, error):
        return JSONResponse(error.body(), error.status, dict(error.headers))

    @app.get("/v1/models")
    async def models(request: Request):
        service.check_key(bearer(request))
        data = [{"id": name, "object": "model", "kind": kind} for name, kind in service.models]
        return {"object": "list", "data": data}

    @app.post("/v1/audio/transcriptions")
    async def transcriptions(request: Request):
        service.check_key(bearer(request))
        async with request.form() as form:
            service.forms.append(await received(form))
        if service.refusal:
            raise service.refusal
        return transcription(service.forms[-1], service.lines)

    @app.websocket("/v1/stream")
    async def stream(socket: WebSocket):
        await answer_stream(service, socket)

    return app


def bearer(connection):
    return connection.headers.get("Authorization", "").removeprefix("Bearer ")


async def received(form):
    """Return the fields of a form as lists, and of its file name and size."""
    fields = {}
    for name, value in form.multi_items():
        text = (value.filename, len(await value.read())) if isinstance(value, UploadFile) else value
        fields.setdefault(name, []).append(text)
    return fields


def transcription(fields, lines):
    """Return an answer as OpenAI's verbose JSON; other formats are not needed here."""
    segments = [
        {"id": i, "start": line[0][1], "end": line[-1][2], "text": " ".join(w for w, _, _ in line)}
        for i, line in enumerate(lines)
    ]
    words = [{"word": w, "start": start, "end": end} for line in lines for w, start, end in line]
    text = " ".join(segment["text"] for segment in segments)
    if fields.get("response_format", ["json"]) != ["verbose_json"]:
        return {"text": text}
    return {
        "task": "transcribe", "language": fields.get("language", ["sr"])[0], "duration": 4.0,
        "text": text, "words": words, "segments": segments,
    }  # fmt: skip


async def answer_stream(service, socket):
    """Answer the native socket: each 0.5 s of a tone is a phone."""
    offered = socket.scope["subprotocols"]
    keys = {bearer(socket), *(name.removeprefix("bearer.") for name in offered)}
    if service.key is not None and service.key not in keys:
        await socket.close(1008)  # before it is accepted: the browser sees a refused handshake
        return
    await socket.accept(subprotocol="fonoteka" if "fonoteka" in offered else None)
    if service.refused_stream:
        code, message = service.refused_stream
        if message:
            await socket.send_json({"type": "error", "error": {"message": message}})
        await socket.close(code)
        return
    reader = ToneReader(int(socket.query_params["sample_rate"]))
    service.streams.append((dict(socket.query_params), reader))
    await socket.send_json({"type": "ready", "model": "streaming", "look_ahead_s": 0.1})
    with suppress(WebSocketDisconnect):
        await exchange(service, socket, reader)


async def exchange(service, socket, reader):
    """Answer the messages of a client until it finishes."""
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        if message.get("text"):
            assert json.loads(message["text"]) == {"type": "finish"}
            await send_final(socket, reader, 1000)
            return
        for update in reader.feed(message["bytes"]):
            await socket.send_json(update)
            if service.ending and update["committed"]:
                await send_final(socket, reader, service.ending)
                return


async def send_final(socket, reader, code):
    await socket.send_json({"type": "final", "audio_s": reader.audio_s, "usage": {}})
    await socket.close(code)


@contextmanager
def running_service(create=create_app):
    """Serve a fake service on a port that the system chooses.

    Args:
        create: returns its application.
    """
    service = FakeService()
    config = uvicorn.Config(
        create(service), host="127.0.0.1", port=0, log_level="warning", ws="websockets-sansio"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        limit = time.monotonic() + 30
        while not server.started:
            assert thread.is_alive(), "the server ended"
            assert time.monotonic() < limit
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        service.url = f"http://127.0.0.1:{port}"
        yield service
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()
