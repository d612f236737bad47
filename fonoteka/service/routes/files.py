"""/v1/files: recordings that are stored for a time, as OpenAI's clients send and read them.

A stored file is reached by its random id alone. All clients of a service see all of its files, as
all keys of an organisation do at OpenAI. A file is deleted when it expires: after `retention_s` of
the service, or earlier if the client asks for that with expires_after.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import IO, Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from fonoteka.service.api_errors import ApiError
from fonoteka.service.context import StoredFile, context_of
from fonoteka.service.routes import file_pages as pages
from fonoteka.service.uploads.multipart_form import FILE

router = APIRouter()
_PIECE_BYTES = 1 << 18
_ANCHOR, _SECONDS = "expires_after[anchor]", "expires_after[seconds]"


@router.post("/v1/files", openapi_extra=pages.CREATE)
async def create_file(request: Request) -> Response:
    """Store a recording."""
    uploads = context_of(request).uploads
    form = await uploads.receive(request)
    try:
        fields = _Values(form.fields, ("purpose", _ANCHOR, _SECONDS))
        if form.file is None:
            message = f"the form has no part {FILE}; send the recording in it"
            raise ApiError(400, message, "missing_field", FILE)
        purpose = fields.choice("purpose", pages.PURPOSES) or "user_data"
        fields.choice(_ANCHOR, ("created_at",))
        seconds = fields.number(_SECONDS, pages.LONGEST_S)
        stored = uploads.store(form.file, purpose, seconds)
    finally:
        if form.file:
            uploads.delete(form.file.path)  # without an effect if it is stored
    return JSONResponse(_described(stored))


@router.get("/v1/files", openapi_extra=pages.LIST)
async def list_files(request: Request) -> Response:
    """List the stored files, newest first."""
    query = request.query_params
    values = _Values({name: query.getlist(name) for name in query}, None)
    purpose = values.choice("purpose", pages.PURPOSES)
    files = context_of(request).uploads.stored_files()
    if values.choice("order", ("asc", "desc")) != "asc":
        files.reverse()
    ids = [stored.file_id for stored in files]
    if (after := values.text("after")) is not None:
        if after not in ids:
            message = f"after is {after[:40]!a}; expected the id of a stored file"
            raise ApiError(400, message, "invalid_value", "after")
        files = files[ids.index(after) + 1 :]
    files = [stored for stored in files if purpose in (None, stored.purpose)]
    page = files[: values.number("limit", pages.MOST_LISTED) or pages.MOST_LISTED]
    return JSONResponse(
        {
            "object": "list", "data": [_described(stored) for stored in page],
            "first_id": page[0].file_id if page else None,
            "last_id": page[-1].file_id if page else None,
            "has_more": len(files) > len(page),
        }
    )  # fmt: skip


@router.get("/v1/files/{file_id}", openapi_extra=pages.READ)
async def read_file(request: Request) -> Response:
    """Describe a stored file."""
    return JSONResponse(_described(_stored(request)))


@router.get("/v1/files/{file_id}/content", openapi_extra=pages.CONTENT)
async def read_content(request: Request) -> Response:
    """Return the bytes of a stored file."""
    upload = _stored(request).upload
    try:
        file = upload.path.open("rb")
    except OSError as error:
        message = "the stored file is gone; send it again"
        raise ApiError(404, message, "file_not_found", "file_id") from error
    # Not shown by browsers: a recording may be a web page that its sender wrote.
    headers = {
        "Content-Length": str(upload.size), "Content-Disposition": "attachment",
        "X-Content-Type-Options": "nosniff",
    }  # fmt: skip
    return StreamingResponse(_pieces(file), media_type="application/octet-stream", headers=headers)


@router.delete("/v1/files/{file_id}", openapi_extra=pages.DELETE)
async def delete_file(request: Request) -> Response:
    """Delete a stored file."""
    file_id = _stored(request).file_id
    context_of(request).uploads.discard(file_id)
    return JSONResponse({"id": file_id, "object": "file", "deleted": True})


def _stored(request: Request) -> StoredFile:
    return context_of(request).uploads.stored(request.path_params["file_id"])


def _described(stored: StoredFile) -> dict[str, Any]:
    return {
        "id": stored.file_id, "object": "file", "bytes": stored.upload.size,
        "created_at": stored.created_s, "expires_at": stored.expires_s,
        "filename": stored.upload.name, "purpose": stored.purpose, "status": "processed",
    }  # fmt: skip


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
            yield piece


class _Values:
    """Texts by name, each of which may occur once."""

    def __init__(self, values: Mapping[str, Sequence[str]], names: Sequence[str] | None) -> None:
        """Check the names; None admits all, because proxies and browsers add to queries."""
        for name in values:
            if names is not None and name not in names:
                message = f"the field {name[:40]!a} is unknown; expected {', '.join(names)}"
                raise ApiError(400, message, "unknown_field", name)
        self._values = values

    def text(self, name: str) -> str | None:
        values = self._values.get(name, ())
        if len(values) > 1:
            message = f"{name} occurs {len(values)} times; send it once"
            raise ApiError(400, message, "invalid_value", name)
        return values[0] if values else None

    def choice(self, name: str, choices: Sequence[str]) -> str | None:
        value = self.text(name)
        if value is not None and value not in choices:
            message = f"{name} is {value[:40]!a}; expected one of {', '.join(choices)}"
            raise ApiError(400, message, "invalid_value", name)
        return value

    def number(self, name: str, most: int) -> int | None:
        value = self.text(name)
        if value is None:
            return None
        is_number = value.isascii() and value.isdigit() and len(value) <= len(str(most))
        if not is_number or not 1 <= int(value) <= most:
            message = f"{name} is {value[:40]!a}; expected a number from 1 to {most}"
            raise ApiError(400, message, "invalid_value", name)
        return int(value)
