"""Start stages as processes, report how each ended, and stop them.

Each process leads a session and a process group: Ctrl-C at the terminal reaches the runner only,
and one signal to the group reaches dvc, the shell and the stage's program.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from fonoteka.pipeline.runner import dvc_child
from fonoteka.pipeline.scheduler import StageOutcome

TICK_S = 0.05  # between two checks of the processes: far below the 0.5 s that dvc takes to start
PATIENCE_S = 10.0  # enough for a stage to write its checkpoint after SIGTERM
DISK_ERRORS = {
    "No space left on device": "the disk is full: make room and run it again",
    "Disk quota exceeded": "your share of the disk is full: make room and run it again",
    "Read-only file system": "make the folder writable and run it again",
}
TAIL_BYTES = 4096

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class StageProcess:
    """A running `dvc repro -s NAME` whose output is written to a log file."""

    def __init__(self, name: str, root: Path, log: Path) -> None:
        """Start the stage `name` of the pipeline in folder `root`."""
        self.name, self.log = name, log
        self._started_s = time.monotonic()
        self._ended_s: float | None = None
        self._group_gone = False
        command = ["--wait-for-lock", "repro", "-s", name]
        # Unbuffered, so that the log is current; dvc's usage reports would outlive the process.
        environment = os.environ | {"PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1"}
        environment["PATH"] = path_of_this_python()
        log.parent.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)
        with log.open("ab") as out:  # appending, because dvc and the stage write to it in turns
            self._process = subprocess.Popen(
                [sys.executable, "-P", dvc_child.__file__, str(os.getpid()), *command],
                cwd=root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def elapsed_s(self) -> float:
        """Return the seconds from the start to the end, or to now."""
        return (self._ended_s or time.monotonic()) - self._started_s

    def outcome(self) -> StageOutcome | None:
        """Return how the stage ended, or None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        self._ended_s = self._ended_s or time.monotonic()
        return StageOutcome.FAILED if code else outcome_in_output(self.name, self.output())

    def output(self) -> str:
        """Return everything that dvc and the stage have printed so far."""
        return self.log.read_bytes().decode("utf-8", errors="replace")

    def latest_line(self) -> str:
        """Return the last line of the log that is not empty, or the state of a progress bar."""
        with self.log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            tail = file.read().decode("utf-8", errors="replace")
        lines = [line.strip() for line in re.split(r"[\r\n]+", _ANSI.sub("", tail))]
        return next((line for line in reversed(lines) if line), "")

    def alive(self) -> bool:
        """Return whether the process or another one of its process group runs."""
        if self._process.poll() is None:
            return True
        self.send(0)
        return not self._group_gone

    def send(self, number: int) -> None:
        """Send a signal to the whole process group."""
        if self._group_gone:
            return
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            self._group_gone = True


def path_of_this_python() -> str:
    """Return PATH with the folder of this interpreter first: the `python` that a stage starts."""
    folder, path = str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)
    return path if path.split(os.pathsep)[0] == folder else f"{folder}{os.pathsep}{path}"


def stop(processes: Iterable[StageProcess], patience_s: float = PATIENCE_S) -> None:
    """End processes with SIGTERM, and with SIGKILL those that run after `patience_s` seconds.

    SIGTERM is repeated because a dvc that was waiting for its lock at the first one still starts
    its command.
    """
    alive = list(processes)
    begin = time.monotonic()
    while alive := [process for process in alive if process.alive()]:
        waited_s = time.monotonic() - begin
        if waited_s > patience_s + 2:  # only zombies are left, whose parents do not collect them
            return
        for process in alive:
            process.send(signal.SIGKILL if waited_s > patience_s else signal.SIGTERM)
        time.sleep(4 * TICK_S)


def outcome_in_output(name: str, output: str) -> StageOutcome:
    r"""Return the outcome of a stage that succeeded, from the first line in which dvc reports it.

    dvc prints before the stage does, so no line of the stage can be mistaken for it.

    >>> outcome_in_output("a", "Stage 'a' didn't change, skipping\n").value
    'unchanged'
    """
    beginnings = {
        f"Running stage '{name}'": StageOutcome.RAN,
        f"Stage '{name}' is cached": StageOutcome.CACHED,
        f"Stage '{name}' didn't change": StageOutcome.UNCHANGED,
    }
    for line in output.splitlines():
        for beginning, outcome in beginnings.items():
            if line.startswith(beginning):
                return outcome
    return StageOutcome.RAN


def disk_error(output: str) -> tuple[str, str] | None:
    r"""Return the line of a write error and what to do; None if there is no such line.

    The traceback above it, from a library with its own error classes, does not help the user.

    >>> disk_error("Traceback ...\nSafetensorError: No space left on device (os error 28)\n")[1]
    'the disk is full: make room and run it again'
    """
    for message, advice in DISK_ERRORS.items():
        for line in reversed(output.splitlines()):
            if message in line:
                return line if line.startswith("error: ") else f"error: {line.strip()}", advice
    return None


def stage_output(output: str) -> str:
    r"""Return the lines of a log that the stage printed, without those of dvc.

    >>> stage_output("Running stage 'a':\n> false\nno\nERROR: failed to reproduce 'a': failed"
    ...               " to run: false, exited with 1\n")
    'no'
    """
    lines = _ANSI.sub("", output).splitlines()
    if lines and lines[0].startswith("Running stage '"):
        lines = lines[1:]
        if lines and lines[0].startswith("> "):
            lines = lines[1:]
    failed_command = re.compile(r"ERROR: failed to reproduce '.*': failed to run: ")
    printed = [line for line in lines if not failed_command.match(line)]
    return "\n".join(printed).strip("\n")
