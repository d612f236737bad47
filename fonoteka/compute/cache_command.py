"""Show what the cache of results contains, and remove entries.

    python -m fonoteka cache status
    python -m fonoteka cache prune
    python -m fonoteka cache clear [--stage NAME]

Reads   the folder of the cache: .fonoteka/cache, or the one that FONOTEKA_CACHE names
Writes  removes files in it
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from fonoteka.compute import cache_size
from fonoteka.compute.cache_folder import (
    CACHE_VARIABLE,
    GIB,
    OFF,
    cache_folder,
    cache_limit,
    stages_in,
    stored_entries,
)
from fonoteka.compute.content_memo import NAME
from fonoteka.core.errors import UserError
from fonoteka.git import entered


def status() -> None:
    """Print the folder, its limit, and per stage the entries, their size and the last run."""
    with entered():
        folder, limit = used_folder(), cache_limit()
        rows = [
            (stage, entries, size, last)
            for stage, (entries, size) in _counts(folder).items()
            if (last := _last(cache_size.last_run(folder, stage))) or entries
        ]
        total = sum(size for _, _, size, _ in rows)
        print(f"folder  {folder}")
        print(f"limit   {limit / GIB:.1f} GiB, {total / GIB:.2f} GiB are used")
        if not rows:
            print("no stage has stored a result; a run of `dvc repro` does")
            return
        width = max(len("stage"), *(len(stage) for stage, *_ in rows))
        print(f"{'stage':<{width}} {'entries':>9} {'MiB':>9}  last run")
        for stage, entries, size, last in rows:
            print(f"{stage:<{width}} {entries:>9} {size / 2**20:>9.1f}  {last}".rstrip())


def prune() -> None:
    """Remove the entries above the limit, and what killed processes left."""
    with entered():
        folder = used_folder()
        left = cache_size.remove_leftovers(folder)
        # A build that runs now has used its entries within the last hour, as the times show it.
        pruned = cache_size.prune(folder, cache_limit(), time.time() - cache_size.LEFTOVER_S)
        print(
            f"removed {pruned.removed} entries, {pruned.removed_bytes / GIB:.2f} GiB, and {left} "
            f"unfinished files; {pruned.left_bytes / GIB:.2f} GiB are left"
        )


def clear(stage: str | None) -> None:
    """Remove all entries, or those of a stage; without one also the hashes of recordings.

    Raises:
        UserError: the stage has no entries.
    """
    with entered():
        folder = used_folder()
        counts = _counts(folder)
        if stage is not None and stage not in counts:
            raise UserError(f"{folder} has no entries of stage {stage!r}, only of {list(counts)}")
        for name in [stage] if stage is not None else list(counts):
            _clear_stage(folder, name)
        (folder / cache_size.SIZE).unlink(missing_ok=True)  # the next run counts again
        if stage is None:
            cache_size.remove_leftovers(folder)
            (folder / NAME).unlink(missing_ok=True)
        chosen = [counts[stage]] if stage is not None else counts.values()
        removed, size = (sum(each) for each in zip(*chosen, strict=True)) if chosen else (0, 0)
        print(f"removed {removed} entries, {size / 2**20:.1f} MiB, from {folder}")


def used_folder() -> Path:
    """Return the folder of the cache.

    Raises:
        UserError: the cache is off.
    """
    folder = cache_folder()
    if folder is None:
        raise UserError(f"the cache is off, because {CACHE_VARIABLE} is {OFF!r}; unset it")
    return folder


def _counts(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the number and the size of the entries of each stage that has some."""
    counts = {}
    for stage in stages_in(folder):
        sizes = [entry.disk_bytes for entry in stored_entries(folder, stage)]
        if sizes:
            counts[stage] = (len(sizes), sum(sizes))
    return counts


def _clear_stage(folder: Path, stage: str) -> None:
    """Remove the entries of a stage, and its folders if they are empty then.

    Not the folder as a whole: FONOTEKA_CACHE may name a folder with other data.
    """
    for entry in stored_entries(folder, stage):
        entry.path(folder).unlink(missing_ok=True)
    for group in [*(folder / stage).glob("??"), folder / stage]:
        with suppress(OSError):  # not empty: a running stage writes into it
            group.rmdir()
    (folder / cache_size.RUNS / f"{stage}.json").unlink(missing_ok=True)


def _last(counts: dict[str, Any]) -> str:
    if not counts:
        return ""
    hits, misses = counts.get("hits", 0), counts.get("misses", 0)
    damaged = f", {counts['damaged']} damaged" if counts.get("damaged") else ""
    return f"{hits} of {hits + misses} were here{damaged}"
