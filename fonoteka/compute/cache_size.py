"""Bound the size of the cache: remove the entries whose last use is the longest ago.

A count of all files takes 3 s for a million entries, so a run adds what it wrote to the last count.
All is counted again when that sum passes the limit, and once a day, because two runs that end
together may lose one addition.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka.compute.cache_folder import (
    GIB,
    LIMIT_VARIABLE,
    cache_limit,
    stages_in,
    stored_entries,
)
from fonoteka.core.files import write_json

PARTS, RUNS, SIZE = ".parts", ".runs", ".size.json"
FREED = 0.9  # of the limit remains after a removal, so that not each run removes something
COUNTED_S = 86_400.0
LEFTOVER_S = 3600.0  # a write takes milliseconds; what is older was left by a killed process


@dataclass(frozen=True)
class Pruned:
    """The result of a removal.

    Attributes:
        removed: number of entries.
        removed_bytes: their size on the disk.
        left_bytes: size of what is left.
    """

    removed: int
    removed_bytes: int
    left_bytes: int


def end_of_run(folder: Path, stage: str, counts: Mapping[str, int], used_since: float) -> None:
    """Record the counts of a stage's run, and prune the folder if that is due.

    Args:
        folder: of the cache.
        stage: that ran.
        counts: by name; `written_bytes` is added to the size.
        used_since: entries used later, in seconds since 1970, are not removed.
    """
    if not folder.is_dir():
        return  # nothing was written, ever
    write_json(folder / RUNS / f"{stage}.json", dict(counts))
    remove_leftovers(folder)
    size, limit = _read(folder / SIZE), cache_limit()
    total = size.get("bytes", 0) + counts["written_bytes"]
    if total <= limit and time.time() - size.get("counted", 0.0) < COUNTED_S:
        write_json(folder / SIZE, {**size, "bytes": total})
        return
    pruned = prune(folder, limit, used_since)
    if pruned.removed:
        print(
            f"cache: {pruned.removed} entries, {pruned.removed_bytes / GIB:.2f} GiB, were removed, "
            "those whose last use is the longest ago"
        )
    if pruned.left_bytes > limit:
        print(
            f"cache: this run alone uses {pruned.left_bytes / GIB:.2f} GiB, above the limit of "
            f"{limit / GIB:.2f}; raise {LIMIT_VARIABLE}, or set it to fewer GiB after the run"
        )


def prune(folder: Path, limit: int, used_since: float) -> Pruned:
    """Count all entries; above the limit remove the oldest down to 90 % of it.

    Args:
        folder: of the cache.
        limit: in bytes.
        used_since: entries used later, in seconds since 1970, are not removed.
    """
    entries = [entry for stage in stages_in(folder) for entry in stored_entries(folder, stage)]
    total = sum(entry.disk_bytes for entry in entries)
    removed = removed_bytes = 0
    if total > limit:
        for entry in sorted(entries):
            if total - removed_bytes <= limit * FREED or entry.used >= used_since:
                break
            path = entry.path(folder)
            with suppress(FileNotFoundError):
                if path.stat().st_mtime > entry.used:
                    continue  # another build uses it now
                path.unlink()
            removed, removed_bytes = removed + 1, removed_bytes + entry.disk_bytes
    left = total - removed_bytes
    write_json(folder / SIZE, {"bytes": left, "counted": time.time()})
    return Pruned(removed, removed_bytes, left)


def remove_leftovers(folder: Path) -> int:
    """Remove the files of killed processes and return their number.

    The age decides and not the process, because several machines may share the folder.
    """
    removed, now = 0, time.time()
    with suppress(FileNotFoundError), os.scandir(folder / PARTS) as parts:
        for part in parts:
            with suppress(FileNotFoundError):
                if now - part.stat().st_mtime > LEFTOVER_S:
                    Path(part.path).unlink()
                    removed += 1
    return removed


def last_run(folder: Path, stage: str) -> dict[str, Any]:
    """Return the counts of the last run of a stage; empty if none is recorded."""
    return _read(folder / RUNS / f"{stage}.json")


def _read(path: Path) -> dict[str, Any]:
    """Return the numbers in a JSON file; empty if it is missing or damaged."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    numbers = isinstance(value, dict) and all(
        isinstance(each, int | float) for each in value.values()
    )
    return value if numbers else {}
