"""POST /v1/align: when each word of a text is spoken in a recording."""

from __future__ import annotations

from contextlib import AsyncExitStack

from fastapi import APIRouter, Request, Response

from fonoteka.alignment.formats.writers import FORMATS
from fonoteka.service.client_presence import while_connected
from fonoteka.service.context import UploadedFile, UploadForm, context_of, record_of
from fonoteka.service.formats.align_answers import JSON, MEDIA_TYPES, align_response
from fonoteka.service.forms import FormFields
from fonoteka.service.interfaces import AlignJob, ModelKind, ModelVersion, UnknownModelError
from fonoteka.service.recordings import aligner_of, decode_file, receive_file, result_of
from fonoteka.service.routes.openapi import (
    FILE,
    LANGUAGE,
    MODEL_HEADERS,
    OF_RECORDINGS,
    SCRIPT,
    errors,
    multipart,
)

router = APIRouter()

PROPERTIES = {
    "file": FILE,
    "text": {
        "type": "string", "minLength": 1, "pattern": r"\S",
        "description": "the words that are spoken; its lines stay lines",
    },
    "language": LANGUAGE | {"description": "of the text; auto guesses it from the text"},
    "model": {
        "type": "string", "minLength": 1, "pattern": r"\S",
        "description": "a phone recogniser; whisper_ctc if it is left out and offered",
    },
    "script": SCRIPT | {"description": "of the words in the answer; that of the text if left out"},
    "format": {"type": "string", "enum": [*FORMATS], "default": JSON},
}  # fmt: skip


@router.post(
    "/v1/align",
    tags=["recordings"],
    summary="Find when each word of a text is spoken",
    response_class=Response,
    responses=errors(*OF_RECORDINGS) | {
        200: {
            "description": "the words with their times, in the requested format",
            "headers": MODEL_HEADERS,
            "content": {
                media_type: {"schema": {"type": "object" if name == JSON else "string"}}
                for name, media_type in MEDIA_TYPES.items()
            },
        }
    },
    openapi_extra=multipart(PROPERTIES, ["file", "text"]),
)  # fmt: skip
async def align(request: Request) -> Response:
    """Find when each word of a text is spoken."""
    async with AsyncExitStack() as files:
        form, upload = await receive_file(request, files)
        return await while_connected(request.receive, _aligned(request, form, upload, files))


async def _aligned(
    request: Request, form: UploadForm, upload: UploadedFile, files: AsyncExitStack
) -> Response:
    fields = FormFields(form.fields, [name for name in PROPERTIES if name != "file"])
    text = fields.required("text", "contains the words that are spoken")
    language = fields.language()
    script = fields.script(language)
    format_name = fields.choice("format", FORMATS, JSON)
    model = _aligner(request, fields.filled("model"))
    audio = await decode_file(request, upload, files)
    request_id = record_of(request).request_id
    job = AlignJob(request_id, audio.path, model, text, language, script)
    return align_response(await result_of(request, job), model, format_name, upload.name)


def _aligner(request: Request, name: str | None) -> ModelVersion:
    models = context_of(request).models
    if name is not None:
        return models.get(name, ModelKind.PHONES)
    if model := aligner_of(models):
        return model
    raise UnknownModelError("no phone recogniser is offered; see /v1/models")
