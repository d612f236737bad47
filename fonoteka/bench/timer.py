"""Time ONNX files in a fresh process that is tied to one core and holds no torch.

    python -m fonoteka.bench.timer FOLDER

Reads   FOLDER/job.json: the files, what each hears, how often; FOLDER/feeds.npz: what is heard
Writes  FOLDER/times.npz: for each file ms `[rounds, inputs, repetitions]`; FOLDER/process.json

What is compared is measured in turns, A B A B: a machine that becomes slower does so for both.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, write_json
from fonoteka.core.run_stage import stage
from fonoteka.onnx_export.session import open_model, session_posteriors

Array = NDArray[np.float32]
TOP = Path(__file__).resolve().parents[2]
STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Pace:
    """How often is measured.

    Attributes:
        rounds: in each of which everything has its turn.
        repetitions: timed calls of a turn.
        warmup: calls before them that aren't timed.
    """

    rounds: int
    repetitions: int
    warmup: int

    def __post_init__(self) -> None:
        if self.rounds < 1 or self.repetitions < 1 or self.warmup < 1:
            raise UserError(f"rounds, repetitions and warmup must be at least 1, found {self}")


@dataclass(frozen=True)
class Task:
    """A file to be timed and the name of what it hears."""

    file: Path
    feed: str


@dataclass(frozen=True)
class Timed:
    """What came out.

    Attributes:
        times_ms: for each task `[rounds, inputs, repetitions]`.
        peak_memory_bytes: the most that the process held.
        cores: on which it was allowed to run.
        modules: those loaded of numpy, onnxruntime, torch and transformers.
    """

    times_ms: dict[str, NDArray[np.float64]]
    peak_memory_bytes: int
    cores: int
    modules: list[str]


def timed(tasks: Mapping[str, Task], feeds: Mapping[str, Sequence[Array]], pace: Pace) -> Timed:
    """Time files in a fresh process.

    Args:
        tasks: by name, in the order in which they take turns.
        feeds: inputs without the batch axis, by name; each task hears all of its feed in turn. All
            feeds have as many inputs.
        pace: how often.

    Raises:
        ValueError: a file can't be run; the sentence is the child's own.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job = {
            "tasks": {n: {"file": str(t.file.resolve()), "feed": t.feed} for n, t in tasks.items()},
            "order": list(tasks), "pace": asdict(pace),
        }  # fmt: skip
        write_json(folder / "job.json", job)
        arrays = {f"{feed}/{i}": a for feed, many in feeds.items() for i, a in enumerate(many)}
        np.savez(folder / "feeds.npz", **arrays)  # type: ignore[arg-type]
        done = subprocess.run(
            [sys.executable, "-m", "fonoteka.bench.timer", name],
            env=os.environ | {"PYTHONPATH": str(TOP)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            said = done.stderr.strip().removeprefix("error: ") or f"exit code {done.returncode}"
            raise UserError(said)
        with np.load(folder / "times.npz") as times:
            return Timed({n: times[n] for n in tasks}, **read_json(folder / "process.json"))


def take_turns(
    sessions: Mapping[str, Any], feeds: Mapping[str, Sequence[Array]], pace: Pace
) -> dict[str, NDArray[np.float64]]:
    """Return the times of each session in ms, `[rounds, inputs, repetitions]`."""
    inputs = min(map(len, feeds.values()))
    shape = (pace.rounds, inputs, pace.repetitions)
    times = {name: np.zeros(shape) for name in sessions}
    for turn in range(pace.rounds):
        for at in range(inputs):
            for name, session in sessions.items():
                batch = feeds[name][at][None]
                for _ in range(pace.warmup):
                    session_posteriors(session, batch)
                for repetition in range(pace.repetitions):
                    start_ns = time.perf_counter_ns()
                    session_posteriors(session, batch)
                    took_ns = time.perf_counter_ns() - start_ns
                    times[name][turn, at, repetition] = took_ns / 1e6
    return times


def tie_to_one_core() -> int:
    """Tie this process to the last of its cores and return on how many it may run.

    The first core is where a system likes to do its own work. Where a process can't be tied, its
    one thread may wander.
    """
    if not hasattr(os, "sched_setaffinity"):
        return os.cpu_count() or 1
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    return len(os.sched_getaffinity(0))


def peak_memory_bytes() -> int:
    """Return the most memory that this process held.

    On Linux `ru_maxrss` of a child starts at what its parent held, so the kernel's own count of
    this program is read where there is one.
    """
    if STATUS.is_file():
        for line in STATUS.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    cores = tie_to_one_core()
    job = read_json(folder / "job.json")
    with np.load(folder / "feeds.npz") as stored:
        found = {key: stored[key] for key in stored.files}
    feeds: dict[str, list[Array]] = {}
    for key in sorted(found, key=lambda key: (key.split("/")[0], int(key.split("/")[1]))):
        feeds.setdefault(key.split("/")[0], []).append(found[key])
    tasks = {name: job["tasks"][name] for name in job["order"]}
    sessions = {name: open_model(Path(task["file"])) for name, task in tasks.items()}
    heard = {name: feeds[task["feed"]] for name, task in tasks.items()}
    times = take_turns(sessions, heard, Pace(**job["pace"]))
    np.savez(folder / "times.npz", **times)  # type: ignore[arg-type]
    watched = ("numpy", "onnxruntime", "torch", "transformers")
    write_json(
        folder / "process.json",
        {
            "cores": cores, "modules": [name for name in watched if name in sys.modules],
            "peak_memory_bytes": peak_memory_bytes(),
        },
    )  # fmt: skip


if __name__ == "__main__":
    stage(main)
