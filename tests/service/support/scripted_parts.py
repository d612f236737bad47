"""Parts of a service with scripted results, for tests of its routes.

Requests, files and cancellation are real; only the recognition is scripted.
"""

from __future__ import annotations

import asyncio
import io
import threading
import uuid
import wave
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import numpy as np
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request

from fonoteka.service.api_errors import ApiError
from fonoteka.service.context import (
    JobAudio,
    RequestRecord,
    ServiceContext,
    StoredFile,
    UploadedFile,
    UploadForm,
)
from fonoteka.service.interfaces import (
    Finished,
    Job,
    JobEvent,
    ModelKind,
    ModelVersion,
    Segment,
    Unit,
    UnknownModelError,
    Usage,
    WorkerState,
)
from fonoteka.service.settings import ServiceSettings
from fonoteka.service.uploads.stored_files import StoredFiles

Script = Callable[[Job], Sequence[JobEvent | Exception]]

WORDS = ModelVersion("tuned", "0123456789ab", ModelKind.WORDS, Path("models/tuned"))
PHONES = ModelVersion("whisper_ctc", "ba9876543210", ModelKind.PHONES, Path("models/whisper_ctc"))
STREAM = ModelVersion("streaming", "aaaaaaaaaaaa", ModelKind.STREAM, Path("models/streaming"))
FIRST = Segment(
    "Dobar dan.", 0.25, 0.75, (Unit("Dobar", 0.25, 0.5, 0.9), Unit("dan.", 0.5, 0.75, 0.8)),
    tokens=(11, 12), log_prob=-0.25, speech=0.75,
)  # fmt: skip
SECOND = Segment("Laku noć.", 1.0, 1.5, (Unit("Laku", 1.0, 1.2, 0.9), Unit("noć.", 1.2, 1.5, 0.7)))
USAGE = Usage(audio_s=2.0, queued_s=0.1, compute_s=0.2, turns=3)
FINISHED = Finished("bs", USAGE)


class ScriptedTicket:
    """A ticket whose events are scripted; after the last it waits if `holds` is set."""

    def __init__(self, events: Sequence[JobEvent | Exception], *, holds: bool) -> None:
        self.events_left, self.holds = list(events), holds
        self.is_cancelled = threading.Event()

    async def events(self) -> AsyncIterator[JobEvent]:
        """Yield the events, or raise the exceptions among them."""
        for event in self.events_left:
            if isinstance(event, Exception):
                raise event
            yield event
        if self.holds:
            await asyncio.get_running_loop().create_future()

    def cancel(self) -> None:
        """Note the cancellation."""
        self.is_cancelled.set()


class ScriptedWorkers:
    """Workers whose results a script returns; a script may raise too."""

    def __init__(self, script: Script, *, holds: bool = False) -> None:
        self.script, self.holds = script, holds
        self.jobs: list[Job] = []
        self.tickets: list[ScriptedTicket] = []
        self.submitted = threading.Event()

    async def start(self) -> None:
        """Do nothing; there are no processes."""

    async def stop(self, drain_s: float) -> None:
        """Do nothing; there are no processes."""

    def state(self) -> list[WorkerState]:
        """Return a worker of each kind."""
        return [WorkerState(name, 1, 0, 0, 1.0, 0) for name in ("batch-0", "live-0")]

    def queued(self) -> int:
        """Return that no job waits."""
        return 0

    def submit(self, job: Job) -> ScriptedTicket:
        """Admit a job, unless the script refuses it."""
        assert job.audio.is_file(), "a job without samples"
        self.jobs.append(job)
        ticket = ScriptedTicket(self.script(job), holds=self.holds)
        self.tickets.append(ticket)
        self.submitted.set()
        return ticket


class ScriptedModels:
    """Three models and the alias whisper-1."""

    is_loading = False

    def __init__(self, models: Sequence[ModelVersion] = (WORDS, PHONES, STREAM)) -> None:
        self._models = {model.name: model for model in models}

    def listed(self) -> list[ModelVersion]:
        """Return the models by name."""
        return sorted(self._models.values(), key=lambda model: model.name)

    def get(self, name: str, kind: ModelKind | None = None) -> ModelVersion:
        """Return a model by name or alias."""
        model = self._models.get("tuned" if name == "whisper-1" else name)
        if model is None or kind not in (None, model.kind):
            raise UnknownModelError(f"the model {name!r} is not offered; see /v1/models")
        return model

    def refused(self) -> dict[str, str]:
        """Return the package that is not offered."""
        return {"realtime": "it is a bundle for plugins"}

    def card(self, name: str) -> dict[str, object]:
        """Return the metrics of a model."""
        return {"metrics": {"wer": 0.25}, "gates": {"wer": 0.5}, "manifest": {"files": {}}}

    async def start(self) -> None:
        """Do nothing; the models are there."""

    async def stop(self) -> None:
        """Do nothing; nothing runs in the background."""

    async def refresh(self) -> dict[str, str]:
        """Return that all models are unchanged."""
        return dict.fromkeys(self._models, "unchanged")


class FolderUploads:
    """Uploads in a folder, which is empty when all temporary files are deleted."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._files = folder, StoredFiles(self.delete, 3600, 1 << 30)

    async def receive(self, request: Request) -> UploadForm:
        """Read a form."""
        fields: dict[str, list[str]] = {}
        upload = None
        async with request.form() as form:
            for name, value in form.multi_items():
                if isinstance(value, str):
                    fields.setdefault(name, []).append(value)
                    continue
                content = await value.read()
                path = self._new_path()
                path.write_bytes(content)
                upload = UploadedFile(path, value.filename or "", len(content))
        return UploadForm(fields, upload)

    async def decode(self, upload: UploadedFile) -> JobAudio:
        """Decode a WAV of 16 bits."""
        try:
            with wave.open(str(upload.path)) as recording:
                pcm = np.frombuffer(recording.readframes(recording.getnframes()), "<i2")
        except (wave.Error, EOFError) as error:
            raise ApiError(400, "not a recording", "not_a_recording", "file") from error
        path = self._new_path()
        path.write_bytes((pcm / np.float32(32768)).astype("<f4").tobytes())
        return JobAudio(path, len(pcm) / 16_000)

    def delete(self, *paths: Path) -> None:
        """Delete files."""
        for path in paths:
            path.unlink(missing_ok=True)

    def store(self, upload: UploadedFile, purpose="user_data", seconds=None) -> StoredFile:
        """Move a file to a name of its own."""
        path = upload.path.rename(self.folder / f"stored-{uuid.uuid4().hex}")
        return self._files.add(UploadedFile(path, upload.name, upload.size), purpose, seconds)

    def stored(self, file_id: str) -> StoredFile:
        """Return a stored file."""
        return self._files.get(file_id)

    def stored_files(self) -> list[StoredFile]:
        """Return the stored files, oldest first."""
        return self._files.all()

    def discard(self, file_id: str) -> None:
        """Delete a stored file."""
        self._files.discard(file_id)

    def temporary(self) -> list[str]:
        """Return the names of the files that are not stored."""
        return [path.name for path in self.folder.iterdir() if path.name.startswith("temporary-")]

    async def start(self) -> None:
        """Make the folder."""
        self.folder.mkdir(exist_ok=True)

    async def stop(self) -> None:
        """Do nothing; the test deletes its folder."""

    def _new_path(self) -> Path:
        return self.folder / f"temporary-{uuid.uuid4().hex}"


class RecordMaker:
    """Middleware that makes the record of each request, as that of the logs does."""

    def __init__(self, app, records: list[RequestRecord]) -> None:
        self._app, self._records = app, records

    async def __call__(self, scope, receive, send) -> None:
        """Make the record of a request."""
        if scope["type"] in ("http", "websocket"):
            request_id = HTTPConnection(scope).headers.get("x-request-id", "made")
            record = RequestRecord(request_id)
            self._records.append(record)
            scope.setdefault("state", {})["record"] = record
        await self._app(scope, receive, send)


def answers(*events: JobEvent | Exception) -> Script:
    """Return a script with the same events for every job."""
    return lambda _job: events


def raises(error: Exception) -> Script:
    """Return a script that refuses every job."""

    def refuse(_job: Job):
        raise error

    return refuse


def scripted_context(folder: Path, script: Script, *, holds=False, models=None, **settings):
    """Return the context of a service whose results are scripted."""
    return ServiceContext(
        ServiceSettings(folder, **settings), ScriptedWorkers(script, holds=holds),
        models or ScriptedModels(), FolderUploads(folder / "uploads"),
    )  # fmt: skip


def record_maker(records: list[RequestRecord] | None = None) -> Middleware:
    """Return the middleware that makes records, and appends them to a list."""
    return Middleware(RecordMaker, records=[] if records is None else records)


def wav_bytes(seconds: float = 2.0) -> bytes:
    """Return a quiet recording at 16 kHz as WAV."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(16_000)
        recording.writeframes(bytes(2 * round(seconds * 16_000)))
    return buffer.getvalue()
