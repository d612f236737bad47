"""The OpenAPI descriptions of the routes for stored files, which read their bodies themselves.

A body is not read before its size is checked, so FastAPI cannot derive its description.
"""

from __future__ import annotations

from typing import Any

from fonoteka.service.uploads.multipart_form import FILE

PURPOSES = ("assistants", "batch", "evals", "fine-tune", "user_data", "vision")
MOST_LISTED = 10_000
LONGEST_S = 30 * 24 * 3600  # OpenAI's limit; the service deletes a file earlier

_TEXT, _COUNT = {"type": "string"}, {"type": "integer", "minimum": 0}
_PURPOSE = {"type": "string", "enum": [*PURPOSES]}
_FILE = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^file-[A-Za-z0-9_-]{24}$"},
        "object": {"type": "string", "const": "file"},
        "bytes": _COUNT, "created_at": _COUNT, "expires_at": _COUNT,
        "filename": _TEXT, "purpose": _PURPOSE,
        "status": {"type": "string", "const": "processed"},
    },
}  # fmt: skip
_FILE["required"] = [*_FILE["properties"]]
_ID = {"oneOf": [_FILE["properties"]["id"], {"type": "null"}]}  # type: ignore[index]
_LIST = {
    "type": "object",
    "properties": {
        "object": {"type": "string", "const": "list"}, "data": {"type": "array", "items": _FILE},
        "first_id": _ID, "last_id": _ID, "has_more": {"type": "boolean"},
    },
    "required": ["object", "data", "first_id", "last_id", "has_more"],
}  # fmt: skip
_DELETED = {
    "type": "object",
    "properties": {
        "id": _TEXT, "object": {"type": "string", "const": "file"}, "deleted": {"const": True},
    },
    "required": ["id", "object", "deleted"],
}  # fmt: skip
_OPTIONAL_TEXT = {"type": ["string", "null"]}
_ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "message": _TEXT, "type": _TEXT, "param": _OPTIONAL_TEXT, "code": _OPTIONAL_TEXT,
            },
            "required": ["message", "type", "param", "code"],
        },
    },
    "required": ["error"],
}  # fmt: skip
_FORM = {
    "type": "object",
    "properties": {
        FILE: {"type": "string", "format": "binary", "description": "a recording"},
        "purpose": {**_PURPOSE, "default": "user_data"},
        "expires_after[anchor]": {"type": "string", "enum": ["created_at"]},
        "expires_after[seconds]": {
            "type": "integer", "minimum": 1, "maximum": LONGEST_S,
            "description": "at most as long as the service stores files; see expires_at",
        },
    },
    "required": [FILE],
    "additionalProperties": False,
}  # fmt: skip
_ID_PARAMETER = {"name": "file_id", "in": "path", "required": True, "schema": _TEXT}
_ERRORS = {
    400: "a field or a parameter has a value that cannot be used", 404: "there is no such file",
    408: "the body was too slow", 413: "the body is beyond a limit, or too much is stored",
    415: "the body is not multipart/form-data", 503: "the folder of uploads cannot be written",
    507: "the disk of the service is full",
}  # fmt: skip


def _page(answer: dict[str, Any], *errors: int, **more: Any) -> dict[str, Any]:
    """Return the description of a route that answers 200 with `answer`, or one of `errors`."""
    responses = {"200": {"description": "done", "content": answer}}
    for status in errors:
        content = {"application/json": {"schema": _ERROR}}
        responses[str(status)] = {"description": _ERRORS[status], "content": content}
    return {"responses": responses, **more}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}


CREATE = _page(
    _json(_FILE), 400, 408, 413, 415, 503, 507,
    requestBody={"required": True, "content": {"multipart/form-data": {"schema": _FORM}}},
)  # fmt: skip
LIST = _page(
    _json(_LIST), 400,
    parameters=[
        _query("after", _TEXT),
        _query("limit", {"type": "integer", "minimum": 1, "maximum": MOST_LISTED}),
        _query("order", {"type": "string", "enum": ["asc", "desc"]}),
        _query("purpose", _PURPOSE),
    ],
)  # fmt: skip
READ = _page(_json(_FILE), 404, parameters=[_ID_PARAMETER])
CONTENT = _page(
    {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}, 404,
    parameters=[_ID_PARAMETER],
)  # fmt: skip
DELETE = _page(_json(_DELETED), 404, parameters=[_ID_PARAMETER])
