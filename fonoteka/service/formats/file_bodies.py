"""The JSON of answers about stored files.

Source: "Files" of OpenAI's API reference.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from fonoteka.service.context import StoredFile

FilePurpose = Literal["assistants", "batch", "evals", "fine-tune", "user_data", "vision"]


class FileEntry(BaseModel):
    """A stored file."""

    id: str = Field(pattern="^file-[A-Za-z0-9_-]{24}$")
    object: Literal["file"] = "file"
    bytes: int = Field(ge=0)
    created_at: int = Field(description="seconds since 1970")
    expires_at: int = Field(description="seconds since 1970; the file is deleted then")
    filename: str = Field(description="as the client named it")
    purpose: FilePurpose
    status: Literal["processed"] = "processed"


class FileEntries(BaseModel):
    """A page of the stored files."""

    object: Literal["list"] = "list"
    data: list[FileEntry]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeletedFile(BaseModel):
    """A file that was deleted."""

    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True


def file_entry(stored: StoredFile) -> FileEntry:
    """Return the description of a stored file."""
    return FileEntry.model_validate(
        {
            "id": stored.file_id, "bytes": stored.upload.size, "created_at": stored.created_s,
            "expires_at": stored.expires_s, "filename": stored.upload.name,
            "purpose": stored.purpose,
        }
    )  # fmt: skip
