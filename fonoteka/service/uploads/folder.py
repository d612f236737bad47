"""The folder of uploads: private, with random names, used by one service at a time."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import stat
import tempfile
import time
from pathlib import Path
from threading import Lock

from filelock import FileLock, Timeout

from fonoteka.core.errors import UserError

_PREFIX = "fonoteka-uploads-"
_NAME = re.compile(r"upload-[A-Za-z0-9_-]{22}")
_LOCK = ".lock"
_YOUNG_S = 60.0  # another service may have made its folder and not locked it yet


class UploadFolder:
    """A folder whose files have random names.

    Attributes:
        path: of the folder; absolute.
    """

    def __init__(self, path: Path | None) -> None:
        """Make the folder, lock it, and delete the files that an earlier run left.

        Only files with names that this class gives are deleted. Without a path, a folder in the
        system's folder of temporary files is made, and those of dead services are deleted.

        Raises:
            UserError: it cannot be made, other users can read it, or another service uses it.
        """
        self._is_ours = path is None
        if path is None:
            _delete_abandoned()
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
        else:
            self.path = _private(path)
        self._lock = FileLock(self.path / _LOCK)
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise UserError(f"{path}: another service uses this folder; name another") from error
        self.clear()

    def new_path(self) -> Path:
        """Return a path of a file that does not exist."""
        return self.path / f"upload-{secrets.token_urlsafe(16)}"

    def files(self) -> list[Path]:
        """Return the files of uploads."""
        if not self.path.is_dir():
            return []
        return [path for path in self.path.iterdir() if _NAME.fullmatch(path.name)]

    def delete(self, path: Path) -> None:
        """Delete a file of this folder, if it exists."""
        assert path.parent == self.path, f"{path} is not in {self.path}"
        path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete all files of uploads."""
        for path in self.files():
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Delete all files of uploads, and the folder if this class made it."""
        self.clear()
        self._lock.release()
        if self._is_ours:
            _delete_folder(self.path)


def _private(path: Path) -> Path:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise UserError(f"{path}: not a folder of uploads: {error.strerror}") from error
    if os.name == "posix" and mode & 0o077:
        # Its mode is not changed: it may be a folder that others use, such as /tmp.
        raise UserError(f"{path}: other users can read it (mode {mode:o}); name a private folder")
    return path.resolve()


def _delete_abandoned() -> None:
    """Delete the folders of services that died, which the system leaves unlocked."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            status = path.lstat()
            is_old = time.time() - status.st_mtime > _YOUNG_S
            if not (is_old and stat.S_ISDIR(status.st_mode) and _is_own(status)):
                continue
            with FileLock(path / _LOCK, timeout=0):
                for file in path.iterdir():
                    if _NAME.fullmatch(file.name):
                        file.unlink()
            _delete_folder(path)
        except (OSError, Timeout):
            continue  # it is in use, or another service deletes it at this moment


def _is_own(status: os.stat_result) -> bool:
    return os.name != "posix" or status.st_uid == os.geteuid()


def _delete_folder(path: Path) -> None:
    """Delete an empty folder; a file that is not ours keeps it."""
    try:
        (path / _LOCK).unlink(missing_ok=True)
        path.rmdir()
    except OSError:
        return


class SpoolFile:
    """A new private file that is written in threads, so that a slow disk delays no live stream.

    Attributes:
        size: bytes that were written.
    """

    def __init__(self, path: Path) -> None:
        """Choose the path; the file is made by the first `write`."""
        self._path, self.size = path, 0
        self._file: int | None = None
        self._discarded = False
        # A cancelled request leaves a thread that still writes. Its descriptor must not be closed
        # meanwhile, because the system could open another file under the same number.
        self._lock = Lock()

    async def write(self, data: bytearray, last: bool = False) -> None:
        """Append bytes, and close the file after the last ones.

        Raises:
            OSError: the disk is full, or the folder is gone.
        """
        await asyncio.to_thread(self._write, data, last)

    def discard(self) -> None:
        """Close and delete the file; a write in a thread ends first."""
        with self._lock:
            self._discarded = True
            self._close()
            self._path.unlink(missing_ok=True)

    def _write(self, data: bytearray, last: bool) -> None:
        with self._lock:
            if self._discarded:
                return
            if self._file is None:
                self._file = _create(self._path)
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            self.size += len(data)
            if last:
                self._close()

    def _close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)


def _create(path: Path) -> int:
    """Return the descriptor of a new file, whose folder is made again if it was removed."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, flags, 0o600)
