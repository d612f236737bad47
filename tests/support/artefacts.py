"""Artefacts that take seconds to make, made once per test run and shared by its workers."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path


def artefact(factory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that `make` filled, once per test run; a test that changes it has to copy it.

    Args:
        factory: pytest's `tmp_path_factory`.
        name: one per way of making; equal names are equal contents.
        make: fills the folder that it gets. It may request other artefacts.
    """
    own = factory.getbasetemp()
    shared = (own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own) / "artefacts"
    shared.mkdir(exist_ok=True)
    folder, record = shared / name, shared / f"{name}.json"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not record.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed to make it
            folder.mkdir()
            make(folder)
            record.write_text(json.dumps(_state(folder)))
    if _state(folder) != json.loads(record.read_text()):
        raise AssertionError(f"a test changed the artefact {name!r}; it has to copy it first")
    return folder


def _state(folder: Path) -> dict[str, list[int]]:
    """Return size and modification time of each file: cheap, and a change alters one of them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    stats = {path.relative_to(folder).as_posix(): path.stat() for path in files}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}
