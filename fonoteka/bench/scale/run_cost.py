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

LOOK_S, SAMPLE_S = 0.02, 0.2
SHARE = 0.05  # of the time, at most, goes to samples
TAIL = 400  # characters of a failed command's output


@dataclass(frozen=True)
class RunCost:
    """What one run of a command cost.

    Attributes:
        wall_s: seconds by the clock; on a machine with other work they mean little.
        cpu_s: processor seconds of all its processes.
        largest_mib: most resident memory of one process.
        together_mib: most memory of all processes, a page that several share counted once; a peak
            between two samples, which are at least 0.2 s apart, is missed.
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
    largest = together = 0.0
    with tempfile.TemporaryFile() as output:
        begin = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=folder, stdout=output, stderr=subprocess.STDOUT,
            env=os.environ | own | (environment or {}), preexec_fn=child_preexec(),
        )  # fmt: skip
        due = 0.0
        # `Popen.wait` would take the usage that `wait4` returns, so this loop waits itself.
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            if (now := time.perf_counter()) >= due:
                peak, total = _memory_mib(process.pid)
                largest, together = max(largest, peak), max(together, total)
                due = now + max(SAMPLE_S, (time.perf_counter() - now) / SHARE)
            time.sleep(LOOK_S)
        wall_s = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(ended[1])
        if process.returncode:
            output.seek(0)
            text = output.read().decode(errors="replace").strip()
            raise UserError(f"{' '.join(command)} failed: {text[-TAIL:]}")
    usage = ended[2]
    return RunCost(wall_s, usage.ru_utime + usage.ru_stime, largest, together)


def _memory_mib(process: int) -> tuple[float, float]:
    """Return the peak of the largest process of a tree so far, and what all take now."""
    members = []
    with suppress(psutil.Error):
        parent = psutil.Process(process)
        members = [parent, *parent.children(recursive=True)]
    largest = together = 0.0
    for member in members:
        with suppress(psutil.Error, OSError):
            largest = max(largest, _peak_mib(member.pid))
            memory = member.memory_full_info()
            together += getattr(memory, "pss", memory.rss) / 2**20
    return largest, together


def _peak_mib(process: int) -> float:
    """Return the peak of a process: the kernel's count, which no sample misses."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    return next((int(s.split()[1]) / 1024 for s in lines if s.startswith("VmHWM:")), 0.0)
