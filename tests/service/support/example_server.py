"""A service without models for the examples of docs/service-examples.md; it refuses other fields.

Its answers have the forms of OpenAI's API. That the real service has them too is tested with it.
"""

from __future__ import annotations

import json

from fastapi import FastAPI, Request, WebSocket
from page_server import answer_stream, bearer, received, transcription
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse

from fonoteka.service.api_errors import ApiError

MODELS = ("streaming", "whisper-1", "whisper_ctc")
FIELDS = {
    "/v1/audio/transcriptions": {
        "file", "model", "language", "script", "response_format", "timestamp_granularities[]",
        "stream", "store",
    },
    "/v1/align": {"file", "text", "language", "model", "script", "format"},
}  # fmt: skip
FILE_ID = "file-7Qm2"


def create_example_app(service):
    """Return the application; requests that are not as the interface defines them get an error."""
    # Routes are functions of this one because they answer as `service` is when a request arrives.
    app = FastAPI()

    @app.exception_handler(ApiError)
    async def refuse(request, error):
        return JSONResponse(error.body(), error.status, dict(error.headers))

    @app.get("/v1/models")
    async def models(request: Request):
        service.check_key(bearer(request))
        return {"object": "list", "data": [{"id": name, "object": "model"} for name in MODELS]}

    @app.post("/v1/audio/transcriptions")
    async def transcriptions(request: Request):
        return transcribed(await fields_of(service, request), service)

    @app.post("/v1/align")
    async def align(request: Request):
        fields = await fields_of(service, request)
        words = [{"text": word, "start_s": 0.0} for word in fields["text"][0].split()]
        return {"language": fields["language"][0], "lines": [{"words": words}]}

    @app.post("/process/whisper/{file_id}")
    async def process(request: Request, file_id: str):
        check_file(service, request, file_id)
        return {"file_id": file_id, "text": "Dobar dan.", "language": dict(request.query_params)}

    @app.delete("/v1/files/{file_id}")
    async def delete(request: Request, file_id: str):
        check_file(service, request, file_id)
        return {"id": file_id, "object": "file", "deleted": True}

    @app.websocket("/v1/stream")
    async def stream(socket: WebSocket):
        await answer_stream(service, socket)

    return app


async def fields_of(service, request):
    """Return the fields of a form that has no other ones than the interface."""
    service.check_key(bearer(request) if service.key else None)
    async with request.form() as form:
        fields = await received(form)
    unknown = {*fields} - FIELDS[request.url.path]
    if unknown or "file" not in fields:
        raise ApiError(400, f"the fields are {sorted(fields)}", "unknown_field")
    service.forms.append(fields)
    return fields


def check_file(service, request, file_id):
    service.check_key(bearer(request) if service.key else None)
    if file_id != FILE_ID:
        raise ApiError(404, f"file {file_id!r} is not stored", "not_found")


def transcribed(fields, service):
    """Return an answer in the format that is requested."""
    (model,) = fields["model"]
    if model not in MODELS:
        raise ApiError(404, f"model {model!r} is not offered", "model_not_found", "model")
    body = transcription(fields, service.lines)
    if fields.get("stream") == ["true"]:
        return StreamingResponse(events(body["text"]), media_type="text/event-stream")
    if fields.get("store") == ["true"]:
        body["file_id"] = FILE_ID
    match fields.get("response_format", ["json"]):
        case ["srt"]:
            return PlainTextResponse(f"1\n00:00:00,200 --> 00:00:03,000\n{body['text']}\n")
        case ["text"]:
            return PlainTextResponse(body["text"] + "\n")
    return body


async def events(text):
    """Yield a text as OpenAI's events, one word each."""
    for number, word in enumerate(text.split()):
        delta = {"type": "transcript.text.delta", "delta": (" " if number else "") + word}
        yield f"data: {json.dumps(delta)}\n\n"
    yield f"data: {json.dumps({'type': 'transcript.text.done', 'text': text})}\n\n"
