"""The executor `processes`: workers on this machine, replaced when one of them is killed.

A pool of `concurrent.futures` ends as a whole when one of its processes is killed, by the kernel
for memory for example. The first time all unfinished units go to a new pool. If that ends too,
each of them runs alone, so that the one that ends its worker is known and not its neighbours.
"""

from __future__ import annotations

import os
import signal
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from fonoteka.compute.clip_task import ClipTask
from fonoteka.compute.executors.interface import AHEAD_PER_WORKER, balanced_items
from fonoteka.compute.work_unit import UnitOutcome, UnitRunner, WorkUnit, clip_in_work
from fonoteka.core.errors import UserError
from fonoteka.core.run_stage import die_with_parent

_worker: UnitRunner[Any, Any] | None = None  # of this process, if it is a worker


def _start(task: ClipTask[Any, Any], cache: Path | None, parent: int) -> None:
    global _worker  # an initializer of a pool has no other place
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's, which ends its workers
    _worker = UnitRunner(task, cache)


def _run(unit: WorkUnit[Any]) -> UnitOutcome:
    assert _worker is not None
    return _worker.run(unit)


class ProcessWorkers:
    """A pool, and the units that it has not finished."""

    def __init__(self, task: ClipTask[Any, Any], cache: Path | None, workers: int) -> None:
        self._task, self._cache, self._workers = task, cache, workers
        self._pool: ProcessPoolExecutor | None = None
        self._units: dict[int, WorkUnit[Any]] = {}
        self._futures: dict[int, Future[UnitOutcome]] = {}
        self._broken_before = False

    @property
    def ahead(self) -> int:
        """Several units per worker."""
        return AHEAD_PER_WORKER * self._workers

    def unit_items(self, shard_items: int, shards: int) -> int:
        """Return a size that balances the workers."""
        return balanced_items(shard_items, shards, self._workers)

    def submit(self, unit: WorkUnit[Any]) -> None:
        """Give the unit to the pool; a broken pool is replaced first."""
        self._units[unit.number] = unit
        try:
            self._give(unit)
        except BrokenProcessPool:
            self._replace_pool()

    def outcome(self, number: int) -> UnitOutcome:
        """Wait for a unit, with as many pools as it takes."""
        while True:
            try:
                outcome = self._futures[number].result()
            except BrokenProcessPool:
                self._replace_pool()
            else:
                del self._futures[number], self._units[number]
                return outcome

    def close(self, *, finished: bool) -> None:
        """End the processes; those of an unfinished run are killed."""
        if self._pool is None:
            return
        if not finished:
            for process in list((self._pool._processes or {}).values()):
                process.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = None

    def _give(self, unit: WorkUnit[Any]) -> None:
        self._pool = self._pool or self._new_pool(self._workers)
        self._futures[unit.number] = self._pool.submit(_run, unit)

    def _new_pool(self, workers: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            workers, initializer=_start, initargs=(self._task, self._cache, os.getpid())
        )

    def _replace_pool(self) -> None:
        self.close(finished=False)
        lost = [unit for number, unit in self._units.items() if not self._is_done(number)]
        if self._broken_before:
            for unit in lost:
                self._run_alone(unit)
            self._broken_before = False
            return
        self._broken_before = True
        try:
            for unit in lost:
                self._give(unit)
        except BrokenProcessPool:  # while the units were given to it
            self._replace_pool()

    def _is_done(self, number: int) -> bool:
        future = self._futures.get(number)
        return bool(future and future.done() and not future.cancelled() and not future.exception())

    def _run_alone(self, unit: WorkUnit[Any]) -> None:
        future: Future[UnitOutcome] = Future()
        with self._new_pool(1) as pool:
            try:
                future.set_result(pool.submit(_run, unit).result())
            except BrokenProcessPool as error:
                place = clip_in_work(self._task, self._cache, unit)
                raise UserError(
                    f"{place}: the process that worked on it was killed, each "
                    "of three times; look at the clip, and at the memory of the machine"
                ) from error
        self._futures[unit.number] = future
