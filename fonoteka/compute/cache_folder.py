"""Where the cache of results is, how large it may be, and what is in it.

    .fonoteka/cache/<stage>/<first two digits>/<key>   entries
    .fonoteka/cache/.parts/                            files that are being written
    .fonoteka/cache/.runs/<stage>.json                 counts of the last run of a stage
    .fonoteka/cache/.content.sqlite                    hashes of recordings
    .fonoteka/cache/.size.json                         the size at the last count

Environment variables: FONOTEKA_CACHE is another folder, which several clones may share, or `off`;
FONOTEKA_CACHE_LIMIT is the limit in GiB, 20 by default.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fonoteka.core.errors import UserError

FOLDER = Path(".fonoteka/cache")
CACHE_VARIABLE, LIMIT_VARIABLE = "FONOTEKA_CACHE", "FONOTEKA_CACHE_LIMIT"
OFF = "off"
GIB = 2**30
LIMIT_GIB = 20.0
BLOCK = 4096  # bytes that file systems allocate at a time, so a small entry takes one of them


class StoredEntry(NamedTuple):
    """A file of an entry.

    Attributes:
        used: when it was used, in seconds since 1970, an hour too early at most.
        disk_bytes: its size in whole blocks.
        stage: the stage that it belongs to.
        key: its name.
    """

    used: float
    disk_bytes: int
    stage: str
    key: str

    def path(self, folder: Path) -> Path:
        """Return its path in the folder of the cache."""
        return entry_path(folder / self.stage, self.key)


def cache_folder() -> Path | None:
    """Return the folder of the cache, relative to the project by default; None if it is off."""
    value = os.environ.get(CACHE_VARIABLE, "").strip()
    if value.lower() == OFF:
        return None
    return Path(value).expanduser() if value else FOLDER


def cache_limit() -> int:
    """Return the limit of the size in bytes.

    Raises:
        UserError: the variable is not a number of GiB.
    """
    value = os.environ.get(LIMIT_VARIABLE, "").strip() or str(LIMIT_GIB)
    try:
        limit = float(value)
    except ValueError:
        limit = -1.0
    if not 0 <= limit < float("inf"):
        raise UserError(f"{LIMIT_VARIABLE}={value}: expected a number of GiB, for example 20")
    return int(limit * GIB)


def is_key(text: str) -> bool:
    """Return whether a text is a SHA-256 in hexadecimal, as `entry_key` returns it."""
    return len(text) == 64 and not text.strip("0123456789abcdef")


def entry_path(stage_folder: Path, key: str) -> Path:
    """Return the path of an entry in the folder of its stage."""
    return stage_folder / key[:2] / key


def disk_bytes(size: int) -> int:
    """Return what a file of `size` bytes takes on the disk.

    >>> disk_bytes(1), disk_bytes(4096), disk_bytes(4097)
    (4096, 4096, 8192)
    """
    return -(-size // BLOCK) * BLOCK


def stages_in(folder: Path) -> list[str]:
    """Return the stages that have a folder in the cache, sorted."""
    return sorted(entry.name for entry in _scanned(folder) if _is_visible_folder(entry))


def stored_entries(folder: Path, stage: str) -> Iterator[StoredEntry]:
    """Yield all entries of a stage in any order; those that disappear meanwhile are left out.

    A file with another name than a key is not an entry: the folder may be one with other data.
    """
    for group in _scanned(folder / stage):
        if not _is_visible_folder(group):
            continue
        for entry in _scanned(Path(group.path)):
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if is_key(entry.name) and entry.name.startswith(group.name):
                size = disk_bytes(status.st_size)
                yield StoredEntry(status.st_mtime, size, stage, entry.name)


def _scanned(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_visible_folder(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
