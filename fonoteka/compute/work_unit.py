"""What a worker does: some items of a shard, each result from the cache or computed and put there.

A worker writes each result to the cache at once, so that a worker or a driver that is killed costs
the clips that were in work, and the first clip of a unit without an entry is the one in work.
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, NoReturn

from fonoteka.compute.clip_cache import CacheCounts, ClipCache
from fonoteka.compute.clip_task import ClipTask, Item, Result
from fonoteka.core.errors import UserError


@dataclass(frozen=True)
class WorkUnit(Generic[Item]):
    """Items of one shard that one worker works on, one after the other.

    Attributes:
        number: unique in a run.
        shard: name of the shard.
        items: in the order of the shard.
        keys: of their results in the cache.
    """

    number: int
    shard: str
    items: tuple[Item, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Failure:
    """An exception of a worker, as text: not every exception can be pickled.

    Attributes:
        clip: id of the clip in work; empty if the task could not be opened.
        message: of the exception.
        trace: its traceback; empty for a mistake of the user.
    """

    clip: str
    message: str
    trace: str

    @classmethod
    def from_error(cls, error: Exception, clip: str) -> Failure:
        """Return an exception as text."""
        if isinstance(error, (UserError, OSError)):  # as `run_command` tells them apart
            return cls(clip, _sentence(error), "")
        return cls(clip, f"{type(error).__name__}: {error}", traceback.format_exc())


@dataclass(frozen=True)
class UnitOutcome:
    """What a worker returns: the encoded results of all items, or a failure.

    Attributes:
        results: in the order of the items.
        failure: of the first item that has one.
        counts: what the worker wrote into the cache.
    """

    results: tuple[bytes, ...] = ()
    failure: Failure | None = None
    counts: CacheCounts = field(default_factory=CacheCounts)


class ClipFaultError(RuntimeError):
    """A fault of the code in a worker; the message ends with the worker's traceback."""


def raise_failure(shard: str, failure: Failure) -> NoReturn:
    """Raise a worker's failure in the driver, with the shard and the clip."""
    place = f"{shard}: clip {failure.clip!r}: " if failure.clip else ""
    if failure.trace:
        raise ClipFaultError(f"{place}{failure.message}\n\nin the worker:\n{failure.trace}")
    raise UserError(place + failure.message)


class UnitRunner(Generic[Item, Result]):
    """One worker's side of a task, which it opens when the first item has to be computed."""

    def __init__(self, task: ClipTask[Item, Result], folder: Path | None) -> None:
        self.task = task
        self._cache = ClipCache(folder, task.name)
        self._function: Callable[[Item], Result] | None = None

    def run(self, unit: WorkUnit[Item]) -> UnitOutcome:
        """Return the encoded results of a unit, or the failure of its first item that has one."""
        results, failure, clip = [], None, ""
        self._cache.counts = CacheCounts()
        try:
            for item, key in zip(unit.items, unit.keys, strict=True):
                # A lost worker may have got this far with the unit, or another build.
                data = self._cache.get(key)
                if data is None:
                    self._function = self._function or self.task.open()
                    clip = self.task.clip(item)
                    data = self.task.encode(self._function(item))
                    self._cache.put(key, clip, data)
                results.append(data)
        except Exception as error:
            failure = Failure.from_error(error, clip)
        # The driver has counted each miss already.
        written = self._cache.counts
        counts = CacheCounts(written=written.written, written_bytes=written.written_bytes)
        return UnitOutcome(() if failure else tuple(results), failure, counts)


def clip_in_work(task: ClipTask[Item, Result], folder: Path | None, unit: WorkUnit[Item]) -> str:
    """Return the shard and the clip that a lost worker was working on, for a message.

    It is the first clip without an entry; if nothing is stored, any clip of the unit.
    """
    if folder is None and len(unit.items) > 1:
        clips = [task.clip(unit.items[place]) for place in (0, -1)]
        return f"{unit.shard}: one of the clips {clips[0]!r} to {clips[1]!r}"
    cache = ClipCache(folder, task.name)
    pairs = zip(unit.items, unit.keys, strict=True)
    item = next((item for item, key in pairs if cache.get(key) is None), unit.items[-1])
    return f"{unit.shard}: clip {task.clip(item)!r}"


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{text}; free space and start again: results of finished clips are kept"
    return text
