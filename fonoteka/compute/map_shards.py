"""Apply a task to all clips of a plan, on the executor that params.yaml names.

The driver reads the plan in its order, looks results up in the cache and gives the others to
workers, some units ahead of the one that it yields. In whatever order units end, results and the
error that is raised are those of the plan's order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from fonoteka.compute.clip_cache import ClipCache, entry_key, open_cache
from fonoteka.compute.clip_task import ClipTask, Item, Result, Shard
from fonoteka.compute.execution import ExecutionParams, load_execution
from fonoteka.compute.executors.interface import ShardWorkers
from fonoteka.compute.work_unit import WorkUnit, raise_failure

HELD_BYTES = 2**26
"""Bytes of results from the cache that wait for their turn; others are read again then."""


def map_shards(
    task: ClipTask[Item, Result], plan: Sequence[Shard[Item]]
) -> Iterator[tuple[Shard[Item], list[Result]]]:
    """Yield each shard with the results of its items, in the order of the plan.

    Results that the cache has are not computed again. At most one shard is in memory whole,
    besides a number of units that does not depend on the plan.

    Raises:
        UserError: a clip has a mistake of the user, or ends its workers; the executor is unknown
            or lost. Results of other clips are in the cache, and the next run continues.
        ClipFaultError: a fault of the code, with the shard, the clip and the traceback.
    """
    with open_cache(task.name) as cache:
        workers, finished = open_workers(load_execution(), task, cache.top), False
        try:
            driver = _Driver(task, plan, workers, cache)
            for shard in plan:
                results: list[Result] = []
                while len(results) < len(shard.items):
                    results += map(task.decode, driver.next_piece())
                yield shard, results
            finished = True
        finally:
            workers.close(finished=finished)


def open_workers(
    execution: ExecutionParams, task: ClipTask[Item, Result], cache: Path | None
) -> ShardWorkers:
    """Return the workers of an executor; the packages of the others are not imported."""
    if execution.executor == "processes":
        from fonoteka.compute.executors.processes import ProcessWorkers

        return ProcessWorkers(task, cache, execution.processes)
    if execution.executor == "dask":
        from fonoteka.compute.executors.dask_cluster import DaskWorkers

        return DaskWorkers(task, cache, execution.processes, execution.scheduler)
    if execution.executor == "slurm":
        from fonoteka.compute.executors.slurm_array import SlurmWorkers

        return SlurmWorkers(task, cache, execution.slurm)
    from fonoteka.compute.executors.serial import SerialWorkers

    return SerialWorkers(task, cache)


@dataclass
class _Piece(Generic[Item]):
    """Some items of a shard on their way.

    Attributes:
        keys: of all items.
        cached: results from the cache by position, those within `HELD_BYTES`.
        unit: the items that the cache lacks, or None.
        missing: their positions.
    """

    shard: str
    items: tuple[Item, ...]
    keys: list[str]
    cached: dict[int, bytes]
    unit: WorkUnit[Item] | None
    missing: list[int]


class _Driver(Generic[Item, Result]):
    """The pieces between the place in the plan that is looked up and the one that is yielded."""

    def __init__(
        self,
        task: ClipTask[Item, Result],
        plan: Sequence[Shard[Item]],
        workers: ShardWorkers,
        cache: ClipCache,
    ) -> None:
        self._task, self._workers, self._cache = task, workers, cache
        self._cuts = self._cut(plan)
        self._queue: deque[_Piece[Item]] = deque()
        self._held, self._units = 0, 0

    def next_piece(self) -> list[bytes]:
        """Return the encoded results of the next items of the plan."""
        while len(self._queue) < self._workers.ahead:
            cut = next(self._cuts, None)
            if cut is None:
                break
            self._queue.append(self._look_up(*cut))
        piece = self._queue.popleft()
        self._held -= sum(map(len, piece.cached.values()))
        results: dict[int, bytes | None] = {**piece.cached}
        if piece.unit:
            results |= zip(piece.missing, self._outcome(piece.unit), strict=True)
        for place in range(len(piece.items)):
            if place not in results:  # it was there, but too large to be held
                results[place] = self._cache.get(piece.keys[place])
        dropped = [place for place in range(len(piece.items)) if results[place] is None]
        if dropped:  # from the cache in the meantime
            results |= zip(dropped, self._outcome(self._submit(piece, dropped)), strict=True)
        return [data for place in range(len(piece.items)) if (data := results[place]) is not None]

    def _cut(self, plan: Sequence[Shard[Item]]) -> Iterator[tuple[str, tuple[Item, ...]]]:
        for shard in plan:
            size = self._workers.unit_items(len(shard.items), len(plan))
            for start in range(0, len(shard.items), size):
                yield shard.name, shard.items[start : start + size]

    def _look_up(self, shard: str, items: tuple[Item, ...]) -> _Piece[Item]:
        task = self._task
        keys = [entry_key(task.fingerprint, task.clip(i), task.content(i)) for i in items]
        piece = _Piece(shard, items, keys, {}, None, [])
        for place, key in enumerate(keys):
            data = self._cache.get(key)
            if data is None:
                piece.missing.append(place)
            elif self._held + len(data) <= HELD_BYTES:
                piece.cached[place] = data
                self._held += len(data)
        if piece.missing:
            piece.unit = self._submit(piece, piece.missing)
        return piece

    def _submit(self, piece: _Piece[Item], places: list[int]) -> WorkUnit[Item]:
        items = tuple(piece.items[place] for place in places)
        keys = tuple(piece.keys[place] for place in places)
        unit = WorkUnit(self._units, piece.shard, items, keys)
        self._units += 1
        self._workers.submit(unit)
        return unit

    def _outcome(self, unit: WorkUnit[Item]) -> tuple[bytes, ...]:
        outcome = self._workers.outcome(unit.number)
        self._cache.counts.add(outcome.counts)
        if outcome.failure:
            raise_failure(unit.shard, outcome.failure)
        return outcome.results
