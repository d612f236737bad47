"""Compare the outputs of a rebuild with `dvc.lock`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fonoteka.pipeline.declared import StageContract

Lock = Mapping[str, Mapping[str, Any]]
"""The entries of a lock file by stage."""


@dataclass(frozen=True)
class OutputComparison:
    """The hashes of an output in `dvc.lock` and after a rebuild.

    Attributes:
        path: relative to the top.
        stage: the stage that writes it.
        exact: what that stage promises.
        wanted, got: hashes; empty if the output is missing.
        same_inputs: whether all dependencies of the stage were as in `dvc.lock`.
    """

    path: str
    stage: str
    exact: str
    wanted: str
    got: str
    same_inputs: bool = True

    @property
    def same(self) -> bool:
        """Whether the two are the same bytes."""
        return self.wanted == self.got != ""

    def __str__(self) -> str:
        reason = "its inputs were the same" if self.same_inputs else "its inputs differ too"
        return (
            f"{self.path} ({self.stage}): dvc.lock has {self.wanted[:8] or 'nothing'}, rebuilt it "
            f"is {self.got[:8] or 'nothing'}; {reason}"
        )


def hashes(entry: Mapping[str, Any], kind: str) -> dict[str, str]:
    """Return the hashes of the `deps` or `outs` of a stage, by path.

    >>> hashes({"outs": [{"path": "a", "hash": "md5", "md5": "0f"}]}, "outs")
    {'a': '0f'}
    """
    return {item["path"]: str(item.get("md5", "")) for item in entry.get(kind) or ()}


def compare(
    before: Lock, after: Lock, stages: Mapping[str, StageContract], names: Iterable[str]
) -> list[OutputComparison]:
    """Compare each output of some stages.

    Args:
        before: the entries of `dvc.lock`.
        after: the entries of the rebuild.
        stages: the contract of each stage.
        names: of the stages to compare.
    """
    wanted = output_hashes(before)
    comparisons = []
    for name in names:
        old, new = before.get(name, {}), after.get(name, {})
        read_now = hashes(new, "deps")
        same_inputs = all(wanted.get(path, got) == got for path, got in read_now.items())
        old_outputs, new_outputs = hashes(old, "outs"), hashes(new, "outs")
        for path in stages[name].outputs:
            want, got = old_outputs.get(path, ""), new_outputs.get(path, "")
            exact = stages[name].exact
            comparisons.append(OutputComparison(path, name, exact, want, got, same_inputs))
    return comparisons


def output_hashes(lock: Lock) -> dict[str, str]:
    """Return the hashes of all outputs by path."""
    return {path: got for entry in lock.values() for path, got in hashes(entry, "outs").items()}


def outdated(before: Lock, after: Lock, names: Iterable[str]) -> list[str]:
    """Return the dependencies of some stages that differ from their entries in `dvc.lock`.

    A dependency that differs because an upstream output differs does not count, because `compare`
    reports that output. A folder that contains outputs differs with any of them.
    """
    wanted, got = output_hashes(before), output_hashes(after)
    moved = {path for path, value in got.items() if wanted.get(path) != value}
    changed = set()
    for name in names:
        old, new = (hashes(lock.get(name, {}), "deps") for lock in (before, after))
        for path in new.keys() | old.keys():
            parts = {part for part in moved if part == path or part.startswith(f"{path}/")}
            if not parts and old.get(path) != new.get(path):
                changed.add(path)
    return sorted(changed)
