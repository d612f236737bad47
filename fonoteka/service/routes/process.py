"""POST /process/whisper/{file_id}: the words of a recording that was stored before."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from fastapi import APIRouter, Request, Response

from fonoteka.service.client_presence import while_connected
from fonoteka.service.context import context_of, record_of
from fonoteka.service.formats.bodies import ProcessedFile, TimedSegment
from fonoteka.service.formats.transcription_answers import json_response
from fonoteka.service.forms import FormFields
from fonoteka.service.interfaces import ModelKind, WordsJob
from fonoteka.service.recordings import decode_file, result_of, version_headers
from fonoteka.service.routes.openapi import (
    LANGUAGE,
    MODEL_HEADERS,
    SCRIPT,
    errors,
    parameter,
)

router = APIRouter()

_WHISPER = "whisper-1"
_QUERY: dict[str, dict[str, Any]] = {
    "model": {
        "type": "string", "default": _WHISPER, "minLength": 1, "pattern": r"\S",
        "description": "a model of the kind words",
    },
    "language": LANGUAGE,
    "script": SCRIPT,
}  # fmt: skip
_FILE_ID = {"type": "string", "description": "as /v1/files answered it"}


@router.post(
    "/process/whisper/{file_id}",
    tags=["recordings"],
    summary="Recognise the words of a stored recording",
    response_class=Response,
    responses=errors(404, 415, 429, 503, 504, 507) | {
        200: {"model": ProcessedFile, "description": "the words", "headers": MODEL_HEADERS}
    },
    openapi_extra={
        "parameters": [
            parameter("file_id", "path", _FILE_ID),
            *(parameter(name, "query", schema) for name, schema in _QUERY.items()),
        ]
    },
)  # fmt: skip
async def process_whisper(request: Request) -> Response:
    """Recognise the words of a stored recording, which stays stored."""
    return await while_connected(request.receive, _processed(request))


async def _processed(request: Request) -> Response:
    context, query = context_of(request), request.query_params
    fields = FormFields({name: query.getlist(name) for name in query}, _QUERY)
    stored = context.uploads.stored(request.path_params["file_id"])
    name = fields.filled("model")
    model = context.models.get(_WHISPER if name is None else name, ModelKind.WORDS)
    language = fields.language()
    script = fields.script(language)
    async with AsyncExitStack() as files:
        audio = await decode_file(request, stored.upload, files)
        request_id = record_of(request).request_id
        result = await result_of(request, WordsJob(request_id, audio.path, model, language, script))
    body = ProcessedFile(
        file_id=stored.file_id,
        text=result.text,
        language=result.finished.language,
        duration=audio.audio_s,
        segments=[
            TimedSegment(id=index, start=segment.start_s, end=segment.end_s, text=segment.text)
            for index, segment in enumerate(result.segments)
        ],
        model=model.name,
        version=model.version,
    )
    return json_response(body, version_headers(model, result.finished.doubt))
