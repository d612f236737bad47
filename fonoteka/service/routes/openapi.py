"""The parts of the OpenAPI page that FastAPI cannot derive, because routes read bodies themselves.

A body is not read before its size is checked, so the routes have no parameters of a form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from fonoteka.phones import LANGUAGES
from fonoteka.scripts import SCRIPTS
from fonoteka.service.formats.bodies import ErrorBody
from fonoteka.service.forms import AUTO
from fonoteka.service.recordings import DOUBT

Responses = dict[int | str, dict[str, Any]]

_REASONS = {
    400: "the request is malformed; `param` names the field at fault",
    401: "the service has API keys, and the request has none that is valid",
    403: "a page of a site that is not admitted sent the request",
    404: "no model or file has this name or id",
    408: "the body was too slow",
    413: "the body or the recording is beyond a limit",
    415: "the body is not multipart/form-data, or the file not a recording",
    429: "as many requests wait as the service admits; Retry-After has the seconds to wait",
    500: "the service failed; the message names the request in its log",
    503: "a worker died or the service stops; another try may succeed",
    504: "the job took longer than it may",
    507: "the disk of the service is full",
}
_EVERYWHERE = (400, 401, 403, 408, 413, 500)
OF_RECORDINGS = (404, 415, 429, 503, 504, 507)
_RETRY = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}

_ERROR_CONTENT = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}

LANGUAGE = {
    "type": "string", "enum": [AUTO, *LANGUAGES], "default": AUTO,
    "description": "of the speech; auto recognises it",
}  # fmt: skip
SCRIPT = {
    "type": "string", "enum": [*SCRIPTS],
    "description": "of the words; cyrillic for bs and sr alone, so not with another language",
}  # fmt: skip
FILE = {
    "type": "string", "format": "binary",
    "description": "a recording: WAV, FLAC, MP3, Ogg, and with ffmpeg M4A, WebM and video",
}  # fmt: skip
MODEL_HEADERS = {
    "X-Model": {"description": "the model of the answer", "schema": {"type": "string"}},
    "X-Model-Version": {"description": "hash of its package", "schema": {"type": "string"}},
    DOUBT: {"description": "why the result is doubtful, if it is", "schema": {"type": "string"}},
}


def errors(*statuses: int) -> Responses:
    """Return the descriptions of the errors of a route; `describe` adds those of every route."""
    result: Responses = {}
    for status in statuses:
        result[status] = {"description": _REASONS[status], "model": ErrorBody}
        if status in (429, 503):
            result[status]["headers"] = _RETRY
    return result


def multipart(properties: Mapping[str, Any], required: list[str]) -> dict[str, Any]:
    """Return the description of a multipart body, for `openapi_extra`."""
    schema = {
        "type": "object", "properties": dict(properties), "required": required,
        "additionalProperties": False,
    }  # fmt: skip
    return {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    }


def parameter(name: str, place: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description of a parameter of a path or a query."""
    return {
        "name": name, "in": place, "required": place == "path", "schema": dict(schema),
        "description": schema.get("description", ""),
    }  # fmt: skip


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI page of an application.

    FastAPI adds an answer 422 to routes with parameters; here malformed values are answered 400.
    Every route gets the errors that the application answers around it.
    """
    if app.openapi_schema is None:
        page = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        schemas = page.get("components", {}).get("schemas", {})
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for operations in page["paths"].values():
            for operation in operations.values():
                _complete(operation["responses"])
        app.openapi_schema = page
    return app.openapi_schema


def _complete(responses: dict[str, Any]) -> None:
    if _is_derived(responses.get("422")):
        del responses["422"]
    for number in _EVERYWHERE:
        responses.setdefault(str(number), {"description": _REASONS[number]})
    for status, response in responses.items():
        if status[0] in "45":
            response.setdefault("content", _ERROR_CONTENT)


def _is_derived(response: Mapping[str, Any] | None) -> bool:
    return response is not None and "HTTPValidationError" in str(response)


def add_security(page: dict[str, Any], is_open: Any) -> None:
    """Describe the keys that a service needs."""
    page.setdefault("components", {})["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    for path, operations in page["paths"].items():
        if not is_open(path):
            for operation in operations.values():
                operation["security"] = [{"bearer": []}, {"header": []}]
