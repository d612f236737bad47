"""/v1/files: recordings that are stored for a time, as OpenAI's clients send and read them.

A stored file is reached by its random id alone. All clients of a service see all of its files, as
all keys of a project do at OpenAI. A file is deleted when it expires: after `retention_s` of
the service, or earlier if the client asks for that with expires_after.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import IO, Any, get_args

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from fonoteka.service.api_errors import ApiError
from fonoteka.service.context import StoredFile, context_of
from fonoteka.service.formats.file_bodies import (
    DeletedFile,
    FileEntries,
    FileEntry,
    FilePurpose,
    file_entry,
)
from fonoteka.service.formats.transcription_answers import json_response
from fonoteka.service.forms import FormFields, invalid, missing
from fonoteka.service.routes.openapi import FILE, errors, multipart, parameter

router = APIRouter()

_PURPOSES: tuple[str, ...] = get_args(FilePurpose)
_USER_DATA = "user_data"
_MOST_LISTED = 10_000
_LONGEST_S = 30 * 24 * 3600  # OpenAI's limit; `retention_s` of the service may be less
_PIECE_BYTES = 1 << 18

_PURPOSE = {"type": "string", "enum": [*_PURPOSES]}
_FORM: dict[str, dict[str, Any]] = {
    "file": FILE,
    "purpose": {**_PURPOSE, "default": _USER_DATA},
    "expires_after[anchor]": {"type": "string", "enum": ["created_at"]},
    "expires_after[seconds]": {
        "type": "integer", "minimum": 1, "maximum": _LONGEST_S,
        "description": "at most the time for which the service stores files; see expires_at",
    },
}  # fmt: skip
_QUERY: dict[str, dict[str, Any]] = {
    "after": {"type": "string", "description": "id of the file before the first of this page"},
    "limit": {"type": "integer", "minimum": 1, "maximum": _MOST_LISTED, "default": _MOST_LISTED},
    "order": {"type": "string", "enum": ["asc", "desc"], "default": "desc"},
    "purpose": _PURPOSE,
}
_FILE_ID = [parameter("file_id", "path", {"type": "string", "description": "of a stored file"})]


@router.post(
    "/v1/files",
    tags=["files"],
    summary="Store a recording",
    response_class=Response,
    responses=errors(415, 503, 507) | {200: {"model": FileEntry, "description": "the file"}},
    openapi_extra=multipart(_FORM, ["file"]),
)
async def create_file(request: Request) -> Response:
    """Store a recording until it expires."""
    uploads = context_of(request).uploads
    form = await uploads.receive(request)
    try:
        fields = FormFields(form.fields, [name for name in _FORM if name != "file"])
        if form.file is None:
            raise missing("file", "contains the recording")
        purpose = fields.choice("purpose", _PURPOSES, _USER_DATA)
        fields.choice("expires_after[anchor]", ("created_at",), "created_at")
        seconds = _number(fields, "expires_after[seconds]", _LONGEST_S)
        stored = uploads.store(form.file, purpose, seconds)
    finally:
        if form.file:
            uploads.delete(form.file.path)  # without an effect if it is stored
    return json_response(file_entry(stored))


@router.get(
    "/v1/files",
    tags=["files"],
    summary="List the stored files",
    response_class=Response,
    responses=errors() | {200: {"model": FileEntries, "description": "newest first"}},
    openapi_extra={
        "parameters": [parameter(name, "query", schema) for name, schema in _QUERY.items()]
    },
)
async def list_files(request: Request) -> Response:
    """List the stored files, newest first."""
    query = request.query_params
    fields = FormFields({name: query.getlist(name) for name in query}, _QUERY)
    purposes = fields.many("purpose", _PURPOSES)
    limit = _number(fields, "limit", _MOST_LISTED) or _MOST_LISTED
    files = context_of(request).uploads.stored_files()
    if fields.choice("order", ("asc", "desc"), "desc") == "desc":
        files.reverse()
    files = _after(files, fields.text("after"))
    files = [stored for stored in files if not purposes or stored.purpose in purposes]
    page = [file_entry(stored) for stored in files[:limit]]
    return json_response(
        FileEntries(
            data=page,
            first_id=page[0].id if page else None,
            last_id=page[-1].id if page else None,
            has_more=len(files) > limit,
        )
    )


@router.get(
    "/v1/files/{file_id}",
    tags=["files"],
    summary="Describe a stored file",
    response_class=Response,
    responses=errors(404) | {200: {"model": FileEntry, "description": "the file"}},
    openapi_extra={"parameters": _FILE_ID},
)
async def show_file(request: Request) -> Response:
    """Describe a stored file."""
    return json_response(file_entry(_stored(request)))


@router.get(
    "/v1/files/{file_id}/content",
    tags=["files"],
    summary="Read a stored file",
    response_class=Response,
    responses=errors(404) | {
        200: {"description": "its bytes", "content": {"application/octet-stream": {"schema": FILE}}}
    },
    openapi_extra={"parameters": _FILE_ID},
)  # fmt: skip
async def read_content(request: Request) -> Response:
    """Return the bytes of a stored file."""
    upload = _stored(request).upload
    try:
        file = upload.path.open("rb")
    except OSError as error:
        message = "the stored file is gone; send it again"
        raise ApiError(404, message, "file_not_found", "file_id") from error
    # Browsers save it and do not show it: its sender may have written a web page.
    headers = {
        "Content-Length": str(upload.size), "Content-Disposition": "attachment",
        "X-Content-Type-Options": "nosniff",
    }  # fmt: skip
    return StreamingResponse(_pieces(file), media_type="application/octet-stream", headers=headers)


@router.delete(
    "/v1/files/{file_id}",
    tags=["files"],
    summary="Delete a stored file",
    response_class=Response,
    responses=errors(404) | {200: {"model": DeletedFile, "description": "it is deleted"}},
    openapi_extra={"parameters": _FILE_ID},
)
async def delete_file(request: Request) -> Response:
    """Delete a stored file."""
    file_id = _stored(request).file_id
    context_of(request).uploads.discard(file_id)
    return json_response(DeletedFile(id=file_id))


def _stored(request: Request) -> StoredFile:
    return context_of(request).uploads.stored(request.path_params["file_id"])


def _after(files: list[StoredFile], file_id: str | None) -> list[StoredFile]:
    if file_id is None:
        return files
    ids = [stored.file_id for stored in files]
    if file_id not in ids:
        raise invalid("after", f"after is {file_id[:40]!a}; expected the id of a stored file")
    return files[ids.index(file_id) + 1 :]


def _number(fields: FormFields, name: str, most: int) -> int | None:
    """Return the value of a field that is a whole number from 1 to `most`."""
    value = fields.text(name)
    if value is None:
        return None
    is_number = value.isascii() and value.isdigit() and len(value) <= len(str(most))
    if not is_number or not 1 <= int(value) <= most:
        raise invalid(name, f"{name} is {value[:40]!a}; expected a number from 1 to {most}")
    return int(value)


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
            yield piece
