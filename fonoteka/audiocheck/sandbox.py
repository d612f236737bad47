"""Do work on many items in processes that may crash, hang or run out of memory.

A library written in C can take its whole process down, and no try stops that. So items are worked
on in a few long-lived processes that note which item they are at. The item at which one dies or
stays too long is named, and the others go on. `ProcessPoolExecutor` ends when a worker dies.

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

from fonoteka.audiocheck.sandbox_worker import Lost, Worker, limits_memory

Item = TypeVar("Item")
Result = TypeVar("Result")

_CHUNK = 64  # items handed over at once, at most: enough to hide the time that a message takes
_CHUNKS_A_WORKER = 4  # at least, so that one long item doesn't keep the others waiting
_AHEAD = 3  # chunks that a worker has, so that it need not wait for its next one
_FAILED_STARTS = 3


@dataclass(frozen=True)
class Allowance:
    """What a worker may use.

    Attributes:
        item_s: seconds on the clock for one item.
        memory_mib: above what the process holds when it starts; enforced on Linux alone.
    """

    item_s: float
    memory_mib: int


def guarded(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int, allowance: Allowance
) -> Iterator[Result | Lost]:
    """Give `function(item)` for each item, in order, or why there is none.

    An item at which a worker dies gets a second worker before it is given up, for the system may
    have ended the first for another's hunger. One that takes too long gets no second chance.

    Raises:
        Exception: what `function` raised.
        OSError: workers die before they begin.
    """
    if not limits_memory():
        print(
            f"memory: the limit of {allowance.memory_mib} MiB per worker is not enforced, because "
            f"{sys.platform} limits no process's memory",
            file=sys.stderr,
        )
    chunk = max(1, min(_CHUNK, len(items) // (workers * _CHUNKS_A_WORKER)))
    pool = _Pool(function, items, allowance, chunk)
    try:
        yield from pool.run(min(workers, len(items)))
    finally:
        pool.close()


class _Pool(Generic[Item, Result]):
    def __init__(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        allowance: Allowance,
        chunk: int,
    ) -> None:
        self._function, self._items, self._allowance = function, items, allowance
        starts = range(0, len(items), chunk)
        self._todo = deque(range(start, min(start + chunk, len(items))) for start in starts)
        self._done: dict[int, Result | Lost] = {}
        self._workers: list[Worker] = []
        self._died_once: set[int] = set()
        self._failed_starts = 0

    def run(self, count: int) -> Iterator[Result | Lost]:
        """Give the results in order."""
        self._workers = [self._begin() for _ in range(count)]
        given = 0
        while given < len(self._items):
            self._step()
            while given in self._done:
                yield self._done.pop(given)
                given += 1

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.end()

    def _begin(self) -> Worker:
        return Worker(self._function, self._items, self._allowance.memory_mib)

    def _step(self) -> None:
        """Hand out work, wait for any worker, and take what it did or put another in its place."""
        for _ in range(_AHEAD):
            for worker in self._workers:
                if self._todo and len(worker.chunks) < _AHEAD:
                    worker.hand_over(self._todo.popleft())
        pause = min(1.0, self._allowance.item_s / 4)
        ready = wait([worker.connection for worker in self._workers], timeout=pause)
        for index, worker in enumerate(self._workers):
            if worker.connection in ready:
                if not self._take(worker):
                    self._bury(worker)
                    self._workers[index] = self._begin()
            elif worker.overdue(self._allowance.item_s):
                self._give_up(worker)
                self._workers[index] = self._begin()

    def _take(self, worker: Worker) -> bool:
        """Take the results of a chunk; False where the worker is dead."""
        try:
            results = worker.connection.recv()
        except (EOFError, OSError):
            return False
        if isinstance(results, BaseException):
            raise results
        self._failed_starts = 0
        self._done.update(zip(worker.chunks.popleft(), results, strict=True))
        return True

    def _give_up(self, worker: Worker) -> None:
        """End a worker that has been at one item for too long."""
        item = worker.item()
        worker.end()
        if item is not None:
            detail = f"took more than {self._allowance.item_s:g} s to decode"
            self._done[item] = Lost("time", detail)
        self._put_back(worker, item)

    def _bury(self, worker: Worker) -> None:
        """Find out at which item a worker died."""
        item, ended = worker.item(), worker.end()
        if item is None:
            self._failed_starts += 1
            if self._failed_starts == _FAILED_STARTS:
                raise OSError(f"{_FAILED_STARTS} workers ended before they began: {ended}")
        elif item in self._died_once:
            self._done[item] = Lost("crash", f"its decoder crashed twice: {ended}")
        self._put_back(worker, item)
        if item is not None and item not in self._died_once:
            self._died_once.add(item)
            self._todo.append(range(item, item + 1))

    def _put_back(self, worker: Worker, without: int | None) -> None:
        """Let others do what a worker left; what it had done of a chunk is lost with it."""
        for chunk in reversed(worker.chunks):
            at = chunk.stop if without is None or without not in chunk else without
            parts = range(chunk.start, at), range(at + 1, chunk.stop)
            self._todo.extendleft(part for part in reversed(parts) if part)
