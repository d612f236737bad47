"""Walk git's history for what still points to recordings, or names a person."""

from __future__ import annotations

import os
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Seen:
    """What a commit has of two files, as git's hashes; empty where it has none.

    Attributes:
        pointer: of data/raw/NAME.dvc.
        lock: of dvc.lock.
    """

    pointer: str
    lock: str


@dataclass
class History:
    """What the commits of all branches, tags and other refs have.

    Attributes:
        commits: what each has.
        tips: branch, tag or other ref to its commit.
    """

    commits: dict[str, Seen] = field(default_factory=dict)
    tips: dict[str, str] = field(default_factory=dict)

    def of_pointer(self) -> dict[str, list[str]]:
        """Return the commits that have each version of the pointer."""
        found: dict[str, list[str]] = defaultdict(list)
        for commit, seen in self.commits.items():
            if seen.pointer:
                found[seen.pointer].append(commit)
        return dict(found)

    def tips_at(self, commits: Iterable[str]) -> list[str]:
        """Return the refs that stand at one of some commits, sorted."""
        among = set(commits)
        return sorted(name for name, commit in self.tips.items() if commit in among)


def is_checkout(root: Path) -> bool:
    """Tell whether a folder is the top of a git checkout that has a commit."""
    return (root / ".git").exists() and _call(root, "rev-parse", "--verify", "HEAD") is not None


def history_of(root: Path, pointer: str, lock: str = "dvc.lock") -> History:
    """Return what all commits have of two files; nothing outside of a checkout."""
    if not is_checkout(root):
        return History()
    commits = _git(root, "rev-list", "--all", "HEAD").split()
    asked = "".join(f"{commit}:{path}\n" for commit in commits for path in (pointer, lock))
    said = _git(root, "cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=asked)
    blobs = [line.split()[1] if line.startswith("blob ") else "" for line in said.splitlines()]
    seen = map(Seen, blobs[::2], blobs[1::2])
    tips = {}
    form = "%(refname:short) %(objectname) %(*objectname)"
    for line in _git(root, "for-each-ref", f"--format={form}").splitlines():
        name, *objects = line.split()
        tips[name] = objects[-1]  # of an annotated tag the commit, which comes last
    return History(dict(zip(commits, seen, strict=True)), tips)


def text_of(root: Path, blob: str) -> str:
    """Return the text of a file as git has it."""
    return _git(root, "cat-file", "blob", blob)


def md5_of(pointer: str) -> str:
    r"""Return the hash in the text of a .dvc file; empty where it has none.

    >>> md5_of("outs:\n- md5: abc.dir\n  path: mine\n")
    'abc.dir'
    """
    try:
        document = yaml.safe_load(pointer)
    except yaml.YAMLError:
        return ""
    outs = document.get("outs") if isinstance(document, dict) else None
    return str(outs[0].get("md5", "")) if outs and isinstance(outs[0], dict) else ""


def tracked_that_name(root: Path, words: Sequence[str]) -> list[str]:
    """Return the files of the checkout that git tracks and that hold a word, in any case."""
    if not is_checkout(root) or not words:
        return []
    patterns = [part for word in words for part in ("-e", word)]
    # 1 is git's way to say that there is none
    said = _call(root, "grep", "-l", "-z", "-I", "-i", "--fixed-strings", *patterns)
    return sorted(filter(None, (said or "").split("\0")))


def past_that_names(root: Path, words: Sequence[str]) -> dict[str, int]:
    """Return the files that held a word in any commit, and in how many commits that changed."""
    found: dict[str, set[str]] = defaultdict(set)
    for word in words if is_checkout(root) else ():
        commit = ""
        form = ("--format=%x01%H", "--name-only", "-z", "--no-renames")
        for part in _git(root, "log", "--all", "HEAD", *form, "-i", f"-S{word}", "--").split("\0"):
            name = part.strip("\n")
            if name.startswith("\x01"):
                commit = name
            elif name:
                found[name].add(commit)
    return {name: len(commits) for name, commits in sorted(found.items())}


def tracked(root: Path) -> frozenset[str]:
    """Return the files that git tracks."""
    if not is_checkout(root):
        return frozenset()
    return frozenset(filter(None, _git(root, "ls-files", "-z").split("\0")))


def branch(root: Path) -> str:
    """Return the branch that is checked out; empty where there is none."""
    return (_call(root, "symbolic-ref", "--short", "--quiet", "HEAD") or "").strip()


def _git(root: Path, *arguments: str, stdin: str = "") -> str:
    """Return what git says.

    Raises:
        ValueError: git failed.
    """
    said = _call(root, *arguments, stdin=stdin)
    if said is None:
        raise ValueError(f"git {arguments[0]} failed in {root.resolve()}; try it there yourself")
    return said


def _call(root: Path, *arguments: str, stdin: str = "") -> str | None:
    """Return what git says, or None where it fails or isn't there."""
    environment: Mapping[str, str] = os.environ | {"LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, input=stdin.encode(), capture_output=True, check=False,
            env=environment,
        )  # fmt: skip
    except FileNotFoundError:
        return None
    return None if done.returncode else done.stdout.decode("utf-8", "replace")
