"""Hold what a rebuild wrote to what `dvc.lock` says, output for output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fonoteka.pipeline.declared import Promised

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
