"""Results per clip from earlier runs, by a hash of all that they depend on.

    with open_cache("embed") as cache:
        data = cache.get(key)

The folder is not an output of DVC: outputs are still written whole, and a run without the cache
gives the same bytes. Any problem of the cache costs a computation and one printed sentence, never
the run.

Each entry is a file that is written beside its place and renamed, so that processes and clones can
share a folder. No write is flushed: after a power failure the hash finds what is not whole.
`diskcache` is not used: its last release is of 2023, it unpickles what it reads, and it writes to
its database at each use.
"""

from __future__ import annotations

import errno
import os
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass, fields
from itertools import count
from pathlib import Path
from types import TracebackType

from fonoteka.compute.cache_entry import DamagedEntryError, pack, unpack
from fonoteka.compute.cache_folder import (
    FOLDER,
    cache_folder,
    cache_limit,
    disk_bytes,
    entry_path,
    is_key,
)
from fonoteka.compute.cache_size import PARTS, end_of_run
from fonoteka.core.files import sha256_json

__all__ = ["FOLDER", "CacheCounts", "ClipCache", "entry_key", "open_cache"]
TOUCHED_S = 3600.0  # the time of use is exact to an hour: 10,000 updates take 0.05 s, each once
FULL = {errno.ENOSPC, errno.EDQUOT}


def entry_key(fingerprint: str, clip: str, content: str) -> str:
    """Return the key of one clip's result."""
    return sha256_json([fingerprint, clip, content])


@dataclass
class CacheCounts:
    """What a run did with the entries of a stage.

    Attributes:
        hits: results that were read.
        misses: results that were not there.
        damaged: entries that were removed, because a byte differed.
        written: entries.
        written_bytes: their size on the disk.
    """

    hits: int = 0
    misses: int = 0
    damaged: int = 0
    written: int = 0
    written_bytes: int = 0

    def add(self, other: CacheCounts) -> None:
        """Add the counts of another process."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


class ClipCache:
    """The entries of one stage below a folder; as a context manager it ends the run on exit.

    Several processes and threads may use one folder. An object is used by one process; a fork of
    it may use it too, and its counts are then its own.
    """

    def __init__(self, folder: Path | None, stage: str) -> None:
        """Open the entries of a stage; nothing is read or written yet.

        Args:
            folder: of all stages; None for a cache that stores nothing.
            stage: a name without slashes, such as `embed@wavlm`.

        Raises:
            ValueError: the name is not one of a visible folder.
        """
        if not stage or stage.startswith(".") or "/" in stage or "\\" in stage:
            raise ValueError(f"stage {stage!r}: expected the name of a folder")
        self.top, self.stage = folder, stage
        self.folder = (folder or FOLDER) / stage
        self.counts = CacheCounts()
        self.started = time.time()
        self._reads = self._writes = folder is not None
        self._numbers, self._token = count(), secrets.token_hex(6)

    def get(self, key: str) -> bytes | None:
        """Return the bytes of an entry, or None if it does not exist or is damaged."""
        raw = self._read(key) if self._reads else None
        if raw is not None:
            try:
                data = unpack(key, raw)[1]
            except DamagedEntryError:
                self._remove_damaged(key)
            else:
                self.counts.hits += 1
                return data
        self.counts.misses += 1
        return None

    def _read(self, key: str) -> bytes | None:
        """Return the bytes of a file and note its use."""
        path = f"{self.folder}/{key[:2]}/{key}"
        try:
            file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except FileNotFoundError:
            return None
        except OSError as error:
            self._stop_reading(error)
            return None
        try:
            status = os.fstat(file)
            raw = os.read(file, status.st_size)
        except OSError as error:
            self._stop_reading(error)
            return None
        finally:
            os.close(file)
        if self.started - status.st_mtime > TOUCHED_S:
            with suppress(OSError):  # a read-only folder is used all the same
                os.utime(path)
        return raw

    def put(self, key: str, clip: str, data: bytes) -> None:
        """Write an entry; `clip` is the id by which an erasure finds it.

        Raises:
            ValueError: the key is not one of `entry_key`.
        """
        if not is_key(key):
            raise ValueError(f"key {key!r}: expected a SHA-256 in hexadecimal")
        if not self._writes or self.top is None:
            return
        raw = pack(key, clip, data)
        part = f"{self.top}/{PARTS}/{self._token}-{os.getpid()}-{next(self._numbers)}"
        try:
            _write(part, raw)
            _rename(part, f"{self.folder}/{key[:2]}/{key}")
        except OSError as error:
            with suppress(OSError):
                Path(part).unlink(missing_ok=True)
            self._stop_writing(error)
        else:
            self.counts.written += 1
            self.counts.written_bytes += disk_bytes(len(raw))

    def end(self) -> None:
        """Record the counts of the run, and remove old entries if the folder is over its limit."""
        if self.top is not None and self._writes:
            if self.counts.damaged > 1:
                print(f"cache: {self.counts.damaged} damaged entries of {self.stage} were removed")
            # What the run used is not removed; its times of use are exact to an hour.
            used_since = self.started - TOUCHED_S
            try:
                end_of_run(self.top, self.stage, vars(self.counts), used_since)
            except OSError as error:
                self._stop_writing(error)

    def _remove_damaged(self, key: str) -> None:
        path = entry_path(self.folder, key)
        if not self.counts.damaged:
            print(f"cache: {path} is damaged; it is removed and computed again", flush=True)
        self.counts.damaged += 1
        with suppress(OSError):
            path.unlink(missing_ok=True)

    def _stop_reading(self, error: OSError) -> None:
        print(f"cache: {_reason(error)}; all results of {self.stage} are computed", flush=True)
        self._reads = self._writes = False

    def _stop_writing(self, error: OSError) -> None:
        advice = "the disk is full: " if error.errno in FULL else ""
        text = f"cache: {advice}{_reason(error)}; new results of {self.stage} are not kept"
        print(text, flush=True)
        self._writes = False

    def __enter__(self) -> ClipCache:
        """Return the cache itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """End the run, also after an error: what is done is kept."""
        self.end()


def open_cache(stage: str) -> ClipCache:
    """Return the cache of a stage in the folder that FONOTEKA_CACHE names.

    Raises:
        UserError: FONOTEKA_CACHE_LIMIT is not a number, which would fail at the end of the run.
    """
    cache_limit()
    return ClipCache(cache_folder(), stage)


# Strings and not `Path` below and in `_read`: an entry of 1 KB is written in 60 us instead of 100.


def _write(path: str, raw: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        file = os.open(path, flags, 0o666)
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, flags, 0o666)
    try:
        rest = memoryview(raw)
        while rest:
            rest = rest[os.write(file, rest) :]
    finally:
        os.close(file)


def _rename(part: str, path: str) -> None:
    try:
        os.replace(part, path)  # noqa: PTH105
    except FileNotFoundError:  # the first entry of its group
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        os.replace(part, path)  # noqa: PTH105


def _reason(error: OSError) -> str:
    return f"{error.filename or 'the folder'}: {(error.strerror or str(error)).lower()}"
