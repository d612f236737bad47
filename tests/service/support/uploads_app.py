"""A small application with uploads, a route that decodes, and the routes for stored files."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fonoteka.service.api_errors import ApiError
from fonoteka.service.context import ServiceContext, context_of
from fonoteka.service.routes import files
from fonoteka.service.settings import ServiceSettings, UploadLimits
from fonoteka.service.uploads.body_guard import BodyGuard
from fonoteka.service.uploads.upload_service import UploadService


@dataclass
class ReadCounter:
    """The application of a server, and the bytes of bodies that it has read from the server."""

    app: object
    bytes: int = 0
    left: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, scope, receive, send) -> None:
        async def counted():
            message = await receive()
            self.bytes += len(message.get("body", b""))
            return message

        await self.app(scope, counted, send)
        if scope["type"] == "http":
            self.left.set()


@dataclass
class RunningApp:
    """A running server.

    Attributes:
        port: on 127.0.0.1.
        uploads: of the application.
        reads: what it read of bodies.
        loop: of its thread.
    """

    port: int
    uploads: UploadService
    reads: ReadCounter
    loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def leftovers(self) -> list[Path]:
        return self.uploads.folder.files()

    def call(self, coroutine):
        """Run a coroutine in the loop of the server."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)


async def decode(request: Request) -> Response:
    """Answer the length of a recording, as a route for transcriptions begins."""
    uploads = context_of(request).uploads
    form = await uploads.receive(request)
    if form.file is None:
        raise ApiError(400, "there is no file", "missing_field", "file")
    try:
        audio = await uploads.decode(form.file)
        uploads.delete(audio.path)
    finally:
        uploads.delete(form.file.path)
    return JSONResponse({"audio_s": audio.audio_s, "name": form.file.name, "form": form.fields})


async def refused(_request: Request, error: ApiError) -> Response:
    return JSONResponse(error.body(), error.status, dict(error.headers))


def settings_for(folder: Path, **limits) -> ServiceSettings:
    """Return settings with a private folder of uploads in `folder`."""
    retention_s = limits.pop("retention_s", 3600)
    return ServiceSettings(
        folder, uploads=folder / "uploads", retention_s=retention_s, limits=UploadLimits(**limits)
    )


def application(settings: ServiceSettings) -> FastAPI:
    uploads = UploadService(settings)

    @asynccontextmanager
    async def lifespan(app):
        await uploads.start()
        app.state.loop = asyncio.get_running_loop()
        yield
        await uploads.stop()

    app = FastAPI(lifespan=lifespan)
    app.state.context = ServiceContext(settings, None, None, uploads)
    app.add_exception_handler(ApiError, refused)
    app.add_middleware(BodyGuard, limits=settings.limits)
    app.include_router(files.router)
    app.add_api_route("/decode", decode, methods=["POST"])
    return app


@contextmanager
def running_app(settings: ServiceSettings) -> Iterator[RunningApp]:
    """Serve the application by uvicorn in a thread, at a port that the system chooses."""
    app = application(settings)
    reads = ReadCounter(app)
    config = uvicorn.Config(reads, port=0, log_config=None, lifespan="on", timeout_keep_alive=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            thread.join(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield RunningApp(port, app.state.context.uploads, reads, app.state.loop)
    finally:
        server.should_exit = True
        thread.join()
