"""Start stages as processes of their own, tell how each ended, and stop them all.

Each child leads a session and a process group: Ctrl-C at the terminal reaches the runner alone, and
one signal to the group reaches dvc, the shell and the stage's program together.
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
from fonoteka.pipeline.scheduler import Outcome

TICK_S = 0.05  # how often the processes are looked at: far below the half second that dvc needs
PATIENCE_S = 10.0
DISK_FAULTS = {
    "No space left on device": "the disk is full: make room and run it again",
    "Disk quota exceeded": "your share of the disk is full: make room and run it again",
    "Read-only file system": "let the folder be written and run it again",
}
TAIL_BYTES = 4096

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Child:
    """One running `dvc repro -s NAME` whose whole output goes to a log file."""

    def __init__(self, name: str, root: Path, log: Path) -> None:
        """Start the stage `name` of the pipeline in folder `root`."""
        self.name, self.log = name, log
        self._started_s = time.monotonic()
        self._ended_s: float | None = None
        self._group_gone = False
        command = ["--wait-for-lock", "repro", "-s", name]
        # A stage's lines are to be seen while it works; dvc's reports of use would outlive it.
        environment = os.environ | {"PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1"}
        environment["PATH"] = path_of_this_python()
        log.parent.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)
        with log.open("ab") as out:  # appending: dvc and the stage write to it in turns
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

    def outcome(self) -> Outcome | None:
        """Return how the stage ended, or None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        self._ended_s = self._ended_s or time.monotonic()
        return Outcome.FAILED if code else told_outcome(self.name, self.output())

    def output(self) -> str:
        """Return everything that dvc and the stage have said so far."""
        return self.log.read_bytes().decode("utf-8", errors="replace")

    def latest_line(self) -> str:
        """Return the last line of the log that is not empty, or a progress bar's newest state."""
        with self.log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            tail = file.read().decode("utf-8", errors="replace")
        lines = [line.strip() for line in re.split(r"[\r\n]+", _ANSI.sub("", tail))]
        return next((line for line in reversed(lines) if line), "")

    def alive(self) -> bool:
        """Return whether the child or anything left in its process group runs."""
        if self._process.poll() is None:
            return True
        self.send(0)
        return not self._group_gone

    def send(self, number: int) -> None:
        """Send a signal to the child's whole process group."""
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


def stop(children: Iterable[Child], patience_s: float = PATIENCE_S) -> None:
    """End all children: SIGTERM, and SIGKILL for what still runs after `patience_s` seconds.

    SIGTERM is repeated, since a dvc that was still waiting for its lock starts its command after
    the first one.
    """
    alive = list(children)
    begin = time.monotonic()
    while alive := [child for child in alive if child.alive()]:
        waited_s = time.monotonic() - begin
        if waited_s > patience_s + 2:  # only the dead are left, and nobody collects them
            return
        for child in alive:
            child.send(signal.SIGKILL if waited_s > patience_s else signal.SIGTERM)
        time.sleep(4 * TICK_S)


def told_outcome(name: str, output: str) -> Outcome:
    r"""Return what dvc, which ended well, did with a stage, by the first line that tells.

    dvc speaks before the stage does, so nothing that a stage prints can be taken for it.

    >>> told_outcome("a", "Stage 'a' didn't change, skipping\n").value
    'unchanged'
    """
    told = {
        f"Running stage '{name}'": Outcome.RAN,
        f"Stage '{name}' is cached": Outcome.CACHED,
        f"Stage '{name}' didn't change": Outcome.UNCHANGED,
    }
    for line in output.splitlines():
        for beginning, outcome in told.items():
            if line.startswith(beginning):
                return outcome
    return Outcome.RAN


def fault_of_disk(output: str) -> tuple[str, str] | None:
    r"""Return the line in which a stage says that it can't write, and what to do; None elsewhere.

    A traceback above it, of a library that has errors of its own for this, says nothing to anybody.

    >>> fault_of_disk("Traceback ...\nSafetensorError: No space left on device (os error 28)\n")[1]
    'the disk is full: make room and run it again'
    """
    for sign, advice in DISK_FAULTS.items():
        for line in reversed(output.splitlines()):
            if sign in line:
                return line if line.startswith("error: ") else f"error: {line.strip()}", advice
    return None


def without_noise(output: str) -> str:
    r"""Return a log without what dvc says around the stage's own words.

    >>> without_noise("Running stage 'a':\n> false\nno\nERROR: failed to reproduce 'a': failed"
    ...               " to run: false, exited with 1\n")
    'no'
    """
    lines = _ANSI.sub("", output).splitlines()
    if lines and lines[0].startswith("Running stage '"):
        lines = lines[1:]
        if lines and lines[0].startswith("> "):
            lines = lines[1:]
    failed_command = re.compile(r"ERROR: failed to reproduce '.*': failed to run: ")
    kept = [line for line in lines if not failed_command.match(line)]
    return "\n".join(kept).strip("\n")
