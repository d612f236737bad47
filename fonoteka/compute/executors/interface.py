"""What the driver expects of an executor."""

from __future__ import annotations

import math
from typing import Any, Protocol

from fonoteka.compute.work_unit import UnitOutcome, WorkUnit

UNIT_ITEMS = 64
"""Items of a unit at most. Results of a unit are in memory at once: 64 clips of 3 s are 8 MB of
embeddings, so that the 8 units ahead of two workers have 60 MB, whatever the size of a corpus."""

UNITS_PER_WORKER = 16
"""Units of the whole plan per worker at least: the last one is then 3 % of two workers' time."""

AHEAD_PER_WORKER = 4
"""Units per worker that are looked up, submitted or done before the first of them is used."""


class ShardWorkers(Protocol):
    """Workers that are started by the first unit; outcomes are asked for in any order."""

    @property
    def ahead(self) -> int:
        """Units that may be submitted before the first outcome is asked for."""

    def unit_items(self, shard_items: int, shards: int) -> int:
        """Return the items of a unit, for a shard of a plan with so many shards."""

    def submit(self, unit: WorkUnit[Any]) -> None:
        """Give a unit to the workers."""

    def outcome(self, number: int) -> UnitOutcome:
        """Wait for the outcome of a unit and forget it.

        Raises:
            UserError: the workers are lost, or two of them were with the same unit.
        """

    def close(self, *, finished: bool) -> None:
        """End the workers, at once if the run has not finished."""


def balanced_items(shard_items: int, shards: int, workers: int) -> int:
    """Return the items of a unit so that all workers end at about the same time.

    >>> balanced_items(600, 16, workers=2), balanced_items(600, 1, workers=2)
    (64, 19)
    >>> balanced_items(3, 1, workers=4)
    1
    """
    pieces = math.ceil(UNITS_PER_WORKER * workers / max(shards, 1))
    return max(1, min(UNIT_ITEMS, math.ceil(shard_items / pieces)))
