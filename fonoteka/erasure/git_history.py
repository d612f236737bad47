"""Walk git's history for what still points to recordings, or names a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from fonoteka.git import git, has_commit, names


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


def history_of(root: Path, pointer: str, lock: str = "dvc.lock") -> History:
    """Return what all commits have of two files below `root`; nothing outside of a checkout."""
    if not has_commit(root):
        return History()
    commits = git("rev-list", "--all", "HEAD", root=root).split()
    asked = "".join(f"{commit}:./{path}\n" for commit in commits for path in (pointer, lock))
    form = "%(objecttype) %(objectname)"
    said = git("cat-file", f"--batch-check={form}", root=root, stdin=asked)
    blobs = [line.split()[1] if line.startswith("blob ") else "" for line in said.splitlines()]
    seen = map(Seen, blobs[::2], blobs[1::2])
    tips = {}
    form = "%(refname:short) %(objectname) %(*objectname)"
    for line in git("for-each-ref", f"--format={form}", root=root).splitlines():
        name, *objects = line.split()
        tips[name] = objects[-1]  # of an annotated tag the commit, which comes last
    return History(dict(zip(commits, seen, strict=True)), tips)


def text_of(root: Path, blob: str) -> str:
    """Return the text of a file as git has it."""
    return git("cat-file", "blob", blob, root=root, errors="replace")


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
    if not has_commit(root) or not words:
        return []
    patterns = [part for word in words for part in ("-e", word)]
    options = ("-l", "-z", "-I", "-i", "--no-color", "--no-full-name", "--fixed-strings")
    try:
        return sorted(names("grep", *options, *patterns, root=root))
    except ValueError as error:
        if str(error) == "git grep: ":  # git's way to say that there is none
            return []
        raise


def past_that_names(root: Path, words: Sequence[str]) -> dict[str, int]:
    """Return the files that held a word in any commit, and in how many commits that changed.

    Only files below `root`, from there: a larger repository's other files are not the project's.
    """
    found: dict[str, set[str]] = defaultdict(set)
    form = ("--format=%x01%H", "--name-only", "-z", "--no-renames", "--no-show-signature")
    for word in words if has_commit(root) else ():
        commit, how = "", (*form, "--relative", "-i", f"-S{word}", "--", ".")
        for part in names("log", "--all", "HEAD", *how, root=root):
            name = part.strip("\n")
            if name.startswith("\x01"):
                commit = name
            elif name:
                found[name].add(commit)
    return {name: len(commits) for name, commits in sorted(found.items())}


def tracked(root: Path) -> frozenset[str]:
    """Return the files below `root` that git tracks, from there."""
    return frozenset(names("ls-files", "-z", root=root)) if has_commit(root) else frozenset()


def branch(root: Path) -> str:
    """Return the branch that is checked out; empty where there is none."""
    if not has_commit(root):
        return ""
    try:
        return git("symbolic-ref", "--short", "--quiet", "HEAD", root=root).strip()
    except ValueError:
        return ""
