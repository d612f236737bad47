"""Toy repositories, and commands that run in a forked copy of this process.

A new `python -m dvc` spends 1 to 2 s on imports before it does anything, and the tests start dvc
some 400 times. `forked` runs the same entry point in a child of this process, which has imported
dvc already: a start costs about 20 ms, and the child's folder, environment, loggers and caches
still belong to it alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import costs

GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@example.org")


def forked(
    main: Callable[[], int | None],
    *,
    folder: Path | str = ".",
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess:
    """Run `main` in a forked child and return its exit code and output.

    Args:
        main: what to run; it returns an exit code, or raises `SystemExit` as a command does.
        folder: the child's current folder.
        environment: the child's whole environment; this process's by default.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            _become(main, folder, environment, out.fileno(), err.fileno())
        _, status = os.waitpid(child, 0)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", errors="replace"))
    return subprocess.CompletedProcess([], os.waitstatus_to_exitcode(status), *texts)


def _become(main, folder, environment, out: int, err: int) -> None:
    """Turn this forked child into a command: run it and exit, whatever it does."""
    code = 70  # of a child that fails before `main` runs
    try:
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        # pytest has put its own objects in their place
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False, buffering=1)
        if environment is not None:
            os.environ.clear()
            os.environ.update(environment)
        os.chdir(folder)
        code = _exit_code(main)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _exit_code(main) -> int:
    """Return the exit code that the interpreter would give a command."""
    try:
        return main() or 0
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
            return 1
        return ended.code or 0
    except BaseException:
        import traceback

        traceback.print_exc()
        return 1


def call_dvc(*arguments: str, folder: Path | str = ".", **options) -> subprocess.CompletedProcess:
    """Run a dvc command in a forked child; the result has its exit code and output."""
    costs.spend("dvc", "starts dvc")
    import dvc.cli.parser  # the parent imports what every child needs, once
    import dvc.dvcfile
    import dvc.repo.reproduce
    import dvc.repo.status
    import networkx  # noqa: F401
    import rich.progress  # noqa: F401

    return forked(lambda: dvc.cli.main(list(arguments)), folder=folder, **options)


def run_dvc(*arguments: str, folder: Path | str = ".", **options) -> str:
    """Run a dvc command that has to end well in a forked child and return its stdout."""
    done = call_dvc(*arguments, folder=folder, **options)
    assert done.returncode == 0, f"dvc {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def copied(origin: Path, to: Path) -> Path:
    """Copy a built toy repository with its cache; links and times stay as they are."""
    shutil.copytree(origin, to, symlinks=True)
    return to
