"""The executor `serial`: the driver does the work itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fonoteka.compute.clip_task import ClipTask
from fonoteka.compute.executors.interface import UNIT_ITEMS
from fonoteka.compute.work_unit import UnitOutcome, UnitRunner, WorkUnit


class SerialWorkers:
    """A unit is done when its outcome is asked for."""

    ahead = 1

    def __init__(self, task: ClipTask[Any, Any], cache: Path | None) -> None:
        self._runner = UnitRunner(task, cache)
        self._units: dict[int, WorkUnit[Any]] = {}

    def unit_items(self, shard_items: int, shards: int) -> int:  # noqa: ARG002  as in ShardWorkers
        """Return the same for each shard: nothing is balanced."""
        return UNIT_ITEMS

    def submit(self, unit: WorkUnit[Any]) -> None:
        """Keep the unit."""
        self._units[unit.number] = unit

    def outcome(self, number: int) -> UnitOutcome:
        """Do the unit."""
        return self._runner.run(self._units.pop(number))

    def close(self, *, finished: bool) -> None:  # noqa: ARG002  as in ShardWorkers
        """Forget what is not done."""
        self._units.clear()
