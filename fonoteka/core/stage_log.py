"""The log of a stage: arguments, steps of a training, processor and memory over time.

    logs/<stage>/<run>.jsonl    <stage> as in dvc.yaml, <run> UTC time and process id

    {"time": ..., "event": "start", "stage": "train@mlp", "arguments": [...], "cores": 2, ...}
    {"time": ..., "event": "sample", "cpu_share": 1.9, "memory_mib": 612.1, "step": 12, ...}
    {"time": ..., "event": "step", "step": 13, "loss": 0.71, "learning_rate": 0.0003, ...}
    {"time": ..., "event": "end", "seconds": 81.4, "exit": 0, "peak_process_mib": 702.3, ...}

Each line is of `fonoteka.core.log_line`. git and DVC ignore the folder, and no result depends on
it: a log that cannot be written is reported once on stderr, and the stage continues without one.
A log contains paths and numbers, and the kind of an error but not its text, which may name a
recording. FONOTEKA_LOGS names another folder, or is `off`.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fonoteka.core.cpu_count import worker_count
from fonoteka.core.log_line import log_line
from fonoteka.core.process_tree import peak_rss_mib, tree_usage

VARIABLE, OFF, FOLDER = "FONOTEKA_LOGS", "off", Path("logs")
RUNS = 20
"""Logs per stage; the oldest is removed first."""
SAMPLE_S = 5.0
"""A sample takes 3 ms of processor time on a machine with 100 processes."""


class StageLog:
    """The open log of one run.

    A line is one `write` to a file that is opened to append, without buffer or lock: so threads
    and forked children may write too, and a kill loses no line before it.
    """

    def __init__(self, folder: Path, stage: str) -> None:
        """Open a file in the folder of the stage, and remove its oldest files.

        Raises:
            OSError: it cannot be made.
        """
        folder = folder / re.sub(r"[^\w@.-]", "_", stage)
        folder.mkdir(parents=True, exist_ok=True)
        self.run = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}"
        self.file = os.open(
            folder / f"{self.run}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666
        )
        self.begun, self.process, self.is_open = time.monotonic(), os.getpid(), True
        usage = tree_usage()
        self.begun_cpu_s, self.most_mib = usage.cpu_s, usage.memory_mib
        self.step: int | None = None
        for old in sorted(folder.glob("*.jsonl"))[:-RUNS]:
            old.unlink(missing_ok=True)

    def write(self, event: str, fields: dict[str, Any], level: str = "info") -> None:
        """Write a line; after the first failure, report it and write nothing more."""
        if not self.is_open:
            return
        line = log_line(level, event, fields)
        try:
            if os.write(self.file, line) < len(line):
                raise OSError("the line was cut")  # noqa: TRY301  as a full disk does it
        except OSError as error:
            self.is_open = False
            _report(error)

    def sample(self, sampled: tuple[float, float]) -> tuple[float, float]:
        """Write the utilisation since the last sample; a sample is (seconds, CPU seconds)."""
        now_s, usage = time.monotonic(), tree_usage()
        self.most_mib = max(self.most_mib, usage.memory_mib)
        # A child that ends while /proc is read may be missing from a total.
        share = max(0.0, usage.cpu_s - sampled[1]) / max(now_s - sampled[0], 1e-3)
        fields: dict[str, Any] = {
            "seconds": round(now_s - self.begun, 3), "cpu_share": round(share, 3),
            "memory_mib": round(usage.memory_mib, 1), **gpu_usage(),
        }  # fmt: skip
        self.write("sample", fields | ({} if self.step is None else {"step": self.step}))
        return now_s, usage.cpu_s

    def end(self, code: int, error: str | None) -> None:
        """Write the last line and close the file."""
        usage, seconds = tree_usage(), time.monotonic() - self.begun
        cpu_s = usage.cpu_s - self.begun_cpu_s
        fields: dict[str, Any] = {
            "seconds": round(seconds, 3), "exit": code, "cpu_s": round(cpu_s, 2),
            "cpu_share": round(cpu_s / max(seconds, 1e-3), 3),
            # The sum over all processes when sampled, and the largest process at any time.
            "peak_memory_mib": round(max(self.most_mib, usage.memory_mib), 1),
            "peak_process_mib": round(peak_rss_mib(), 1),
        }  # fmt: skip
        fields |= {} if error is None else {"error": error}
        self.write("end", fields, "error" if code else "info")
        self.is_open = False
        os.close(self.file)


_log: StageLog | None = None


def log_step(*, step: int, loss: float, learning_rate: float, **more: float | str | None) -> None:
    """Log one update of the weights; without an open log, do nothing.

    Args:
        step: its number, from 1.
        loss: of its batches, before the update.
        learning_rate: of the update.
        more: further values.
    """
    if _log is not None:
        _log.step = step
        _log.write("step", {"step": step, "loss": loss, "learning_rate": learning_rate, **more})


def log_event(event: str, **fields: float | str | None) -> None:
    """Log something else, for example a validation; without an open log, do nothing."""
    if _log is not None:
        _log.write(event, fields)


@contextmanager
def stage_log(stage: str | None = None) -> Iterator[None]:
    """Keep a log while the block runs.

    Args:
        stage: its name; None for `stage_name()`. Without a name, nothing is logged.
    """
    global _log
    _log = _open(stage or stage_name())
    if _log is None:
        yield
        return
    stopped = threading.Event()
    sampler = threading.Thread(
        target=_sample_until, args=(stopped, _log), name="stage-log", daemon=True
    )
    sampler.start()
    code, error = 0, None
    try:
        yield
    except BaseException as raised:
        code, error = _outcome(raised)
        raise
    finally:
        log, _log = _log, None
        if log.process == os.getpid():  # and not in a forked child that left by an exception
            stopped.set()
            sampler.join()
            log.end(code, error)


def stage_name() -> str | None:
    """Return the stage that this process runs: as DVC names it, or by its module; else None.

    A program of `fonoteka` that borrows `run_stage.stage` is not a stage and has no log.
    """
    if name := os.environ.get("DVC_STAGE"):
        return name
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    module = spec.name.removesuffix(".__main__") if spec else ""
    return module.rpartition(".")[2] if module.startswith("stages.") else None


def gpu_usage() -> dict[str, float]:
    """Return share and memory of the GPU that this process uses through torch; {} without one.

    torch is not imported for it, and CUDA is not started. The share needs the package pynvml, and
    is that of all processes on the GPU.
    """
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is None or not getattr(cuda, "is_initialized", bool)():
        return {}
    usage = {}
    # The errors of pynvml and of torch's allocator share no base, and a log is not worth a failure.
    with suppress(Exception):
        usage["gpu_memory_mib"] = round(cuda.memory_allocated() / 2**20, 1)
        usage["gpu_share"] = cuda.utilization() / 100
    return usage


def _open(stage: str | None) -> StageLog | None:
    place = os.environ.get(VARIABLE) or FOLDER
    if stage is None or place == OFF:
        return None
    try:
        log = StageLog(Path(place), stage)
    except OSError as error:
        _report(error)
        return None
    start = {
        "stage": stage, "run": log.run, "arguments": sys.argv[1:], "process": log.process,
        "cores": worker_count(), "import_cpu_s": round(log.begun_cpu_s, 2),
    }  # fmt: skip
    log.write("start", start)
    return log


def _sample_until(stopped: threading.Event, log: StageLog) -> None:
    sampled = (log.begun, log.begun_cpu_s)
    while not stopped.wait(SAMPLE_S):
        sampled = log.sample(sampled)


def _outcome(raised: BaseException) -> tuple[int, str | None]:
    """Return the exit code of an exception that ends the process, and the kind of the error."""
    if not isinstance(raised, SystemExit):
        return 1, type(raised).__name__
    code = raised.code if isinstance(raised.code, int) else int(raised.code is not None)
    cause = raised.__cause__ or raised.__context__  # what `run_command` handled
    return code, type(cause).__name__ if cause else None


def _report(error: OSError) -> None:
    print(f"logs: {error}; the stage continues without a log", file=sys.stderr, flush=True)
