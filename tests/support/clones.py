"""Clones of this repository in temporary folders, with the small profile, built by the runner."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import kept_build
from dvc_yaml import TOP
from filelock import FileLock

from fonoteka.pipeline import overrides

GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@example.org")
PYTHON = (sys.executable, "-m")


class Clone:
    """A clone with a cache, a history and a DVC state of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DVC_SITE_CACHE_DIR": str(folder / ".dvc" / "tmp" / "site"),
            "DVC_NO_ANALYTICS": "1",
            "PYTHONUNBUFFERED": "1",
        }
        # The tests of each stage cover its lines. With tracing, the 48 stages of a build and dvc
        # take 750 CPU seconds instead of 474.
        self.environment.pop("COVERAGE_PROCESS_CONFIG", None)

    def __truediv__(self, path: str) -> Path:
        return self.folder / path

    def start(self, *command: str, **options) -> subprocess.Popen:
        """Start a command as the leader of a process group."""
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, **options,
        )  # fmt: skip

    def call(self, *command: str) -> subprocess.CompletedProcess:
        """Run a command and return its output and exit code."""
        with self.start(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            out, err = process.communicate()
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def run(self, *command: str) -> str:
        """Run a command that must succeed and return its output."""
        done = self.call(*command)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def dvc(self, *arguments: str) -> str:
        return self.run(*PYTHON, "dvc", *arguments)

    def repro(self, *arguments: str) -> str:
        """Do what `make repro` does."""
        return self.run(*PYTHON, "fonoteka", "repro", "--jobs", "2", *arguments)

    def git(self, *arguments: str) -> str:
        return self.run(*GIT, *arguments)


@contextmanager
def once(factory) -> Iterator[Path]:
    """Yield a folder that all workers of this run share, to one worker at a time."""
    own = factory.getbasetemp()
    shared = (own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own) / "clones"
    shared.mkdir(exist_ok=True)
    with FileLock(shared / ".lock"):
        yield shared


def fresh(factory, folder: Path) -> Clone:
    """Return a clone of the working tree, in its state when the first test requested one."""
    with once(factory) as shared:
        return _fresh(shared, folder)


def _fresh(shared: Path, folder: Path) -> Clone:
    origin = shared / "origin"
    if not (shared / "origin.done").exists():
        shutil.rmtree(origin, ignore_errors=True)
        _copy_working_tree(origin)
        (shared / "origin.done").touch()
    folder.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([*GIT, "clone", "--quiet", origin, folder], check=True)
    return Clone(folder)


def _copy_working_tree(target: Path) -> None:
    """Copy what git tracks or would track with its changes, apply the small profile, and commit.

    The pointers in data/ are left out: only their owner has the recordings.
    """
    listed = [*GIT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=TOP, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        pointer = name.startswith("data/") and name.endswith(".dvc")
        if (TOP / name).is_file() and not pointer:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TOP / name, target / name)
    overrides.apply_profile(overrides.find("small"), target / "params.yaml")
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "small"]):
        subprocess.run([*GIT, *command], cwd=target, check=True)


def built(factory) -> tuple[Clone, bytes]:
    """Return a clone that the runner has built, made once for all workers, and its lock file.

    It starts from the build that an earlier run cached, if there is one: then `kept.lock` in the
    same folder is the lock file that it started with. `first.txt` contains the build's output.
    """
    with once(factory) as shared:
        folder, lock = shared / "built", shared / "undisturbed.lock"
        if not lock.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a worker whose build failed
            clone = _fresh(shared, folder)
            if kept_build.lay(folder):
                shutil.copy(folder / "dvc.lock", shared / "kept.lock")
            else:
                kept_build.bare(folder / "dvc.lock")
            (shared / "first.txt").write_text(clone.repro("--show", "reports/comparison.md"))
            kept_build.keep(folder)
            _copy_with_results(clone, shared / "committed")
            lock.write_bytes((clone / "dvc.lock").read_bytes())
        return Clone(folder), lock.read_bytes()


def committed(factory, folder: Path) -> Clone:
    """Return a new clone with the built pipeline, its results committed as `built`."""
    built(factory)
    with once(factory) as shared:
        shutil.copytree(shared / "committed", folder, symlinks=True)
    return Clone(folder)


def to_read(factory) -> Clone:
    """Return the built clone for tests that change nothing in it.

    `built` is changed for a moment by tests of what becomes stale, in any worker.
    """
    built(factory)
    with once(factory) as shared:
        return Clone(shared / "committed")


def _copy_with_results(clone: Clone, target: Path) -> None:
    """Copy a clone with its cache, before any test has changed it."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(clone.folder, target, symlinks=True, ignore=shutil.ignore_patterns("tmp"))
    copy = Clone(target)
    copy.git("add", "--all")
    copy.git("commit", "--quiet", "-m", "built")


def at_work(folder: Path) -> list[str]:
    """Return the ids of the processes whose current folder this is; zombies have no folder."""
    numbers = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder:
                numbers.append(process.name)
        except OSError:
            continue  # it has ended, or belongs to another user
    return numbers


def until(condition, seconds: float = 900.0):
    """Wait for a condition and return its value; only a failing test reaches the limit."""
    limit = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < limit, "the condition did not become true in time"
        time.sleep(0.005)
    return result


def flip(path: Path) -> None:
    """Change one bit in the middle of a file, as a disk does: its time, size and mode stay."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
