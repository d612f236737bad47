"""What the routes for recordings share: receive, decode, compute, clean up.

    async with AsyncExitStack() as files:
        form, upload = await receive_file(request, files)
        audio = await decode_file(request, upload, files)
        result = await result_of(request, job)

Each temporary file is deleted when the answer was sent, also after errors and cancellation.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

from starlette.requests import Request

from fonoteka.service.context import JobAudio, UploadedFile, UploadForm, context_of, record_of
from fonoteka.service.forms import missing
from fonoteka.service.interfaces import (
    Finished,
    Job,
    JobEvent,
    ModelKind,
    Models,
    ModelVersion,
    Segment,
    Ticket,
    UnavailableError,
    UnknownModelError,
)

DOUBT = "X-Doubt"
DEFAULT_ALIGNER = "whisper_ctc"  # as for `fonoteka align`


@dataclass(frozen=True)
class RecordingResult:
    """The events of a job that succeeded."""

    segments: tuple[Segment, ...]
    finished: Finished

    @property
    def text(self) -> str:
        """The texts of the segments, with a space between two."""
        return joined(self.segments)


def joined(segments: tuple[Segment, ...]) -> str:
    """Return the text of segments; those without text add no space."""
    return " ".join(segment.text.strip() for segment in segments if segment.text.strip())


async def receive_file(request: Request, files: AsyncExitStack) -> tuple[UploadForm, UploadedFile]:
    """Read the body of a request, and return its form and its file.

    Args:
        request: whose body was not read.
        files: deletes the file when it is closed.

    Raises:
        ApiError: as `Uploads.receive`, or the form lacks the file.
    """
    uploads = context_of(request).uploads
    form = await uploads.receive(request)
    if form.file is None:
        raise missing("file", "contains the recording")
    files.callback(uploads.delete, form.file.path)
    return form, form.file


async def decode_file(request: Request, upload: UploadedFile, files: AsyncExitStack) -> JobAudio:
    """Decode a file; its samples are deleted when `files` is closed.

    Raises:
        ApiError: as `Uploads.decode`.
    """
    uploads = context_of(request).uploads
    audio = await uploads.decode(upload)
    files.callback(uploads.delete, audio.path)
    return audio


async def events_of(ticket: Ticket) -> AsyncGenerator[JobEvent, None]:
    """Yield the events of a job, and cancel the job if the caller stops before its end.

    Raises:
        JobError: the job failed, or ended without a result.
    """
    ended = False
    try:
        async for event in ticket.events():
            ended = isinstance(event, Finished)
            yield event
        if not ended:
            raise UnavailableError("the job was stopped before its end; send the request again")
    finally:
        if not ended:
            ticket.cancel()


async def result_of(request: Request, job: Job) -> RecordingResult:
    """Compute a job, and note its cost and text for the log line.

    Raises:
        JobError: it was refused or failed.
    """
    segments: list[Segment] = []
    record_of(request).model = job.model
    async with aclosing(events_of(context_of(request).workers.submit(job))) as events:
        async for event in events:
            if isinstance(event, Segment):
                segments.append(event)
                continue
            result = RecordingResult(tuple(segments), event)
            note_result(request, result)
            return result
    raise AssertionError("events_of ends with Finished or raises")


def note_result(request: Request, result: RecordingResult) -> None:
    """Note what a result cost, and its text, for the log line."""
    record = record_of(request)
    record.usage, record.text = result.finished.usage, result.text


def recogniser(models: Models, name: str) -> ModelVersion:
    """Return the model for recordings with a name or alias.

    Raises:
        UnknownModelError: no model has this name, or it is for live streams.
    """
    model = models.get(name)
    if model.kind is ModelKind.STREAM:
        raise UnknownModelError(
            f"the model {model.name} recognises live streams; open /v1/stream, or choose one of "
            "the kind words or phones in /v1/models"
        )
    return model


def aligner_of(models: Models) -> ModelVersion | None:
    """Return the phone recogniser that places words in time if a request names none.

    It is whisper_ctc, else the first by name; None if no phone recogniser is offered.
    """
    recognisers = [model for model in models.listed() if model.kind is ModelKind.PHONES]
    named = [model for model in recognisers if model.name == DEFAULT_ALIGNER]
    return next(iter(named + recognisers), None)


def version_headers(model: ModelVersion, doubt: str = "") -> dict[str, str]:
    """Return the headers that name the model of an answer, and why its result is doubtful."""
    headers = {"X-Model": model.name, "X-Model-Version": model.version}
    if doubt:
        # A header is one line of ASCII; the sentence may quote a word.
        headers[DOUBT] = " ".join(doubt.encode("ascii", "backslashreplace").decode().split())
    return headers


def file_headers(file_id: str | None) -> dict[str, str]:
    """Return the header that names the stored recording of an answer, if it was stored."""
    return {} if file_id is None else {"X-File-ID": file_id}
