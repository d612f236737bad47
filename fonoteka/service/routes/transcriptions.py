"""POST /v1/audio/transcriptions: the words or phones of a recording, as OpenAI's clients expect."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from fastapi import APIRouter, Request, Response

from fonoteka.service.api_errors import ApiError
from fonoteka.service.client_presence import while_connected
from fonoteka.service.context import UploadedFile, UploadForm, context_of, record_of
from fonoteka.service.formats.bodies import TranscriptionText, VerboseAnswer
from fonoteka.service.formats.event_stream import MEDIA_TYPE, EventStreamResponse, server_sent
from fonoteka.service.formats.transcription_answers import (
    MEDIA_TYPES,
    WORD,
    TranscriptionContent,
    transcription_response,
)
from fonoteka.service.forms import invalid
from fonoteka.service.interfaces import (
    Job,
    ModelKind,
    PhonesJob,
    WordsJob,
)
from fonoteka.service.recordings import (
    aligner_of,
    decode_file,
    events_of,
    file_headers,
    receive_file,
    result_of,
    version_headers,
)
from fonoteka.service.routes.openapi import (
    MODEL_HEADERS,
    OF_RECORDINGS,
    errors,
    multipart,
)
from fonoteka.service.routes.transcription_fields import (
    GRANULARITIES,
    PROPERTIES,
    TranscriptionRequest,
    checked,
)

router = APIRouter()


@router.post(
    "/v1/audio/transcriptions",
    tags=["recordings"],
    summary="Recognise the words or phones of a recording",
    response_class=Response,
    responses=errors(*OF_RECORDINGS) | {
        200: {
            "model": TranscriptionText | VerboseAnswer,
            "description": "the text in the requested format; events if stream is true",
            "headers": MODEL_HEADERS | {
                "X-File-ID": {"description": "if stored", "schema": {"type": "string"}}
            },
            "content": {
                media_type: {"schema": {"type": "string"}}
                for media_type in (*MEDIA_TYPES.values(), MEDIA_TYPE)
            },
        }
    },
    openapi_extra=multipart(PROPERTIES, ["file", "model"]),
)  # fmt: skip
async def transcribe(request: Request) -> Response:
    """Recognise the words or phones of a recording."""
    async with AsyncExitStack() as files:
        form, upload = await receive_file(request, files)
        return await while_connected(request.receive, _transcribed(request, form, upload, files))


async def _transcribed(
    request: Request, form: UploadForm, upload: UploadedFile, files: AsyncExitStack
) -> Response:
    options = checked(request, form)
    audio = await decode_file(request, upload, files)
    job = _job(request, options, audio.path)
    if options.stream:
        return await _streamed(request, options, upload, job, files)
    result = await result_of(request, job)
    file_id = _stored(request, options, upload)
    content = TranscriptionContent(result, options.model, options.granularities, file_id)
    return transcription_response(content, options.response_format)


async def _streamed(
    request: Request,
    options: TranscriptionRequest,
    upload: UploadedFile,
    job: Job,
    files: AsyncExitStack,
) -> Response:
    record_of(request).model = job.model
    events = events_of(context_of(request).workers.submit(job))
    files.push_async_callback(events.aclose)
    # A refusal before the first event has a status of its own; later ones are events.
    first = await anext(events)
    headers = file_headers(_stored(request, options, upload))
    content = server_sent(request, first, events, job.model)
    return EventStreamResponse(content, version_headers(job.model) | headers, files.pop_all())


def _stored(request: Request, options: TranscriptionRequest, upload: UploadedFile) -> str | None:
    return context_of(request).uploads.store(upload).file_id if options.store else None


def _job(request: Request, options: TranscriptionRequest, samples: Path) -> Job:
    """Return the job of a request.

    Raises:
        ApiError: 400, word times are requested, and no phone recogniser is offered.
    """
    request_id, model = record_of(request).request_id, options.model
    if model.kind is ModelKind.PHONES:
        return PhonesJob(request_id, samples, model)
    aligner = None
    if options.needs_word_times:
        aligner = aligner_of(context_of(request).models)
    if aligner is None and WORD in options.granularities:
        raise invalid(
            GRANULARITIES,
            "word times need a phone recogniser, and none is offered; ask for segment",
        )
    return WordsJob(request_id, samples, model, options.language, options.script, aligner)


@router.post("/v1/audio/translations", include_in_schema=False)
async def translate() -> Response:
    """Refuse translations, which OpenAI's API has."""
    raise ApiError(
        404, "translations are not offered; /v1/audio/transcriptions writes the language spoken",
        "not_found",
    )  # fmt: skip
