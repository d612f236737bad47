"""The uploads that clients asked to be stored: in a dictionary by random id, for a time."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from fonoteka.service.api_errors import ApiError
from fonoteka.service.context import StoredFile, UploadedFile

_ID = re.compile(r"file-[A-Za-z0-9_-]{24}")
_LEAST_BYTES = 1 << 16  # that a file counts, so that the number of empty files is bounded too


class StoredFiles:
    """Files by id; an id never becomes a path."""

    def __init__(
        self,
        delete: Callable[[Path], None],
        retention_s: float,
        most_bytes: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Begin without files.

        Args:
            delete: deletes a file.
            retention_s: longest time that a file is stored.
            most_bytes: of all files; a file counts at least 64 KiB.
            clock: seconds since 1970.
        """
        self._delete, self._clock = delete, clock
        self._retention_s, self._most_bytes = retention_s, most_bytes
        self._files: dict[str, StoredFile] = {}
        self._paths: set[Path] = set()

    def add(self, upload: UploadedFile, purpose: str, seconds: float | None) -> StoredFile:
        """Store a file; see `Uploads.store`."""
        self.expire()
        counted = sum(map(_counted, self.all())) + max(upload.size, _LEAST_BYTES)
        if counted > self._most_bytes:
            message = (
                f"the stored files would exceed {self._most_bytes >> 20} MiB; "
                "delete files that are not needed"
            )
            raise ApiError(413, message, "storage_full", "file")
        now = self._clock()
        lifetime = self._retention_s if seconds is None else min(seconds, self._retention_s)
        file_id = f"file-{secrets.token_urlsafe(18)}"
        stored = StoredFile(file_id, upload, int(now), int(now + lifetime), purpose)
        self._files[file_id] = stored
        self._paths.add(upload.path)
        return stored

    def get(self, file_id: str) -> StoredFile:
        """Return a file.

        Raises:
            ApiError: 404, no stored file has this id.
        """
        self.expire()
        if not _ID.fullmatch(file_id) or file_id not in self._files:
            message = f"no stored file has the id {file_id[:40]!a}; it may have expired"
            raise ApiError(404, message, "file_not_found", "file_id")
        return self._files[file_id]

    def all(self) -> list[StoredFile]:
        """Return the files, oldest first."""
        self.expire()
        return [*self._files.values()]

    def discard(self, file_id: str) -> None:
        """Delete a file; raises as `get` does."""
        stored = self.get(file_id)
        del self._files[file_id]
        self._paths.discard(stored.upload.path)
        self._delete(stored.upload.path)

    def expire(self) -> None:
        """Delete the files whose time is over."""
        now = self._clock()
        expired = [stored for stored in self._files.values() if stored.expires_s <= now]
        for stored in expired:
            del self._files[stored.file_id]
            self._paths.discard(stored.upload.path)
            self._delete(stored.upload.path)

    def has(self, path: Path) -> bool:
        """Return whether a path is that of a stored file."""
        return path in self._paths


def _counted(stored: StoredFile) -> int:
    return max(stored.upload.size, _LEAST_BYTES)
