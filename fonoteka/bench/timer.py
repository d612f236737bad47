"""Time functions in a process of their own, and commands together with what they start.

What is compared is measured in turns, A B A B: if the machine slows down, all of it slows down.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.core.cpu_count import worker_count
from fonoteka.core.errors import UserError
from fonoteka.core.run_stage import die_with_parent

Array = NDArray[np.float32]
Times = NDArray[np.float64]
TOP = Path(__file__).resolve().parents[2]
STATUS = Path("/proc/self/status")
PACKAGES = ("numpy", "onnxruntime", "torch", "transformers")


@dataclass(frozen=True)
class Repeats:
    """How often to measure.

    Attributes:
        rounds: in each round every candidate has one turn.
        repetitions: timed calls per turn.
        warmup: calls before them that are not timed.
    """

    rounds: int
    repetitions: int
    warmup: int

    def __post_init__(self) -> None:
        if min(self.rounds, self.repetitions, self.warmup) < 1:
            raise UserError(f"rounds, repetitions and warmup must be at least 1, found {self}")


@dataclass(frozen=True)
class Measurement:
    """Times in ms by candidate, and the process that measured them: peak memory, cores, modules."""

    times_ms: dict[str, Times]
    peak_memory_bytes: int
    cores: int
    modules: list[str]

    def conditions(self, repeats: Repeats) -> dict[str, Any]:
        """Return how it was measured, for a report."""
        process = {"cores": self.cores, "threads": 1, "process_holds": self.modules}
        return process | asdict(repeats)


def measure_alone(function: Callable[..., dict[str, Times]], *arguments: Any) -> Measurement:
    """Call a function in a fresh process with one core and one thread.

    The process imports the module of `__main__` and that of the function. Neither may import torch
    at its top: memory and `modules` would count it.

    Args:
        function: returns times in ms by candidate. It and its arguments are pickled.
        arguments: of the function.

    Raises:
        UserError: the function raised one, or the process was killed.
    """
    spawn = get_context("spawn")
    try:
        with ProcessPoolExecutor(1, spawn, _use_one_core, (os.getpid(),)) as pool:
            return pool.submit(_measure, function, arguments).result()
    except BrokenProcessPool as error:
        raise UserError("the timing process was killed; check the free memory") from error


def _use_one_core(parent: int) -> None:
    """Move this process to the last of its cores, because a system prefers the first for itself."""
    die_with_parent(parent)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _measure(function: Callable[..., dict[str, Times]], arguments: Sequence[Any]) -> Measurement:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        times = function(*arguments)
    modules = [name for name in PACKAGES if name in sys.modules]
    return Measurement(times, peak_memory_bytes(), worker_count(), modules)


def peak_memory_bytes() -> int:
    """Return the most memory that this process had.

    On Linux `ru_maxrss` of a child starts at its parent's value, so the kernel's count for this
    program, VmHWM, is preferred.
    """
    if STATUS.is_file():
        for line in STATUS.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource  # Windows has none; the commands that time something refuse to run there

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def timed_call(function: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """Return the ms that a call took, and its result."""
    start_ns = time.perf_counter_ns()
    result = function(*arguments)
    return (time.perf_counter_ns() - start_ns) / 1e6, result


@dataclass(frozen=True)
class TimedFile:
    """An ONNX file and the name of the inputs that it is run on."""

    path: Path
    inputs: str


def time_files(
    files: Mapping[str, TimedFile], inputs: Mapping[str, Sequence[Array]], repeats: Repeats
) -> dict[str, Times]:
    """Return the ms per call of each ONNX file, `[rounds, inputs, repetitions]`.

    Args:
        files: by name, in the order of their turns.
        inputs: by name, without the batch axis; each name has the same number of them.
        repeats: how often.

    Raises:
        UserError: ONNX Runtime cannot load a file.
    """
    from fonoteka.onnx_export.session import open_model, session_posteriors

    sessions = {name: open_model(file.path) for name, file in files.items()}
    count = min(map(len, inputs.values()))
    times = {name: np.zeros((repeats.rounds, count, repeats.repetitions)) for name in files}
    for turn, index in np.ndindex(repeats.rounds, count):
        for name, file in files.items():
            call = session_posteriors, sessions[name], inputs[file.inputs][index][None]
            for _ in range(repeats.warmup):
                timed_call(*call)
            for repetition in range(repeats.repetitions):
                times[name][turn, index, repetition], _ = timed_call(*call)
    return times


@dataclass(frozen=True)
class CommandCost:
    """Wall time of a command, and the peak memory of its largest process."""

    seconds: float
    peak_mib: float


def time_command(
    command: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None
) -> CommandCost:
    """Run a module with arguments in a folder.

    Args:
        command: the module and its arguments.
        folder: where it runs.
        variables: of its environment, besides those of this process.

    Raises:
        UserError: it failed; the end of its output is in the message.
    """
    environment = {**os.environ, "PYTHONPATH": str(TOP), **(variables or {})}
    begin = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", *command], cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        output = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise UserError(f"{' '.join(command)} failed: {output.strip()[-400:]}")
    return CommandCost(time.perf_counter() - begin, usage.ru_maxrss / 1024)
