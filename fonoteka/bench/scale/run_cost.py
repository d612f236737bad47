"""What a command costs with all processes that it starts: time, processor time, memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from fonoteka.bench.timer import TOP
from fonoteka.core.errors import UserError
from fonoteka.core.run_stage import child_preexec

FIRST_S, SAMPLE_S = 0.1, 0.2
SHARE = 0.05  # of the time, at most, goes to samples
LAUNCHER = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
open(sys.argv[1], "w").write(f"{used.ru_utime + used.ru_stime} {used.ru_maxrss}")
sys.exit(code)
"""
"""Starts the command. The kernel's peak of a child begins with the memory of its parent: that of
this program is 12 MiB, and that of the one that measures would be more than some stages take."""
TAIL = 400  # characters of a failed command's output


@dataclass(frozen=True)
class RunCost:
    """What one run of a command cost.

    Attributes:
        wall_s: seconds by the clock; on a machine with other work they mean little.
        cpu_s: processor seconds of all its processes.
        largest_mib: most resident memory of one process.
        together_mib: most memory of all processes, with shared pages counted once, at samples
            that are at least 0.2 s apart; never less than `largest_mib`.
    """

    wall_s: float
    cpu_s: float
    largest_mib: float
    together_mib: float

    def entry(self) -> dict[str, float]:
        """Return the cost for a report."""
        return {
            "wall_s": round(self.wall_s, 2), "cpu_s": round(self.cpu_s, 2),
            "largest_mib": round(self.largest_mib, 1), "together_mib": round(self.together_mib, 1),
        }  # fmt: skip


def run_costed(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> RunCost:
    """Run a module with arguments in a folder.

    Args:
        command: the module and its arguments.
        folder: where it runs.
        environment: variables that are set besides those of this process.

    Raises:
        UserError: it failed; the end of its output is in the message.
    """
    own = {"PYTHONPATH": str(TOP), "FONOTEKA_LOGS": "off", "DVC_NO_ANALYTICS": "1"}
    together = 0.0
    with tempfile.TemporaryFile() as output, tempfile.NamedTemporaryFile() as usage:
        begin = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, usage.name, sys.executable, "-m", *command],
            cwd=folder, stdout=output, stderr=subprocess.STDOUT, preexec_fn=child_preexec(),
            env={**os.environ, **own, **(environment or {})},
        ) as process:  # fmt: skip
            wait_s = FIRST_S
            while True:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(wait_s)
                    break
                sampled = time.perf_counter()
                together = max(together, _together_mib(process.pid))
                wait_s = max(SAMPLE_S, (time.perf_counter() - sampled) / SHARE)
        wall_s = time.perf_counter() - begin
        if process.returncode:
            output.seek(0)
            text = output.read().decode(errors="replace").strip()
            raise UserError(f"{' '.join(command)} failed: {text[-TAIL:]}")
        cpu_s, largest_kib = map(float, usage.read().split())
    largest_mib = largest_kib / 1024
    return RunCost(wall_s, cpu_s, largest_mib, max(together, largest_mib))


def _together_mib(process: int) -> float:
    """Return the memory of the descendants of a process, a shared page counted once."""
    members = []
    with suppress(psutil.Error):
        members = psutil.Process(process).children(recursive=True)
    together = 0.0
    for member in members:
        with suppress(psutil.Error, OSError):
            memory = member.memory_full_info()
            together += getattr(memory, "pss", memory.rss) / 2**20
    return together
