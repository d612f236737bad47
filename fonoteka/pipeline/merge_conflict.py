"""What git knows of a merge that stopped: which files are in conflict, and what each side had.

A rebase and a cherry-pick stop in the same way, and so does a stash that doesn't fit.
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
class Merge:
    """A merge that waits for a person.

    Attributes:
        conflicts: file to the sides that have it, of those in conflict.
        theirs: the commit that is merged in; empty where git doesn't know one.
    """

    conflicts: dict[str, frozenset[int]]
    theirs: str

    def texts(self, path: str) -> tuple[str | None, str | None]:
        """Return a file as ours and as theirs have it; None for a side without it.

        What git left in the working tree is not asked: between the marks it has put what fits
        together as text, and a lock file of such lines tells of builds that never were.
        """
        sides = self.conflicts.get(path)
        if sides is not None:
            ours, theirs = (
                _shown(f":{n}:./{path}") if n in sides else None for n in (OURS, THEIRS)
            )
            return ours, theirs
        if self.theirs:  # merged as text, or added to the index with marks
            return _shown(f"HEAD:./{path}"), _shown(f"{self.theirs}:./{path}")
        return None, None

    def take(self, path: str, side: int) -> None:
        """Give the working tree a file, or a folder, as a side has it; nothing where it has none.

        What is in conflict stays so for git.
        """
        word = {OURS: "--ours", THEIRS: "--theirs"}[side]
        for name, sides in self.conflicts.items():
            if side in sides and f"{name}/".startswith(f"{path}/"):
                git("checkout", word, "--", name)
        commit = {OURS: "HEAD", THEIRS: self.theirs}[side]
        if commit and git("ls-tree", "--name-only", commit, "--", f"./{path}").strip():
            git("restore", f"--source={commit}", "--worktree", "--", path)


def under_way() -> Merge:
    """Return what git knows; without conflicts and without another side where nothing is merged."""
    found: dict[str, set[int]] = {}
    for entry in names("ls-files", "--unmerged", "-z"):
        about, _, path = entry.partition("\t")
        found.setdefault(path, set()).add(int(about.split()[2]))
    conflicts = {path: frozenset(sides) for path, sides in found.items()}
    others = (commit for name in OTHERS if (commit := _commit(name)))
    return Merge(conflicts, next(others, ""))


def elsewhere() -> list[str]:
    """Return what is in conflict in a larger repository beside the project, from git's top."""
    project = prefix()
    entries = names("ls-files", "--unmerged", "-z", root=git_top()) if project else []
    paths = dict.fromkeys(entry.partition("\t")[2] for entry in entries)
    return [path for path in paths if not path.startswith(project)]


def marked(text: str) -> bool:
    r"""Return whether a text holds the marks that git leaves around a conflict.

    >>> marked("a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> other\n")
    True
    >>> marked("a heading\n=======\n")
    False
    """
    return len({match[1] for match in _MARKS.finditer(text)}) == 2


def with_marks(paths: Sequence[str]) -> list[str]:
    """Return those files that git has at or below some paths and that hold marks."""
    found = []
    for name in dict.fromkeys(names("ls-files", "-z", "--", *paths)):
        if Path(name).is_file() and b"<<<<<<<" in (data := Path(name).read_bytes()):
            found += [name] * marked(data.decode("utf-8", "replace"))
    return found


def _commit(name: str) -> str:
    """Return the hash that a name stands for, or nothing."""
    # `rev-parse --verify` finds a branch of that name as well; these files are git's own.
    path = Path(git("rev-parse", "--git-path", name).rstrip(os.linesep))
    return git("rev-parse", "--verify", f"{name}^{{commit}}").strip() if path.is_file() else ""


def _shown(what: str) -> str | None:
    """Return the text of a file at a commit or in the index; None where it isn't there."""
    try:
        return git("show", what)
    except ValueError:
        return None
