"""Toy repositories, and commands that run in a forked copy of this process.

A new `python -m dvc` spends 1 to 2 s on imports before it does anything, and the tests start dvc
some 400 times. `forked` runs the same entry point in a child of this process, which has imported
dvc already: a start costs about 20 ms, and the child's folder, environment, loggers and caches
still belong to it alone. `forked_child` does the same for the stages that the runner starts.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

import costs
import pytest

GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@example.org")
WHAT_DVC_IMPORTS = (
    "configobj", "dvc._debug", "dvc.cachemgr", "dvc.cli.parser", "dvc.data_cloud", "dvc.dvcfile",
    "dvc.lock", "dvc.repo.artifacts", "dvc.repo.datasets", "dvc.repo.index", "dvc.repo.open_repo",
    "dvc.repo.metrics", "dvc.repo.params", "dvc.repo.plots", "dvc.repo.reproduce",
    "dvc.repo.stage", "dvc.repo.status", "dvc.rwlock", "dvc.utils.strictyaml",
    "dvc_data.hashfile._progress", "dvc_data.hashfile.db.local", "dvc_data.hashfile.status",
    "dvc_data.index.checkout", "fsspec.implementations.memory", "networkx", "rich.progress",
    "ruamel.yaml.mergevalue",
)  # fmt: skip

DIAMOND = """
stages:
  top: {cmd: cat in.txt > top.txt, deps: [in.txt], outs: [top.txt]}
  slow: {cmd: sleep 0.6; cat top.txt > slow.txt, deps: [top.txt], outs: [slow.txt]}
  pair:
    foreach: [b, a]
    do: {cmd: "cut -c1 top.txt > ${item}.txt", deps: [top.txt], outs: ["${item}.txt"]}
  end: {cmd: cat slow.txt a.txt b.txt > end.txt, deps: [slow.txt, a.txt, b.txt], outs: [end.txt]}
  lone: {cmd: echo 1 > lone.txt, outs: [lone.txt]}
"""


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
            become(main, folder, environment, out.fileno(), err.fileno())
        _, status = os.waitpid(child, 0)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", errors="replace"))
    return subprocess.CompletedProcess([], os.waitstatus_to_exitcode(status), *texts)


def become(main, folder, environment, out: int, err: int) -> None:
    """Turn this forked child into a command: run it and exit, even after an error."""
    code = 70  # of a child that fails before `main` runs
    try:
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        # pytest has replaced them
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False, buffering=1)
        _leave_the_test()
        if environment is not None:
            os.environ.clear()
            os.environ.update(environment)
        os.chdir(folder)
        code = _exit_code(main)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _leave_the_test() -> None:
    """Undo the settings of pytest and of dvc calls in this process: a command starts without them.

    dvc's loggers write to the streams of the time when dvc was imported, which are pytest's, and
    `pipeline.read` makes them omit the lines from which the runner reads how a stage ended.
    """
    warnings.simplefilter("ignore")
    if "dvc" in sys.modules:
        import dvc.logger

        for name in ("dvc", "dvc_objects", "dvc_data"):
            logging.getLogger(name).handlers.clear()
        dvc.logger.setup()


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


def import_dvc() -> None:
    """Import what every dvc command needs in the parent: once instead of once per child."""
    for module in WHAT_DVC_IMPORTS:
        import_module(module)
    sys.modules["dvc.cli.parser"].get_main_parser()  # cached by dvc; a third of a child's time


def call_dvc(*arguments: str, folder: Path | str = ".", **options) -> subprocess.CompletedProcess:
    """Run a dvc command in a forked child; the result has its exit code and output."""
    costs.spend("dvc", "starts dvc")
    import_dvc()
    import dvc.cli

    return forked(lambda: dvc.cli.main(list(arguments)), folder=folder, **options)


def run_dvc(*arguments: str, folder: Path | str = ".", **options) -> str:
    """Run a dvc command that must succeed in a forked child and return its stdout."""
    done = call_dvc(*arguments, folder=folder, **options)
    assert done.returncode == 0, f"dvc {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def empty_repository(factory) -> Path:
    """Return an empty DVC repository; `factory` is pytest's `tmp_path_factory`."""
    folder = factory.mktemp("origin") / "repo"
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    run_dvc("init", "--quiet", folder=folder)
    return folder


def entered_copy(origin: Path, tmp_path: Path, monkeypatch) -> Path:
    """Copy a repository, make the copy the current folder, and return it."""
    folder = copied(origin, tmp_path / "repo")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    return folder


def copied(origin: Path, target: Path) -> Path:
    """Copy a built toy repository with its cache; links and times stay as they are."""
    shutil.copytree(origin, target, symlinks=True)
    return target


def keep_apart(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Put dvc's per-user state into `folder` and turn its usage reports off."""
    patch.setenv("DVC_SITE_CACHE_DIR", str(folder / "site"))
    patch.setenv("DVC_NO_ANALYTICS", "1")


def empty(factory: pytest.TempPathFactory) -> Path:
    """Return a folder made by `dvc init --no-scm`, once per process; to be copied."""
    folder = factory.getbasetemp() / "empty-toy"
    if not (folder / ".dvc" / "config").exists():
        folder.mkdir(exist_ok=True)
        with pytest.MonkeyPatch.context() as patch:
            keep_apart(patch, factory.getbasetemp())
            run_dvc("init", "--no-scm", "-q", folder=folder)
    return folder


@pytest.fixture(name="toy")
def toy_repository(tmp_path, tmp_path_factory, monkeypatch):
    """Return a function that makes a dvc repository with some stages and changes into it."""
    keep_apart(monkeypatch, tmp_path)

    def make(stages: str, name: str = "toy") -> Path:
        folder = copied(empty(tmp_path_factory), tmp_path / name)
        (folder / "dvc.yaml").write_text(stages)
        (folder / "in.txt").write_text("hello\n")
        monkeypatch.chdir(folder)
        return folder

    return make
