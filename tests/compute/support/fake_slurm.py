"""The commands sbatch, squeue and scancel for one machine; elements of an array are processes.

    python fake_slurm.py COMMAND STATE ARGUMENT ...

`STATE` is a folder. `JOB.alive` lists the elements that wait or run, `JOB.group` is the process
group of an array.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

PROGRAM = '#!/bin/sh\nexec "{python}" "{file}" {command} "{state}" "$@"\n'


def install(folder: Path) -> Path:
    """Write the commands into `folder/bin`, which a test puts on PATH, and return that."""
    programs, state = folder / "bin", folder / "state"
    programs.mkdir(parents=True)
    state.mkdir()
    for command in ("sbatch", "squeue", "scancel"):
        path = programs / command
        path.write_text(
            PROGRAM.format(python=sys.executable, file=__file__, command=command, state=state)
        )
        path.chmod(0o755)
    return programs


def option(arguments: list[str], name: str) -> str:
    return next(a.partition("=")[2] for a in arguments if a.startswith(f"--{name}="))


def sbatch(state: Path, arguments: list[str]) -> None:
    job = str(1000 + len([*state.glob("*.alive")]))
    last, limit = map(int, re.fullmatch(r"0-(\d+)%(\d+)", option(arguments, "array")).groups())
    (state / f"{job}.alive").write_text(" ".join(map(str, range(last + 1))))
    output, folder = option(arguments, "output"), option(arguments, "chdir")
    if os.fork() == 0:
        os.setsid()
        (state / f"{job}.group").write_text(str(os.getpid()))
        silent = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):  # the driver waits for the end of its pipe
            os.dup2(silent, descriptor)
        run_array(state / f"{job}.alive", job, arguments[-1], folder, output, last + 1, limit)
        os._exit(0)
    print(f"{job};cluster")


def run_array(alive, job, script, folder, output, elements, limit):
    running: dict[int, subprocess.Popen] = {}
    waiting = list(range(elements))
    while waiting or running:
        while waiting and len(running) < limit:
            element = waiting.pop(0)
            log = output.replace("%A", job).replace("%a", str(element))
            with Path(folder, log).open("wb") as file:
                running[element] = subprocess.Popen(
                    ["/bin/sh", script], cwd=folder, stdout=file, stderr=file,
                    env={**os.environ, "SLURM_ARRAY_TASK_ID": str(element)},
                )  # fmt: skip
        running = {e: process for e, process in running.items() if process.poll() is None}
        part = alive.with_suffix(".part")
        part.write_text(" ".join(map(str, [*running, *waiting])))
        part.replace(alive)
        time.sleep(0.02)


def squeue(state: Path, arguments: list[str]) -> None:
    path = state / f"{option(arguments, 'jobs')}.alive"
    text = path.read_text() if path.exists() else ""
    if not text:
        sys.exit("slurm_load_jobs error: Invalid job id specified")
    print(text.replace(" ", "\n"))


def scancel(state: Path, arguments: list[str]) -> None:
    for job in arguments:
        with suppress(ProcessLookupError):
            os.killpg(int((state / f"{job}.group").read_text()), signal.SIGKILL)
        (state / f"{job}.alive").write_text("")


if __name__ == "__main__":
    {"sbatch": sbatch, "squeue": squeue, "scancel": scancel}[sys.argv[1]](
        Path(sys.argv[2]), sys.argv[3:]
    )
