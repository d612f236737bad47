"""A temporary clone of the last commit, with its own cache that contains no result."""

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
from fonoteka.pipeline.verify.environment import BuildEnvironment

DVC = (sys.executable, "-m", "dvc")
REMOTE = "cache-at-hand"


class CleanClone:
    """A clone, and the environment in which commands run in it.

    Attributes:
        folder: of the project in the clone; inside it in a larger repository.
        environment: of all commands.
        variables: environment variables of all commands.
    """

    def __init__(self, folder: Path, environment: BuildEnvironment, cache: Path) -> None:
        """Clone the repository of the current folder.

        Args:
            folder: a new folder for the clone.
            environment: of all commands.
            cache: the cache from which data may be copied.
        """
        self.environment, parent = environment, folder.parent
        self.variables = build_environment.variables(environment, parent / "site")
        commands, self.folder = clone_of_head(Path.cwd(), folder)
        for command in commands:
            done = self._start(command, Path.cwd(), capture_output=True)
            if done.returncode:
                raise UserError(f"git clone: {shorten_output(done.stderr)}")
        # Relative to .dvc and therefore in ASCII: dvc writes its settings in no other encoding.
        # The cache is set too, because the user's settings may name one for all checkouts.
        (parent / REMOTE).symlink_to(cache, target_is_directory=True)
        settings = self.folder / ".dvc"
        url = Path(os.path.relpath(parent / REMOTE, settings)).as_posix()
        (settings / "config.local").write_text(
            f"[cache]\n    dir = cache\n['remote \"{REMOTE}\"']\n    url = {url}\n"
        )

    def pull(self, paths: Sequence[str]) -> None:
        """Copy data from the cache of the checkout, and nothing else: no result of a stage.

        Raises:
            UserError: the cache does not have it.
        """
        if not paths:
            return
        done = self._start(
            [*DVC, "pull", "--quiet", "--remote", REMOTE, *paths], capture_output=True
        )
        if done.returncode:
            raise UserError(
                f"{', '.join(paths)}: incomplete in the cache; fetch it with dvc pull "
                f"(dvc: {shorten_output(done.stderr)})"
            )

    def remove_outputs(self, paths: Iterable[str]) -> None:
        """Remove outputs: those in git were cloned and would otherwise count as rebuilt."""
        for path in (self.folder / name for name in paths):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def reverse_file_order(self) -> None:
        """Create all files again, the last of each folder first."""
        for path in sorted(self.folder.iterdir()):
            if path.name not in (".git", ".dvc"):
                original = path.with_name(f".{path.name}.aside")
                path.rename(original)
                copy_in_reverse(original, path)
                shutil.rmtree(original) if original.is_dir() else original.unlink()

    def build(self) -> int:
        """Rebuild the whole pipeline with its output on the terminal, and return the exit code."""
        (self.folder / "dvc.lock").unlink(missing_ok=True)
        jobs = ("--jobs", str(build_environment.jobs(self.environment)))
        return self._start([sys.executable, "-m", "fonoteka", "repro", *jobs]).returncode

    def build_alone(self, stage: str) -> int:
        """Run one stage, even if it is up to date, and return the exit code."""
        options = ("--single-item", "--force", "--no-run-cache")
        return self._start([*DVC, "repro", *options, stage]).returncode

    def _start(
        self, command: Sequence[str], folder: Path | None = None, *, capture_output: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a command that is stopped when this process ends, for whatever reason."""
        pipe = subprocess.PIPE if capture_output else None
        with subprocess.Popen(
            command, cwd=folder or self.folder, env=self.variables, stdin=subprocess.DEVNULL,
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


def shorten_output(output: str) -> str:
    r"""Return the last 400 characters of a command's output, without dvc's offer of help.

    >>> shorten_output("ERROR: no\n\nHaving any troubles? Hit us up at ..., happy to help!\n")
    'ERROR: no'
    """
    lines = (line for line in output.splitlines() if not line.startswith("Having any troubles?"))
    return " ".join(" ".join(lines).split())[-400:]


def copy_in_reverse(source: Path, target: Path) -> None:
    """Copy a file, or a folder with its last entry first."""
    if source.is_symlink() or source.is_file():
        shutil.copy(source, target, follow_symlinks=False)
        return
    target.mkdir()
    for path in sorted(source.iterdir(), reverse=True):
        copy_in_reverse(path, target / path.name)


@contextmanager
def cloned(environment: BuildEnvironment, cache: Path) -> Iterator[CleanClone]:
    """Yield a clone of the last commit, and remove it when the block ends."""
    with TemporaryDirectory(prefix="verify-") as top, build_environment.applied(environment):
        yield CleanClone(Path(top).resolve() / environment.folder, environment, cache)
