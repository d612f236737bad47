"""Read the state of a merge that stopped: the files in conflict, and both versions of each.

A rebase and a cherry-pick stop in the same way, and so does a stash that conflicts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fonoteka.git import git, git_top, names, prefix

OTHERS = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REBASE_HEAD")
OURS, THEIRS = 2, 3  # as git numbers the sides in its index
_MARKS = re.compile(r"^(<{7}|>{7})( |$)", re.MULTILINE)


@dataclass(frozen=True)
class UnfinishedMerge:
    """A merge that stopped with conflicts.

    Attributes:
        conflicts: the sides that have each file in conflict.
        theirs: the commit that is merged in; empty if git records none.
    """

    conflicts: dict[str, frozenset[int]]
    theirs: str

    def texts(self, path: str) -> tuple[str | None, str | None]:
        """Return the text of a file in ours and in theirs; None for a side without it.

        The working tree is not read: outside the conflict marks git has merged the text line by
        line, and such a lock file would describe builds that never happened.
        """
        sides = self.conflicts.get(path)
        if sides is not None:
            ours, theirs = (
                _text_at(f":{n}:./{path}") if n in sides else None for n in (OURS, THEIRS)
            )
            return ours, theirs
        if self.theirs:  # merged as text, or added to the index with marks
            return _text_at(f"HEAD:./{path}"), _text_at(f"{self.theirs}:./{path}")
        return None, None

    def take(self, path: str, side: int) -> None:
        """Check out a side's version of a file or folder; do nothing if the side has none.

        A file in conflict stays in conflict for git.
        """
        option = {OURS: "--ours", THEIRS: "--theirs"}[side]
        for name, sides in self.conflicts.items():
            if side in sides and f"{name}/".startswith(f"{path}/"):
                git("checkout", option, "--", name)
        commit = {OURS: "HEAD", THEIRS: self.theirs}[side]
        if commit and git("ls-tree", "--name-only", commit, "--", f"./{path}").strip():
            git("restore", f"--source={commit}", "--worktree", "--", path)


def unfinished_merge() -> UnfinishedMerge:
    """Return the merge that stopped; empty if absent."""
    sides_of: dict[str, set[int]] = {}
    for entry in names("ls-files", "--unmerged", "-z"):
        mode_hash_side, _, path = entry.partition("\t")
        sides_of.setdefault(path, set()).add(int(mode_hash_side.split()[2]))
    conflicts = {path: frozenset(sides) for path, sides in sides_of.items()}
    others = (commit for name in OTHERS if (commit := _commit(name)))
    return UnfinishedMerge(conflicts, next(others, ""))


def conflicts_outside() -> list[str]:
    """Return the conflicts of a larger repository outside the project, relative to git's top."""
    project = prefix()
    entries = names("ls-files", "--unmerged", "-z", root=git_top()) if project else []
    paths = dict.fromkeys(entry.partition("\t")[2] for entry in entries)
    return [path for path in paths if not path.startswith(project)]


def has_conflict_marks(text: str) -> bool:
    r"""Return whether a text contains the marks that git leaves around a conflict.

    >>> has_conflict_marks("a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> other\n")
    True
    >>> has_conflict_marks("a heading\n=======\n")
    False
    """
    return len({match[1] for match in _MARKS.finditer(text)}) == 2


def files_with_marks(paths: Sequence[str]) -> list[str]:
    """Return the files in git, at or below some paths, that contain conflict marks."""
    marked = []
    for name in dict.fromkeys(names("ls-files", "-z", "--", *paths)):
        if Path(name).is_file() and b"<<<<<<<" in (data := Path(name).read_bytes()):
            marked += [name] * has_conflict_marks(data.decode("utf-8", "replace"))
    return marked


def _commit(name: str) -> str:
    """Return the commit hash of a name, or nothing."""
    # `rev-parse --verify` finds a branch of that name too, so the file of git must exist.
    path = Path(git("rev-parse", "--git-path", name).rstrip(os.linesep))
    return git("rev-parse", "--verify", f"{name}^{{commit}}").strip() if path.is_file() else ""


def _text_at(revision_path: str) -> str | None:
    """Return the text of a file at a commit or in the index; None if it does not exist."""
    try:
        return git("show", revision_path)
    except ValueError:
        return None
