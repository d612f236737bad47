"""Section `execution` of params.yaml: where the work of stages runs."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from fonoteka.core.cpu_count import worker_count
from fonoteka.core.errors import UserError
from fonoteka.core.params import load

EXECUTORS = ("serial", "processes", "dask", "slurm")
VARIABLE = "FONOTEKA_EXECUTOR"
"""A variable of the environment that replaces `execution.executor` for one run."""


@dataclass(frozen=True)
class SlurmParams:
    """How arrays of jobs are submitted.

    Attributes:
        partition: of the cluster; empty for its default one.
        array_limit: elements of an array that run at a time, at least 1.
        time: limit of one element in Slurm's notation, for example `04:00:00`; empty for the
            partition's.
        extra: further options of sbatch, each one word: `--gres=gpu:1`.
        poll_s: seconds between two looks for finished elements.
    """

    partition: str
    array_limit: int
    time: str
    extra: tuple[str, ...]
    poll_s: float


@dataclass(frozen=True)
class ExecutionParams:
    """Where the work runs; no result depends on it, so that no stage declares the section.

    Attributes:
        executor: one of `EXECUTORS`.
        workers: processes, or workers of a Dask cluster that is started here; 0 for one per core.
        scheduler: the address of a Dask scheduler, for example `tcp://10.0.0.1:8786`; empty for a
            cluster on this machine.
        slurm: used by the executor of that name.
    """

    executor: str
    workers: int
    scheduler: str
    slurm: SlurmParams

    @property
    def processes(self) -> int:
        """The number of workers, at least 1."""
        return self.workers or worker_count()


def load_execution() -> ExecutionParams:
    """Return the section, with the executor of FONOTEKA_EXECUTOR if that is set.

    Raises:
        UserError: a value is outside its range, or the executor is unknown.
    """
    execution, place = load("execution", ExecutionParams), "params.yaml: execution.executor"
    if os.environ.get(VARIABLE):
        execution, place = replace(execution, executor=os.environ[VARIABLE]), VARIABLE
    if execution.executor not in EXECUTORS:
        raise UserError(f"{place}: expected {', '.join(EXECUTORS)}, found {execution.executor!r}")
    if execution.workers < 0:
        raise UserError(f"params.yaml: execution.workers must be >= 0, got {execution.workers}")
    slurm = execution.slurm
    if slurm.array_limit < 1 or slurm.poll_s <= 0:
        raise UserError(
            "params.yaml: execution.slurm: array_limit must be >= 1 and poll_s > 0, "
            f"got {slurm.array_limit} and {slurm.poll_s}"
        )
    return execution
