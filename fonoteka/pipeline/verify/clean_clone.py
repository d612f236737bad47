"""A temporary clone of the last commit, with a cache of its own that holds no result."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from fonoteka.core.errors import UserError
from fonoteka.core.run_stage import child_preexec
from fonoteka.git import clone_of_head
from fonoteka.pipeline.verify import environment as build_environment
from fonoteka.pipeline.verify.environment import Surroundings

DVC = (sys.executable, "-m", "dvc")
REMOTE = "cache-at-hand"


class Copy:
    """A clone and how commands run in it."""

    def __init__(self, folder: Path, around: Surroundings, cache: Path) -> None:
        """Clone the repository of the current folder.

        Args:
            folder: a new one; the project's is a folder of it in a larger repository.
            around: what surrounds all commands.
            cache: where data may be taken from.
        """
        self.around, beside = around, folder.parent
        self.environment = build_environment.variables(around, beside / "site")
        commands, self.folder = clone_of_head(Path.cwd(), folder)
        for command in commands:
            done = self._start(command, Path.cwd(), capture_output=True)
            if done.returncode:
                raise UserError(f"git clone: {shortly(done.stderr)}")
        # Relative to .dvc, and so in ASCII wherever the two are: dvc writes its settings in nothing
        # else. Its own cache, wherever a person keeps those of all checkouts.
        (beside / REMOTE).symlink_to(cache, target_is_directory=True)
        settings = self.folder / ".dvc"
        url = Path(os.path.relpath(beside / REMOTE, settings)).as_posix()
        (settings / "config.local").write_text(
            f"[cache]\n    dir = cache\n['remote \"{REMOTE}\"']\n    url = {url}\n"
        )

    def take(self, paths: Sequence[str]) -> None:
        """Bring data here from the cache at hand, and nothing else: no result of a stage's run.

        Raises:
            ValueError: the cache doesn't have it.
        """
        if not paths:
            return
        done = self._start(
            [*DVC, "pull", "--quiet", "--remote", REMOTE, *paths], capture_output=True
        )
        if done.returncode:
            raise UserError(
                f"{', '.join(paths)}: not whole in the cache, so fetch it with dvc pull; "
                f"dvc said: {shortly(done.stderr)}"
            )

    def forget(self, paths: Iterable[str]) -> None:
        """Remove outputs: what is in git was cloned and would pass for rebuilt."""
        for path in (self.folder / name for name in paths):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def turn_round(self) -> None:
        """Make all files anew, the last of each folder first."""
        for path in sorted(self.folder.iterdir()):
            if path.name not in (".git", ".dvc"):
                aside = path.with_name(f".{path.name}.aside")
                path.rename(aside)
                copy_backwards(aside, path)
                shutil.rmtree(aside) if aside.is_dir() else aside.unlink()

    def build(self) -> int:
        """Rebuild the whole pipeline, in sight of the terminal, and return the exit code."""
        (self.folder / "dvc.lock").unlink(missing_ok=True)
        jobs = ("--jobs", str(build_environment.jobs(self.around)))
        return self._start([sys.executable, "-m", "fonoteka", "repro", *jobs]).returncode

    def build_alone(self, stage: str) -> int:
        """Run one stage, whatever is known of it, and return the exit code."""
        options = ("--single-item", "--force", "--no-run-cache")
        return self._start([*DVC, "repro", *options, stage]).returncode

    def _start(
        self, command: Sequence[str], folder: Path | None = None, *, capture_output: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a command that ends with this process, however this one ends."""
        pipe = subprocess.PIPE if capture_output else None
        with subprocess.Popen(
            command, cwd=folder or self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=pipe, stderr=pipe, encoding="utf-8", errors="replace",
            preexec_fn=child_preexec(),
        ) as process:  # fmt: skip
            try:
                out, err = process.communicate()
            except BaseException:
                process.terminate()  # the runner then stops its stages
                process.wait()
                raise
        return subprocess.CompletedProcess(command, process.returncode, out or "", err or "")


def shortly(said: str) -> str:
    r"""Return the end of what a command said, without dvc's offer of help.

    >>> shortly("ERROR: no\n\nHaving any troubles? Hit us up at ..., we are happy to help!\n")
    'ERROR: no'
    """
    lines = (line for line in said.splitlines() if not line.startswith("Having any troubles?"))
    return " ".join(" ".join(lines).split())[-400:]


def copy_backwards(source: Path, target: Path) -> None:
    """Copy a file, or a folder with its last entry first."""
    if source.is_symlink() or source.is_file():
        shutil.copy(source, target, follow_symlinks=False)
        return
    target.mkdir()
    for path in sorted(source.iterdir(), reverse=True):
        copy_backwards(path, target / path.name)


@contextmanager
def copied(around: Surroundings, cache: Path) -> Iterator[Copy]:
    """Give a clone of the last commit, and remove it when the block ends."""
    with TemporaryDirectory(prefix="verify-") as top, build_environment.entered(around):
        yield Copy(Path(top).resolve() / around.folder, around, cache)
