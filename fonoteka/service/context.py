"""What the routes of one running service share, and what a request leaves for its log line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from fonoteka.service.interfaces import Models, ModelVersion, Usage, Workers
from fonoteka.service.settings import ServiceSettings

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection, Request


@dataclass
class RequestRecord:
    """What a request or connection leaves for its log line and the metrics.

    The middleware of `fonoteka.service.telemetry` makes it before any route runs, and puts it into
    `scope["state"]["record"]`; routes fill it in.

    Attributes:
        request_id: taken from X-Request-ID, or made.
        model: that computed the answer.
        usage: what it cost.
        text: recognised text, logged only if the settings ask for it.
        error: code of the error that was answered.
        key: name of the API key, if one was needed.
    """

    request_id: str
    model: ModelVersion | None = None
    usage: Usage | None = None
    text: str | None = None
    error: str | None = None
    key: str | None = None


@dataclass(frozen=True)
class UploadedFile:
    """The file of a request, in a place that the client cannot choose.

    Attributes:
        path: of its bytes, in the folder of uploads; its name is random.
        name: that the client gave, for answers alone; it never becomes a path.
        size: in bytes.
    """

    path: Path
    name: str
    size: int


@dataclass(frozen=True)
class UploadForm:
    """A multipart body that was received within its limits.

    Attributes:
        fields: values by name, each field of the form with all its values.
        file: the field `file`, None if it is missing.
    """

    fields: dict[str, list[str]]
    file: UploadedFile | None


@dataclass(frozen=True)
class JobAudio:
    """A recording as `Job.audio` needs it.

    Attributes:
        path: of the samples: float32, little-endian, one channel, 16 kHz.
        audio_s: its length.
    """

    path: Path
    audio_s: float


@dataclass(frozen=True)
class StoredFile:
    """An upload that its client asked to be stored.

    Attributes:
        file_id: random; the only name by which clients can reach it.
        upload: the file.
        created_s, expires_s: seconds since 1970.
        purpose: that the client stated, for answers alone.
    """

    file_id: str
    upload: UploadedFile
    created_s: int
    expires_s: int
    purpose: str = "user_data"


class Uploads(Protocol):
    """Receives, decodes, stores and deletes what clients send."""

    async def receive(self, request: Request) -> UploadForm:
        """Read a multipart body; nothing stays if it is refused.

        Raises:
            ApiError: it is too large, malformed, too slow, or not a form.
        """

    async def decode(self, upload: UploadedFile) -> JobAudio:
        """Decode a file in a process with limits.

        Raises:
            ApiError: it is not a recording, or beyond a limit.
        """

    def delete(self, *paths: Path) -> None:
        """Delete temporary files; a missing one is not an error, and stored ones stay."""

    def store(
        self, upload: UploadedFile, purpose: str = "user_data", seconds: float | None = None
    ) -> StoredFile:
        """Store a file under a random id; `delete` leaves it alone from now on.

        Args:
            upload: that was received.
            purpose: that the client stated.
            seconds: until it expires, `retention_s` at most and if None.

        Raises:
            ApiError: 413, all stored files together would be too large.
        """

    def stored(self, file_id: str) -> StoredFile:
        """Return a stored file.

        Raises:
            ApiError: 404, it was never stored, was deleted or has expired.
        """

    def stored_files(self) -> list[StoredFile]:
        """Return the stored files, oldest first."""

    def discard(self, file_id: str) -> None:
        """Delete a stored file; raises as `stored` does."""

    async def start(self) -> None:
        """Make the folder, delete what an earlier run left, and begin to delete expired files."""

    async def stop(self) -> None:
        """Delete all that is left."""


@dataclass(frozen=True)
class ServiceContext:
    """The parts of a running service; `app.state.context` of the application."""

    settings: ServiceSettings
    workers: Workers
    models: Models
    uploads: Uploads


def context_of(connection: HTTPConnection) -> ServiceContext:
    """Return the context of the application that a request or socket belongs to."""
    context: ServiceContext = connection.app.state.context
    return context


def record_of(connection: HTTPConnection) -> RequestRecord:
    """Return the record of a request or socket."""
    record: RequestRecord = connection.scope["state"]["record"]
    return record
