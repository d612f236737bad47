"""The executor `slurm`: units are elements of an array job, and files carry them.

The driver writes a spool folder on the shared file system and calls sbatch for up to 4,096 units.
An element of the array works on some of them, so that it loads the model once. Submitit
submits arrays too, but it needs accounting (sacct) to see lost jobs, which many clusters lack, it
runs one call per element, and its local executor starts all elements at a time.

    .fonoteka/slurm/<task>-<host>-<process>/task, 7.unit, 7.outcome, array-0.sh, 1234_7.log
"""

from __future__ import annotations

import os
import pickle
import shlex
import shutil
import socket
import sys
import time
from pathlib import Path
from typing import Any

from fonoteka.compute.clip_task import ClipTask
from fonoteka.compute.execution import SlurmParams
from fonoteka.compute.executors.slurm_commands import alive, cancel, submit_array
from fonoteka.compute.packed_task import pack, pack_unit
from fonoteka.compute.work_unit import UnitOutcome, WorkUnit, clip_in_work
from fonoteka.core.errors import UserError

SPOOLS = Path(".fonoteka/slurm")
ARRAY_UNITS = 4096
"""Units of an array; the driver keeps their items in memory, and no results."""

ELEMENTS_PER_SLOT = 4
"""Elements per element that may run at a time: the last one is then an eighth of the time."""

MAX_ELEMENTS = 1000
"""Elements of an array: Slurm's default MaxArraySize is 1001."""

ATTEMPTS = 3
"""Elements that are lost with a unit before it is given up."""

LOOKS_WITHOUT = 2
"""Looks that an ended element may lack its outcome: a shared file system shows files late."""


class SlurmWorkers:
    """A spool, the arrays that were submitted and the units that they have not finished."""

    def __init__(self, task: ClipTask[Any, Any], cache: Path | None, slurm: SlurmParams) -> None:
        self._task, self._cache, self._slurm = task, cache, slurm
        self._spool = SPOOLS / f"{task.name}-{socket.gethostname()}-{os.getpid()}"
        self._units: dict[int, WorkUnit[Any]] = {}
        self._waiting: list[int] = []
        self._jobs: dict[str, list[list[int]]] = {}  # the units of each element of each array
        self._losses: dict[int, int] = {}
        self._unseen: dict[int, int] = {}  # looks at which an ended element had no outcome
        self._started = False

    @property
    def ahead(self) -> int:
        """An array's units; no more until half of them are done, so that arrays are not small."""
        return ARRAY_UNITS if len(self._units) <= ARRAY_UNITS // 2 else len(self._units)

    def unit_items(self, shard_items: int, shards: int) -> int:
        """Return a whole shard, or a part if shards are fewer than elements that may run."""
        pieces = -(-self._slurm.array_limit // max(shards, 1))
        return max(1, -(-shard_items // pieces))

    def submit(self, unit: WorkUnit[Any]) -> None:
        """Write the unit; it is submitted with others when an outcome is asked for."""
        if not self._started:
            self._start()
        (self._spool / f"{unit.number}.unit").write_bytes(pack_unit(unit))
        self._units[unit.number] = unit
        self._waiting.append(unit.number)

    def outcome(self, number: int) -> UnitOutcome:
        """Wait for a unit's file; submit lost units again."""
        path = self._spool / f"{number}.outcome"
        while True:
            self._submit_waiting()
            if path.exists():
                break
            time.sleep(self._slurm.poll_s)
            self._find_lost()
        outcome: UnitOutcome = pickle.loads(path.read_bytes())  # noqa: S301  our worker's
        path.unlink()
        path.with_suffix(".unit").unlink()
        del self._units[number]
        return outcome

    def close(self, *, finished: bool) -> None:
        """Remove the spool; after an error cancel the arrays, and keep it with their logs."""
        if finished:
            shutil.rmtree(self._spool, ignore_errors=True)
        else:
            cancel(self._jobs)

    def _start(self) -> None:
        """Make the spool; end what a killed driver of this task has left on this host."""
        prefix = self._spool.name.rpartition("-")[0] + "-"
        for other in SPOOLS.glob(f"{prefix}*"):
            process = other.name.removeprefix(prefix)
            if process.isdecimal() and (other == self._spool or not _is_running(int(process))):
                cancel(file.read_text(encoding="utf-8") for file in other.glob("*.job"))
                shutil.rmtree(other)
        self._spool.mkdir(parents=True)
        (self._spool / "task").write_bytes(pickle.dumps(pack(self._task, self._cache)))
        self._started = True

    def _submit_waiting(self) -> None:
        if not self._waiting:
            return
        elements = _divide(self._waiting, self._slurm.array_limit)
        name = f"array-{len(self._jobs)}"
        script = self._spool / f"{name}.sh"
        worker = [sys.executable, "-m", "fonoteka.compute.worker", str(self._spool)]
        lists = " ".join(f'"{" ".join(map(str, numbers))}"' for numbers in elements)
        script.write_text(
            f"#!/bin/sh\nset -- {lists}\n"
            f'shift "$SLURM_ARRAY_TASK_ID"\nexec {shlex.join(worker)} $1\n',
            encoding="utf-8",
        )
        job = submit_array(script, self._task.name, len(elements), self._slurm)
        (self._spool / f"{name}.job").write_text(job, encoding="utf-8")
        self._jobs[job] = elements
        self._waiting.clear()

    def _find_lost(self) -> None:
        """Submit units again whose element has ended without an outcome."""
        running = {n for job, element in alive(self._jobs) for n in self._jobs[job][element]}
        done = {int(path.stem) for path in self._spool.glob("*.outcome")}
        for number in sorted(self._units.keys() - running - done - {*self._waiting}):
            self._unseen[number] = self._unseen.get(number, 0) + 1
            if self._unseen[number] >= LOOKS_WITHOUT:
                self._again(number)

    def _again(self, number: int) -> None:
        self._unseen[number] = 0
        self._losses[number] = self._losses.get(number, 0) + 1
        if self._losses[number] >= ATTEMPTS:
            unit = self._units[number]
            place = clip_in_work(self._task, self._cache, unit)
            raise UserError(
                f"{place}: {ATTEMPTS} jobs of Slurm ended while they worked "
                f"on it; see the logs in {self._spool}"
            )
        self._waiting.append(number)


def _divide(numbers: list[int], slots: int) -> list[list[int]]:
    """Return the units of each element.

    >>> _divide([1, 2, 3], slots=2), _divide([*range(10)], slots=1)
    ([[1], [2], [3]], [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]])
    """
    size = -(-len(numbers) // min(ELEMENTS_PER_SLOT * slots, MAX_ELEMENTS))
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
