"""Ask git about the checkout around a folder, whatever that folder is to git.

All tools that ask git do it here. The top of the project, where `.dvc` is, need not be git's top:
it may be a folder of a larger repository, a submodule or a linked worktree. git counts some paths
from its own top and some from the current folder, so each command here is given `./path`, or a
folder to stay in, and returns paths from the project's top.

A git hook runs with GIT_DIR and GIT_INDEX_FILE set. With GIT_DIR alone git takes the current
folder for the top of the checkout, so a project in a larger repository would be read at wrong
paths, and a hook of another repository would answer from that one. Where the folder itself lies in
a checkout, these variables do not count.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path

from fonoteka.core.errors import UserError

ELSEWHERE = frozenset({
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_DIR", "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_INTERNAL_SUPER_PREFIX", "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE", "GIT_WORK_TREE",
})  # fmt: skip
"""Variables that name another repository than the one around a folder.

Those of `git rev-parse --local-env-vars`, without GIT_CONFIG_*: `safe.directory` may be set there.
"""
PATHSPECS = frozenset(f"GIT_{kind}_PATHSPECS" for kind in ("GLOB", "ICASE", "LITERAL", "NOGLOB"))
# A path is a path, with brackets too; a question does not lock the index; messages are English.
PLAIN = {"GIT_LITERAL_PATHSPECS": "1", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


def dvc_top(folder: Path | None = None) -> Path | None:
    """Return the nearest folder around one that has `.dvc`, the current by default, or None."""
    start = (folder or Path.cwd()).resolve()
    return next((one for one in (start, *start.parents) if (one / ".dvc").is_dir()), None)


def project(folder: Path | None = None) -> Path:
    """Return the top of the project around a folder: `dvc_top`, or the folder itself.

    Args:
        folder: the current one by default.
    """
    return dvc_top(folder) or (folder or Path.cwd()).resolve()


@contextmanager
def entered() -> Iterator[Path]:
    """Work at the top of the project inside the block, and let no git hook lead git or dvc away.

    dvc and the commands that are started inside inherit both.
    """
    top = project()
    led = {name: os.environ.pop(name) for name in ELSEWHERE & os.environ.keys() if _dot_git(top)}
    try:
        with chdir(top):
            yield top
    finally:
        os.environ.update(led)


def given_path(text: str) -> Path:
    """Return a path of the command line such that it stays right at the top of the project.

    For argparse: a path given in another folder counts from there, and becomes absolute.
    """
    path, here = Path(text), Path.cwd()
    return path if path.is_absolute() or project(here) == here else here / path


def git(*arguments: str, root: Path | None = None, stdin: str = "", errors: str = "strict") -> str:
    """Return what git says.

    Args:
        arguments: the command and its words.
        root: the folder to ask in; the current one by default.
        stdin: what the command reads.
        errors: what becomes of bytes that are not UTF-8, as for `bytes.decode`.

    Raises:
        ValueError: git failed, or answered with what is not UTF-8.
        FileNotFoundError: git is not installed.
    """
    return _git(arguments, root, stdin).decode("utf-8", errors)


def names(*arguments: str, root: Path | None = None) -> list[str]:
    """Return the paths that a command with `-z` lists; one that is not UTF-8 is kept as it is."""
    return [os.fsdecode(part) for part in _git(arguments, root, "").split(b"\0") if part]


def _git(arguments: Sequence[str], root: Path | None, stdin: str) -> bytes:
    done = subprocess.run(
        ["git", *arguments], cwd=root, input=stdin.encode(), capture_output=True, check=False,
        env=environment(root or Path.cwd()),
    )  # fmt: skip
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise UserError(f"git {arguments[0]}: {said[-300:]}")
    return done.stdout


def _path(root: Path | None, what: str) -> str:
    """Return a path that `git rev-parse` gives, which need not be UTF-8."""
    return os.fsdecode(_git(("rev-parse", what), root, "")).removesuffix("\n")


def environment(folder: Path) -> dict[str, str]:
    """Return the environment in which git answers for a folder."""
    gone = PATHSPECS | (ELSEWHERE if _dot_git(folder.resolve()) else frozenset())
    return {name: value for name, value in os.environ.items() if name not in gone} | PLAIN


def _dot_git(folder: Path) -> bool:
    """Return whether a folder lies in a checkout; in a worktree or submodule .git is a file."""
    return any((one / ".git").exists() for one in (folder, *folder.parents))


def is_checkout(root: Path | None = None) -> bool:
    """Return whether a folder lies in a git checkout.

    Raises:
        ValueError: git refuses to look, as where the folder is another user's.
        FileNotFoundError: git is not installed.
    """
    try:
        git("rev-parse", "--git-dir", root=root)
    except ValueError as error:
        if "not a git repository" in str(error):
            return False
        raise
    return True


def has_commit(root: Path | None = None) -> bool:
    """Return whether a folder lies in a git checkout that has a commit.

    Raises:
        ValueError: git refuses to look, or is not installed where there is a checkout.
    """
    folder = (root or Path.cwd()).resolve()
    try:
        if not is_checkout(root):
            return False
    except FileNotFoundError as error:
        if not _dot_git(folder):
            return False
        raise UserError(f"{folder}: a git checkout, but git is not installed") from error
    try:
        git("rev-parse", "--verify", "--quiet", "HEAD", root=root)
    except ValueError:
        return False
    return True


def prefix(root: Path | None = None) -> str:
    """Return where a folder lies below git's top, with a slash at its end; empty at the top."""
    return _path(root, "--show-prefix")


def git_top(root: Path | None = None) -> Path:
    """Return the top of the git checkout around a folder, which may be above the project's."""
    return Path(_path(root, "--show-toplevel"))


def unclean(except_for: Path) -> list[str]:
    """Return the files below the current folder that are not as in the last commit.

    What git ignores doesn't count, and neither does one file. What a larger repository has beside
    the project doesn't either.
    """
    # From git's top, whatever the current folder is.
    said = names("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", "--", ".")
    before = prefix()
    changed = (entry[3:].removeprefix(before) for entry in said)
    return [path for path in changed if path != except_for.as_posix()]


def listed(paths: Sequence[str]) -> list[str]:
    """Return the files that git has at or below some paths."""
    return names("ls-files", "-z", "--", *paths) if paths else []


def clone_of_head(root: Path, to: Path) -> tuple[list[list[str]], Path]:
    """Return the commands that clone the last commit, and where the project lies in the clone.

    It is cloned from git's top. The commit is named, since a linked worktree or a checkout without
    a branch has another HEAD than what a clone would take.

    Args:
        root: the top of a project.
        to: a new folder.

    Raises:
        ValueError: the last commit has no such project.
    """
    before = prefix(root)
    head = git("rev-parse", "--verify", "HEAD^{commit}", root=root).strip()
    if not names("ls-tree", "-z", "--name-only", head, root=root):
        raise UserError(f"{root}: nothing of it is in the last commit; commit it first")
    commands = [
        ["git", "clone", "--quiet", "--no-checkout", str(git_top(root)), str(to)],
        ["git", "-C", str(to), "checkout", "--quiet", "--detach", head],
    ]
    return commands, to / before
