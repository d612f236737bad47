"""Process many items in workers that may crash, hang or run out of memory.

A library written in C can end its whole process, which no `try` prevents. So a few long-lived
processes work on the items and record the index of the current one. If a worker dies or exceeds its
time, its item becomes a `WorkerFailure`, and the other items continue. `ProcessPoolExecutor` would
end.

This is hand-written because `pebble` names the guilty item only if it hands over one item at a
time: 2,000 items of 1.1 ms then took 42 % more CPU time than here, in chunks of 64.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Generic, TypeVar

from fonoteka.audiocheck.process_limits import limits_memory
from fonoteka.audiocheck.sandbox_worker import Worker, WorkerFailure

Item = TypeVar("Item")
Result = TypeVar("Result")

_CHUNK = 64  # most items per message: enough to hide the time of a message
_CHUNKS_A_WORKER = 4  # fewest chunks per worker, so that one long item does not delay the others
_AHEAD = 3  # chunks in a worker's queue, so that it does not wait for its next one
_FAILED_STARTS = 3


@dataclass(frozen=True)
class WorkerLimits:
    """The limits of a worker.

    Attributes:
        item_s: seconds of wall time per item.
        memory_mib: memory in addition to what the process has at its start; enforced only on Linux.
    """

    item_s: float
    memory_mib: int


def guarded(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int, limits: WorkerLimits
) -> Iterator[Result | WorkerFailure]:
    """Yield `function(item)` for each item, in order, or a `WorkerFailure`.

    An item whose worker dies is tried once more, because the system may have ended the worker to
    free memory for another process. An item that takes too long is not repeated.

    Raises:
        Exception: an exception of `function`.
        OSError: workers die before they begin.
    """
    if not limits_memory():
        print(
            f"memory: the limit of {limits.memory_mib} MiB per worker is not enforced, because "
            f"{sys.platform} limits no process's memory",
            file=sys.stderr,
        )
    chunk = max(1, min(_CHUNK, len(items) // (workers * _CHUNKS_A_WORKER)))
    pool = _Pool(function, items, limits, chunk)
    try:
        yield from pool.run(min(workers, len(items)))
    finally:
        pool.close()


class _Pool(Generic[Item, Result]):
    def __init__(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        limits: WorkerLimits,
        chunk: int,
    ) -> None:
        self._function, self._items, self._limits = function, items, limits
        starts = range(0, len(items), chunk)
        self._todo = deque(range(start, min(start + chunk, len(items))) for start in starts)
        self._done: dict[int, Result | WorkerFailure] = {}
        self._workers: list[Worker] = []
        self._died_once: set[int] = set()
        self._failed_starts = 0

    def run(self, count: int) -> Iterator[Result | WorkerFailure]:
        """Yield the results in order."""
        self._workers = [self._begin() for _ in range(count)]
        next_item = 0
        while next_item < len(self._items):
            self._step()
            while next_item in self._done:
                yield self._done.pop(next_item)
                next_item += 1

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.end()

    def _begin(self) -> Worker:
        return Worker(self._function, self._items, self._limits.memory_mib)

    def _step(self) -> None:
        """Hand out work, wait for any worker, and receive its results or replace it."""
        for _ in range(_AHEAD):
            for worker in self._workers:
                if self._todo and len(worker.chunks) < _AHEAD:
                    worker.hand_over(self._todo.popleft())
        pause = min(1.0, self._limits.item_s / 4)
        ready = wait([worker.connection for worker in self._workers], timeout=pause)
        for index, worker in enumerate(self._workers):
            if worker.connection in ready:
                if not self._receive(worker):
                    self._replace_dead(worker)
                    self._workers[index] = self._begin()
            elif worker.overdue(self._limits.item_s):
                self._stop_overdue(worker)
                self._workers[index] = self._begin()

    def _receive(self, worker: Worker) -> bool:
        """Receive the results of a chunk; return False if the worker is dead."""
        try:
            results = worker.connection.recv()
        except (EOFError, OSError):
            return False
        if isinstance(results, BaseException):
            raise results
        self._failed_starts = 0
        self._done.update(zip(worker.chunks.popleft(), results, strict=True))
        return True

    def _stop_overdue(self, worker: Worker) -> None:
        """End a worker that has exceeded the time for one item."""
        item = worker.item()
        worker.end()
        if item is not None:
            detail = f"took more than {self._limits.item_s:g} s to decode"
            self._done[item] = WorkerFailure("time", detail)
        self._put_back(worker, item)

    def _replace_dead(self, worker: Worker) -> None:
        """Determine the item at which a worker died, and repeat it once."""
        item, ended = worker.item(), worker.end()
        if item is None:
            self._failed_starts += 1
            if self._failed_starts == _FAILED_STARTS:
                raise OSError(f"{_FAILED_STARTS} workers ended before they began: {ended}")
        elif item in self._died_once:
            self._done[item] = WorkerFailure("crash", f"its decoder crashed twice: {ended}")
        self._put_back(worker, item)
        if item is not None and item not in self._died_once:
            self._died_once.add(item)
            self._todo.append(range(item, item + 1))

    def _put_back(self, worker: Worker, without: int | None) -> None:
        """Return a worker's chunks to the queue; results of an unfinished chunk are lost."""
        for chunk in reversed(worker.chunks):
            split = chunk.stop if without is None or without not in chunk else without
            parts = range(chunk.start, split), range(split + 1, chunk.stop)
            self._todo.extendleft(part for part in reversed(parts) if part)
