"""A task as bytes, for workers that are other programs, with the hash of the code that made it."""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle

import fonoteka
from fonoteka.compute.clip_task import ClipTask
from fonoteka.compute.work_unit import Failure, UnitOutcome, UnitRunner, WorkUnit
from fonoteka.core.errors import UserError


@functools.cache
def code_hash() -> str:
    """Return a hash of the project's source, as it was when this process first asked for it.

    That is before a worker imports the task, so that a worker which runs while the code is
    changed keeps the hash of the code that it works with.
    """
    top, digest = Path(fonoteka.__file__).parents[1], hashlib.sha256()
    for path in sorted(p for name in ("fonoteka", "stages") for p in (top / name).rglob("*.py")):
        digest.update(f"{path.relative_to(top).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


@dataclass(frozen=True)
class PackedTask:
    """A task on its way to other programs.

    Attributes:
        task: pickled by cloudpickle, which writes classes of the program itself by value: a stage
            that runs as `python -m` is `__main__`, and a worker has another `__main__`.
        top: folder that the driver runs in; relative paths of a task begin there.
        cache: folder of the cache, from `top`; None if nothing is stored.
        code: hash of the driver's code.
    """

    task: bytes
    top: str
    cache: str | None
    code: str


def pack(task: ClipTask[Any, Any], cache: Path | None) -> PackedTask:
    """Return a task as bytes."""
    folder = None if cache is None else str(cache)
    return PackedTask(cloudpickle.dumps(task), str(Path.cwd()), folder, code_hash())


def pack_unit(unit: WorkUnit[Any]) -> bytes:
    """Return a unit as bytes; the class of its items may belong to the program itself."""
    return bytes(cloudpickle.dumps(unit))


@functools.lru_cache(maxsize=1)
def _runner(packed: PackedTask) -> UnitRunner[Any, Any]:
    """Return the runner of a task, with its opened model, until the worker gets another task."""
    if packed.code != code_hash():
        raise UserError(
            f"the worker {_worker()} has other code than the driver, {code_hash()[:12]} and not "
            f"{packed.code[:12]}; restart it from the driver's revision"
        )
    try:
        os.chdir(packed.top)
    except OSError as error:
        raise UserError(
            f"the worker {_worker()} has no folder {packed.top}; workers need the driver's folder "
            "on a shared file system"
        ) from error
    cache = None if packed.cache is None else Path(packed.cache)
    return UnitRunner(pickle.loads(packed.task), cache)  # noqa: S301  the driver's bytes


def run_packed(packed: PackedTask, unit: bytes) -> UnitOutcome:
    """Run a unit in this process; a refusal of the task is a failure without a clip."""
    try:
        runner = _runner(packed)
        work = pickle.loads(unit)  # noqa: S301  the driver's
    except Exception as error:
        return UnitOutcome(failure=Failure.from_error(error, ""))
    return runner.run(work)


def _worker() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
