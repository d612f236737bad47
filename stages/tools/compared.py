"""Hold what a rebuild wrote to what `dvc.lock` says, output for output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from stages.tools.judge import Number, Report, plain, read
from stages.tools.promises import Promised

Lock = Mapping[str, Mapping[str, Any]]
"""The entries of a lock file by stage."""


@dataclass(frozen=True)
class Found:
    """An output as it was wanted and as it was found.

    Attributes:
        path: from the top.
        stage: which makes it.
        exact: what that stage promises.
        wanted, got: hashes; empty where there is none.
        fed: whether all that the stage read was as it was for `dvc.lock`.
    """

    path: str
    stage: str
    exact: str
    wanted: str
    got: str
    fed: bool = True

    @property
    def same(self) -> bool:
        """Whether the two are the same bytes."""
        return self.wanted == self.got != ""

    def __str__(self) -> str:
        why = "its inputs were the same" if self.fed else "its inputs differ too"
        return (
            f"{self.path} ({self.stage}): dvc.lock has {self.wanted[:8] or 'nothing'}, rebuilt it "
            f"is {self.got[:8] or 'nothing'}; {why}"
        )


@dataclass(frozen=True)
class Kept:
    """A number of a report before and after, and whether it is within its tolerance.

    Attributes:
        name: as in params.yaml.
        wanted, got, tolerance: in the number's own unit.
    """

    name: str
    wanted: Decimal
    got: Decimal
    tolerance: Decimal

    @property
    def same(self) -> bool:
        """Whether the two differ by no more than the tolerance, in whichever direction."""
        return abs(self.got - self.wanted) <= self.tolerance

    def __str__(self) -> str:
        return (
            f"{self.name}: {plain(self.wanted)} in git, {plain(self.got)} rebuilt, and "
            f"{plain(self.tolerance)} is tolerated"
        )


def hashes(entry: Mapping[str, Any], kind: str) -> dict[str, str]:
    """Return the hashes of the `deps` or `outs` of a stage, by path.

    >>> hashes({"outs": [{"path": "a", "hash": "md5", "md5": "0f"}]}, "outs")
    {'a': '0f'}
    """
    return {item["path"]: str(item.get("md5", "")) for item in entry.get(kind) or ()}


def compare(
    before: Lock, after: Lock, stages: Mapping[str, Promised], names: Iterable[str]
) -> list[Found]:
    """Return a finding for each output of the named stages.

    Args:
        before: what is promised.
        after: what was rebuilt.
        stages: what is declared.
        names: of these.
    """
    wanted = made(before)
    found = []
    for name in names:
        old, new = before.get(name, {}), after.get(name, {})
        read_now = hashes(new, "deps")
        fed = all(wanted.get(path, got) == got for path, got in read_now.items())
        were, are = hashes(old, "outs"), hashes(new, "outs")
        for path in stages[name].outputs:
            got, want = are.get(path, ""), were.get(path, "")
            found.append(Found(path, name, stages[name].exact, want, got, fed))
    return found


def made(lock: Lock) -> dict[str, str]:
    """Return the hashes of all outputs by path."""
    return {path: got for entry in lock.values() for path, got in hashes(entry, "outs").items()}


def outdated(before: Lock, after: Lock, names: Iterable[str]) -> list[str]:
    """Return what stages read that their entries in `dvc.lock` were not written with.

    What differs because an output above it differs is not counted: that output is found itself. A
    folder of which outputs are a part differs with any of them.
    """
    wanted, got = made(before), made(after)
    moved = {path for path, value in got.items() if wanted.get(path) != value}
    found = set()
    for name in names:
        old, new = (hashes(lock.get(name, {}), "deps") for lock in (before, after))
        for path in new.keys() | old.keys():
            parts = {part for part in moved if part == path or part.startswith(f"{path}/")}
            if not parts and old.get(path) != new.get(path):
                found.add(path)
    return sorted(found)


def held(
    numbers: Mapping[str, Number], paths: Iterable[str], there: Report, here: Report
) -> list[Kept]:
    """Return those numbers whose reports were rebuilt.

    Args:
        numbers: with their tolerances.
        paths: what was rebuilt.
        there: gives the reports as they were.
        here: gives the reports as they are now.

    Raises:
        ValueError: a number can't be read.
    """
    rebuilt = set(paths)
    return [
        Kept(name, read(asked, there), read(asked, here), Decimal(str(asked.tolerance)))
        for name, asked in sorted(numbers.items())
        if all(file in rebuilt for file, _ in asked.terms)
    ]
