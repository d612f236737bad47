"""Ask git about the working tree."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stages.tools.revision import git


def top() -> Path:
    """Return the top of the checkout around the current folder.

    Raises:
        ValueError: there is none.
    """
    return Path(git("rev-parse", "--show-toplevel").rstrip("\n"))


def unclean(except_for: Path) -> list[str]:
    """Return the files that are not as in the last commit, and such that it doesn't have.

    What git ignores doesn't count, and neither does one file.
    """
    said = git("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames")
    changed = (entry[3:] for entry in said.split("\0") if entry)
    return [path for path in changed if path != except_for.as_posix()]


def listed(paths: Sequence[str]) -> list[str]:
    """Return the files that git has at or below some paths."""
    return list(filter(None, git("ls-files", "-z", "--", *paths).split("\0"))) if paths else []
