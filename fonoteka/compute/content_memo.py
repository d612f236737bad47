"""Hashes of files that are read again only if they changed.

    with open_memo() as memo:
        digest = memo.content_hash(path)

A file counts as unchanged if its path, size, time of change, inode and time of the inode's change
are. The last one is there for copies that keep the time of the original (`cp -p`, `rsync -t`).
A file that changed less than 2 s ago is not noted: it could change again within one tick of the
clock, which is 4 ms on Linux and 2 s on FAT.

SQLite keeps the hashes, because a million of them would take 0.4 GB as a dictionary. A problem with
its file costs time, never a result: without a note the file is read.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from fonoteka.compute.cache_folder import cache_folder
from fonoteka.core.errors import UserError
from fonoteka.core.files import sha256_file

NAME = ".content.sqlite"
SETTLED_NS = 2_000_000_000
BATCH = 1000  # notes per transaction, so that a writer holds the lock for milliseconds
_TABLE = (
    "CREATE TABLE IF NOT EXISTS content (path TEXT PRIMARY KEY, stamp TEXT NOT NULL, "
    "sha256 TEXT NOT NULL) WITHOUT ROWID"
)


class ContentMemo:
    """The hashes of files in a folder's database; used by one thread of one process."""

    def __init__(self, folder: Path | None) -> None:
        """Open the database below a folder; None for hashes that are not kept."""
        self.hashed = self.unchanged = 0
        self._new: dict[str, tuple[str, str]] = {}
        self._path = folder / NAME if folder else None
        self._database = self._opened()

    def content_hash(self, path: Path) -> str:
        """Return the SHA-256 of a file's bytes in hexadecimal.

        Raises:
            OSError: the file cannot be read.
        """
        name, status = str(path.absolute()), path.stat()
        stamp = _stamp(status)
        if (note := self._find(name)) and note[0] == stamp:
            self.unchanged += 1
            return note[1]
        digest = sha256_file(path)
        self.hashed += 1
        settled = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > SETTLED_NS
        if settled and _stamp(path.stat()) == stamp:
            self._new[name] = (stamp, digest)
            if len(self._new) >= BATCH:
                self._store()
        return digest

    def forget(self, paths: list[Path]) -> int:
        """Remove the notes of files, and return how many there were.

        Raises:
            UserError: another process has locked the database for 5 s.
        """
        self._store()
        if self._path is None:
            return 0
        rows = [(str(path.absolute()),) for path in paths]
        try:
            if self._database is None:
                raise sqlite3.OperationalError("it cannot be opened")
            self._database.execute("PRAGMA secure_delete=ON")
            with self._database as database:
                return database.executemany("DELETE FROM content WHERE path = ?", rows).rowcount
        except sqlite3.Error as error:
            raise UserError(
                f"{self._path}: {error}, so names of recordings are still in it; run this again "
                "when no stage runs, or remove the file"
            ) from error

    def close(self) -> None:
        """Store what is new."""
        self._store()
        if self._database is not None:
            self._database.close()
            self._database = None

    def _find(self, name: str) -> tuple[str, str] | None:
        if name in self._new:
            return self._new[name]
        if self._database is None:
            return None
        try:
            row = self._database.execute(
                "SELECT stamp, sha256 FROM content WHERE path = ?", (name,)
            ).fetchone()
        except sqlite3.Error as error:
            self._give_up(error)
            return None
        return (str(row[0]), str(row[1])) if row else None

    def _store(self) -> None:
        rows = [(name, *values) for name, values in self._new.items()]
        self._new.clear()
        if self._database is None or not rows:
            return
        try:
            with self._database as database:
                database.executemany("INSERT OR REPLACE INTO content VALUES (?, ?, ?)", rows)
        except sqlite3.Error as error:
            self._give_up(error)

    def _opened(self) -> sqlite3.Connection | None:
        """Return the database, made again if it is damaged; None if that fails."""
        if self._path is None:
            return None
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):
            try:
                database = sqlite3.connect(self._path, timeout=5)
                # A power failure may damage the file, which is made again.
                database.execute("PRAGMA synchronous=OFF")
                database.execute(_TABLE)
            except sqlite3.Error as error:
                self._give_up(error)
            else:
                return database
        return None

    def _give_up(self, error: sqlite3.Error) -> None:
        """Go on without the database; remove it if it is damaged, and not if it is only locked."""
        print(f"cache: {self._path}: {error}; recordings are read again", flush=True)
        if getattr(self, "_database", None) is not None:
            with suppress(sqlite3.Error):
                self._database.close()  # type: ignore[union-attr]
        self._database = None
        damaged = not isinstance(error, sqlite3.OperationalError)
        if damaged and self._path is not None:
            for suffix in ("", "-journal"):
                with suppress(OSError):
                    Path(f"{self._path}{suffix}").unlink(missing_ok=True)

    def __enter__(self) -> ContentMemo:
        """Return the memo itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """Store what is new, also after an error."""
        self.close()


def open_memo() -> ContentMemo:
    """Return the memo in the folder that FONOTEKA_CACHE names."""
    return ContentMemo(cache_folder())


def _stamp(status: os.stat_result) -> str:
    parts = (status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)
    return ":".join(map(str, parts))
