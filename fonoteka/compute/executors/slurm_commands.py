"""The commands of Slurm that the executor calls: sbatch, squeue, scancel."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from fonoteka.compute.execution import SlurmParams
from fonoteka.core.errors import UserError

UNREACHABLE_S = 120.0
"""Seconds that squeue may fail: a controller that is started again takes about a minute."""

RETRY_S = 2.0  # seconds between two calls of a command that failed


def submit_array(script: Path, name: str, elements: int, slurm: SlurmParams) -> str:
    """Submit a script as an array with elements from 0 and return the number of the job.

    Raises:
        UserError: sbatch is not installed, or refuses the job.
    """
    command = [
        "sbatch", "--parsable", f"--job-name=fonoteka-{name}", f"--chdir={Path.cwd()}",
        f"--array=0-{elements - 1}%{slurm.array_limit}",
        f"--output={script.parent / '%A_%a.log'}", *slurm.extra,
    ]  # fmt: skip
    command += [f"--partition={slurm.partition}"] if slurm.partition else []
    command += [f"--time={slurm.time}"] if slurm.time else []
    done = _call([*command, str(script)])
    if done.returncode:
        raise UserError(
            f"sbatch: {_last_line(done.stderr)}; correct execution.slurm in params.yaml"
        )
    return done.stdout.strip().partition(";")[0]  # the name of a cluster may follow


def alive(jobs: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Yield the job and the element of each one that waits or runs.

    Raises:
        UserError: the controller was not reached for `UNREACHABLE_S`.
    """
    for job in jobs:
        command = ["squeue", "--noheader", "--array", f"--jobs={job}", "--format=%K"]
        until = time.monotonic() + UNREACHABLE_S
        # An array that ended some minutes ago is unknown to squeue, which fails then.
        while (done := _call(command)).returncode and "Invalid job id" not in done.stderr:
            if time.monotonic() > until:
                raise UserError(
                    f"squeue: {_last_line(done.stderr)}; results of finished clips are kept, and "
                    "the next run continues with them"
                )
            time.sleep(RETRY_S)
        yield from ((job, int(word)) for word in done.stdout.split() if word.isdecimal())


def cancel(jobs: Iterable[str]) -> None:
    """Cancel arrays; jobs that stay write results of clips, which the next run uses."""
    if names := [*jobs]:
        _call(["scancel", *names])


def _call(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, check=False, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise UserError(
            f"execution.executor is slurm, but {command[0]} was not found; start the run on a "
            "login node of the cluster"
        ) from error


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it failed without a message"])[-1]
