"""Run git on the checkout around a folder.

All modules that call git use this one. The top of the project, where `.dvc` is, need not be git's
top: it may be a folder of a larger repository, a submodule or a linked worktree. git resolves some
paths from its own top and some from the current folder, so the functions here pass `./path` or set
the folder, and return paths relative to the project's top.

A git hook runs with GIT_DIR and GIT_INDEX_FILE set. With GIT_DIR alone, git takes the current
folder for the top of the checkout, so a project in a larger repository would be read at wrong
paths, and a hook of another repository would make git read that repository. If the folder itself is
in a checkout, these variables are removed.
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
"""Variables that select another repository than the one around a folder.

They are those of `git rev-parse --local-env-vars` without GIT_CONFIG_*, which may contain
`safe.directory`.
"""
PATHSPECS = frozenset(f"GIT_{kind}_PATHSPECS" for kind in ("GLOB", "ICASE", "LITERAL", "NOGLOB"))
# Brackets in paths are literal, commands that only read do not lock the index, and messages are
# English.
PLAIN = {"GIT_LITERAL_PATHSPECS": "1", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


class GitError(UserError):
    """git exited with another code than 0.

    Attributes:
        code: the exit code. Some commands answer "no" with 1, such as `git grep` without a match.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def dvc_top(folder: Path | None = None) -> Path | None:
    """Return the nearest parent with `.dvc`, of the current folder by default, or None."""
    start = (folder or Path.cwd()).resolve()
    return next((parent for parent in (start, *start.parents) if (parent / ".dvc").is_dir()), None)


def project(folder: Path | None = None) -> Path:
    """Return the top of the project around a folder: `dvc_top`, or the folder itself.

    Args:
        folder: the current one by default.
    """
    return dvc_top(folder) or (folder or Path.cwd()).resolve()


@contextmanager
def entered() -> Iterator[Path]:
    """Run the block at the top of the project, without the variables that a git hook sets.

    dvc and the commands that are started inside the block inherit both.
    """
    top = project()
    hook = ELSEWHERE & os.environ.keys() if _has_dot_git(top) else frozenset()
    removed = {name: os.environ.pop(name) for name in hook}
    try:
        with chdir(top):
            yield top
    finally:
        os.environ.update(removed)


def given_path(text: str) -> Path:
    """Return a path of the command line that is also valid at the top of the project.

    A path that is given in another folder counts from there, and becomes absolute.
    """
    path, current = Path(text), Path.cwd()
    return path if path.is_absolute() or project(current) == current else current / path


def git(*arguments: str, root: Path | None = None, stdin: str = "", errors: str = "strict") -> str:
    """Return the output of a git command.

    Args:
        arguments: the command and its arguments.
        root: the folder to run in; the current one by default.
        stdin: the command's standard input.
        errors: handling of bytes that are not UTF-8, as in `bytes.decode`.

    Raises:
        GitError: git failed.
        UnicodeDecodeError: the output is not UTF-8 and `errors` is "strict".
        FileNotFoundError: git is not installed.
    """
    return _git(arguments, root, stdin).decode("utf-8", errors)


def names(*arguments: str, root: Path | None = None) -> list[str]:
    """Return the paths that a command with `-z` lists; bytes that are not UTF-8 are kept."""
    return [os.fsdecode(part) for part in _git(arguments, root, "").split(b"\0") if part]


def _git(arguments: Sequence[str], root: Path | None, stdin: str) -> bytes:
    result = subprocess.run(
        ["git", *arguments], cwd=root, input=stdin.encode(), capture_output=True, check=False,
        env=environment(root or Path.cwd()),
    )  # fmt: skip
    if result.returncode:
        message = result.stderr.decode("utf-8", "replace").strip()
        raise GitError(f"git {arguments[0]}: {message[-300:]}", result.returncode)
    return result.stdout


def _path(root: Path | None, option: str) -> str:
    """Return a path that `git rev-parse` prints; it need not be UTF-8."""
    return os.fsdecode(_git(("rev-parse", option), root, "")).removesuffix("\n")


def environment(folder: Path) -> dict[str, str]:
    """Return the environment in which git reads the repository around a folder."""
    removed = PATHSPECS | (ELSEWHERE if _has_dot_git(folder.resolve()) else frozenset())
    return {name: value for name, value in os.environ.items() if name not in removed} | PLAIN


def _has_dot_git(folder: Path) -> bool:
    """Return whether a folder is in a checkout; in a worktree or submodule .git is a file."""
    return any((parent / ".git").exists() for parent in (folder, *folder.parents))


def is_checkout(root: Path | None = None) -> bool:
    """Return whether a folder is in a git checkout.

    Raises:
        ValueError: git refuses the folder, for example because another user owns it.
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
    """Return whether a folder is in a git checkout that has a commit.

    Raises:
        ValueError: git refuses the folder, or there is a checkout but git is not installed.
    """
    folder = (root or Path.cwd()).resolve()
    try:
        if not is_checkout(root):
            return False
    except FileNotFoundError as error:
        if not _has_dot_git(folder):
            return False
        raise UserError(f"{folder}: a git checkout, but git is not installed") from error
    try:
        git("rev-parse", "--verify", "--quiet", "HEAD", root=root)
    except GitError as error:
        if error.code == 1:  # no commit yet; 128 is a failure, such as a damaged repository
            return False
        raise
    return True


def prefix(root: Path | None = None) -> str:
    """Return a folder's path relative to git's top, with a trailing slash; empty at the top."""
    return _path(root, "--show-prefix")


def git_top(root: Path | None = None) -> Path:
    """Return the top of the git checkout around a folder, which may be above the project's."""
    return Path(_path(root, "--show-toplevel"))


def unclean(except_for: Path) -> list[str]:
    """Return the files below the current folder that differ from the last commit.

    Ignored files, the file `except_for`, and files of a larger repository outside the project do
    not count.
    """
    # git prints these paths relative to its top, whatever the current folder is.
    options = ("--porcelain", "-z", "--untracked-files=all", "--no-renames")
    entries = names("status", *options, "--", ".")
    subfolder = prefix()
    changed = (entry[3:].removeprefix(subfolder) for entry in entries)
    return [path for path in changed if path != except_for.as_posix()]


def listed(paths: Sequence[str]) -> list[str]:
    """Return the tracked files at or below some paths."""
    return names("ls-files", "-z", "--", *paths) if paths else []


def clone_of_head(root: Path, target: Path) -> tuple[list[list[str]], Path]:
    """Return the commands that clone the last commit, and the project's folder in the clone.

    The clone is of git's top. The commit is named explicitly, because the HEAD of a linked worktree
    or a checkout without a branch is not the one that a clone would check out.

    Args:
        root: the top of a project.
        target: a new folder.

    Raises:
        ValueError: the last commit has no such project.
    """
    subfolder = prefix(root)
    head = git("rev-parse", "--verify", "HEAD^{commit}", root=root).strip()
    if not names("ls-tree", "-z", "--name-only", head, root=root):
        raise UserError(f"{root}: nothing of it is in the last commit; commit it first")
    commands = [
        ["git", "clone", "--quiet", "--no-checkout", str(git_top(root)), str(target)],
        ["git", "-C", str(target), "checkout", "--quiet", "--detach", head],
    ]
    return commands, target / subfolder
