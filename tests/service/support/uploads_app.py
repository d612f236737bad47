"""The application with real uploads, and a route that receives and decodes a recording."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response
from running_service import running
from scripted_parts import ScriptedModels, ScriptedWorkers, answers, record_maker
from starlette.responses import JSONResponse

from fonoteka.service.api_errors import ApiError
from fonoteka.service.app import create_app
from fonoteka.service.context import ServiceContext, context_of
from fonoteka.service.routes import files
from fonoteka.service.settings import ServiceSettings, UploadLimits
from fonoteka.service.uploads.upload_service import UploadService

router = APIRouter()


@router.post("/decode")
async def decode(request: Request) -> Response:
    """Answer the length of a recording; this is how a route for transcriptions begins."""
    uploads = context_of(request).uploads
    form = await uploads.receive(request)
    if form.file is None:
        raise ApiError(400, "there is no file", "missing_field", "file")
    try:
        audio = await uploads.decode(form.file)
        uploads.delete(audio.path)
    finally:
        uploads.delete(form.file.path)
    return JSONResponse({"audio_s": audio.audio_s})


@dataclass
class ReadCounter:
    """Middleware of a server that counts the bytes of bodies that were read.

    Attributes:
        app: the application.
        bytes: that were read since the test set this to 0.
        left: set when a request ended.
    """

    app: object
    bytes: int = 0
    left: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, scope, receive, send) -> None:
        """Pass a request, and count what is read of it."""

        async def counted():
            message = await receive()
            self.bytes += len(message.get("body", b""))
            return message

        await self.app(scope, counted, send)
        if scope["type"] == "http":
            self.left.set()


@dataclass
class UploadsServer:
    """A running server.

    Attributes:
        url: its address.
        uploads: of the application.
        reads: what it read of bodies.
    """

    url: str
    uploads: UploadService
    reads: ReadCounter

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return int(self.url.rpartition(":")[2])

    def leftovers(self) -> list[Path]:
        """Return the files in the folder of uploads."""
        return self.uploads.folder.files()


def settings_for(folder: Path, retention_s=3600, **limits) -> ServiceSettings:
    """Return settings with a private folder of uploads in `folder`."""
    uploads = folder / "uploads"
    return ServiceSettings(
        folder, uploads=uploads, retention_s=retention_s, limits=UploadLimits(**limits)
    )


def application(settings: ServiceSettings) -> FastAPI:
    """Return the application with the routes for files, and /decode."""
    context = ServiceContext(
        settings, ScriptedWorkers(answers()), ScriptedModels(), UploadService(settings)
    )
    return create_app(context, (files.router, router), [record_maker()])


@contextmanager
def running_app(settings: ServiceSettings) -> Iterator[UploadsServer]:
    """Serve the application in a thread."""
    app = application(settings)
    reads = ReadCounter(app)
    with running(reads) as url:
        yield UploadsServer(url, app.state.context.uploads, reads)
