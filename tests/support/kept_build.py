"""Cache the built pipeline of the small profile between test runs.

    FONOTEKA_TEST_CACHE=folder    the cache; by default conftest.py sets a folder of pytest's cache

The cache contains dvc.lock and the objects of DVC's cache that it lists. The next clone starts
with them, and DVC's hashes decide what is stale. Stages with an output that is neither cached nor a
metric or a plot always run, because DVC's cache has no copy of it: `licences`, `audit`, `compare`.

A killed run leaves the previous build or none: a new one is written under a temporary name and
renamed. Simultaneous runs wait for each other's copying, 1 s each. Objects that the newest build
does not use are removed. No path of the checkout is stored, so a CI service can restore the folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path

import yaml
from filelock import FileLock

from fonoteka.compute.processor import processor

VARIABLE = "FONOTEKA_TEST_CACHE"
OBJECTS = Path(".dvc/cache/files/md5")
RUNS = Path(".dvc/cache/runs")
DURATIONS = Path(".dvc/tmp/durations.json")


def lay(clone: Path) -> bool:
    """Copy the cached build into a fresh clone; return whether one fits."""
    with _held() as top:
        if top is None or not _fits(top / "build"):
            return False
        build = top / "build"
        lock = stages(build / "dvc.lock")
        for source in (path for path in (build / OBJECTS).rglob("*") if path.is_file()):
            if _digest(source) == _oid(source).removesuffix(".dir"):
                _copy(source, clone / source.relative_to(build))
        for path in (build / RUNS).rglob("*"):
            if path.is_file():
                _copy(path, clone / path.relative_to(build))
        _copy(build / DURATIONS, clone / DURATIONS)
        # If the order of stages differs, DVC has to write the clone's lock file again.
        if list(lock) == list(stages(clone / "dvc.lock")):
            _copy(build / "dvc.lock", clone / "dvc.lock")
            for out in outputs(lock):
                _check_out(clone, out)
        return True


def keep(clone: Path) -> None:
    """Cache a built clone, in place of the cached one."""
    with _held() as top:
        if top is None:
            return
        new, build, old = top / "new", top / "build", top / "old"
        for folder in (new, old):  # of a run that was killed
            shutil.rmtree(folder, ignore_errors=True)
        lock = stages(clone / "dvc.lock")
        for oid in {oid for out in outputs(lock) for oid in _used(clone, out["md5"])}:
            path = _object(oid)
            if (clone / path).is_file():
                _copy(clone / path, new / path)
        entries = list(lock.values())
        for path in (clone / RUNS).glob("*/*/*"):
            if _yaml(path) in entries:
                _copy(path, new / path.relative_to(clone))
        _copy(clone / DURATIONS, new / DURATIONS)
        _copy(clone / "dvc.lock", new / "dvc.lock")
        (new / "mark.json").write_text(json.dumps(mark()), encoding="utf-8")
        if build.exists():
            build.rename(old)
        new.rename(build)
        shutil.rmtree(old, ignore_errors=True)


def mark() -> dict[str, object]:
    """Return what a build's bytes depend on and DVC does not hash."""
    packages = {package.name: package.version for package in distributions()}
    return {"packages": packages, "processor": processor().kind, "python": sys.version}


def stages(lock: Path) -> dict[str, dict]:
    """Return the entries of a lock file."""
    return _yaml(lock)["stages"]


def bare(lock: Path) -> None:
    """Reduce a lock file to the names and commands of its stages.

    All stages are then stale, as with the results of another profile, in the same order. DVC reads
    the whole file before each stage and writes it afterwards: 5 CPU s for 6,000 lines.
    """
    names = {name: {"cmd": entry["cmd"]} for name, entry in stages(lock).items()}
    text = yaml.safe_dump({"schema": "2.0", "stages": names}, sort_keys=False)
    lock.write_text(text, encoding="utf-8")


def outputs(lock: dict[str, dict]) -> Iterator[dict]:
    """Yield the outputs of all stages of a lock file."""
    for entry in lock.values():
        yield from entry.get("outs", ())


@contextmanager
def _held() -> Iterator[Path | None]:
    """Yield the cache folder to one run at a time; None if there is no cache."""
    if not (named := os.environ.get(VARIABLE)):
        yield None
        return
    top = Path(named).resolve()
    top.mkdir(parents=True, exist_ok=True)
    with FileLock(top / ".lock"):
        yield top


def _fits(build: Path) -> bool:
    try:
        return json.loads((build / "mark.json").read_text(encoding="utf-8")) == mark()
    except (OSError, ValueError):
        return False


def _check_out(clone: Path, out: dict) -> None:
    """Restore an output of the lock file into the workspace, if the cache has all of it.

    DVC does the same for cached outputs, but not for the metrics and plots that are in git.
    """
    files = _files(clone, out)
    if not files or not all((clone / _object(oid)).is_file() for _, oid in files):
        return  # the stage is stale, and DVC runs it
    path = clone / out["path"]
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for name, oid in files:
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(clone / _object(oid), target)


def _files(clone: Path, out: dict) -> list[tuple[str, str]]:
    """Return `(path below the output, object)` of each file of an output."""
    oid = out["md5"]
    if not oid.endswith(".dir"):
        return [("", oid)]
    listed = clone / _object(oid)
    entries = json.loads(listed.read_text(encoding="utf-8")) if listed.is_file() else []
    return [(entry["relpath"], entry["md5"]) for entry in entries]


def _used(clone: Path, oid: str) -> Iterator[str]:
    yield oid
    yield from (inner for _, inner in _files(clone, {"md5": oid}))


def _object(oid: str) -> Path:
    return OBJECTS / oid[:2] / oid[2:]


def _oid(path: Path) -> str:
    return path.parent.name + path.name


def _digest(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def _copy(source: Path, target: Path) -> None:
    """Copy a file if it exists, with its mode: DVC trusts the hash of a write-protected file."""
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def _yaml(path: Path) -> dict:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(encoding="utf-8"), loader)
