"""What a worker does: some items of a shard, each result from the cache or computed and put there.

A worker writes each result to the cache at once, so that a worker or a driver that is killed costs
the clips that were in work, and the first clip of a unit without an entry is the one in work.
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NoReturn

from fonoteka.compute.clip_cache import ClipCache
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
    def of(cls, error: Exception, clip: str) -> Failure:
        """Return an exception as text."""
        if isinstance(error, (UserError, OSError)):  # as `run_command` tells them apart
            return cls(clip, _sentence(error), "")
        return cls(clip, f"{type(error).__name__}: {error}", traceback.format_exc())


@dataclass(frozen=True)
class UnitOutcome:
    """What a worker returns: the encoded results of all items, or a failure."""

    results: tuple[bytes, ...] = ()
    failure: Failure | None = None


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

    def __init__(self, task: ClipTask[Item, Result], folder: Path) -> None:
        self.task = task
        self._cache = ClipCache(folder, task.name)
        self._function: Callable[[Item], Result] | None = None

    def run(self, unit: WorkUnit[Item]) -> UnitOutcome:
        """Return the encoded results of a unit, or the failure of its first item that has one."""
        results, clip = [], ""
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
            return UnitOutcome(failure=Failure.of(error, clip))
        return UnitOutcome(tuple(results))


def clip_in_work(task: ClipTask[Item, Result], folder: Path, unit: WorkUnit[Item]) -> str:
    """Return the clip that a lost worker was working on: the first without an entry."""
    cache = ClipCache(folder, task.name)
    for item, key in zip(unit.items, unit.keys, strict=True):
        if cache.get(key) is None:
            return task.clip(item)
    return task.clip(unit.items[-1])


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{text}; free space and start again: results of finished clips are kept"
    return text
