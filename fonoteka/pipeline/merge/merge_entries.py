"""Merge two lock files: choose the entry of each stage that matches the merged files.

Both sides of a merge built their own pipeline, and an entry records the inputs of its stage. If an
entry was written with the merged code and params, and all its upstream entries are fresh, its stage
need not run. If neither entry matches, the stage is stale, and the choice between them does not
matter because dvc looks for a matching run in the run-cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fonoteka.pipeline.outputs import Lock, hashes, output_hashes


@dataclass(frozen=True)
class MergeSide:
    """One side of a merge.

    Attributes:
        lock: its entries.
        same: the stages whose entry was written with the merged code, params and own data.
    """

    lock: Lock
    same: frozenset[str]


@dataclass(frozen=True)
class EntryChoice:
    """The entry chosen for a stage.

    Attributes:
        entry: of the lock file.
        sides: the numbers of the sides that have it, 0 and 1.
        fresh: whether it matches the merged files, so that the stage need not run.
    """

    entry: Mapping[str, Any]
    sides: frozenset[int]
    fresh: bool


def choose_entries(
    sides: tuple[MergeSide, MergeSide], names: Iterable[str]
) -> dict[str, EntryChoice]:
    """Return a choice for each named stage of which either side has an entry."""
    chooser = _EntryChooser(sides)
    choices = {name: chooser.choice(name) for name in names}
    return {name: choice for name, choice in choices.items() if choice}


class _EntryChooser:
    """Choose the entry of a stage after those of all upstream stages."""

    def __init__(self, sides: tuple[MergeSide, MergeSide]) -> None:
        self._sides = sides
        self._writers = {
            path: name
            for side in sides
            for name, entry in side.lock.items()
            for path in hashes(entry, "outs")
        }
        self._choices: dict[str, EntryChoice] = {}

    def choice(self, name: str) -> EntryChoice | None:
        """Return the choice for a stage, or None if no side has it."""
        if name not in self._choices and any(name in side.lock for side in self._sides):
            self._choices[name] = self._choose(name)
        return self._choices.get(name)

    def _choose(self, name: str) -> EntryChoice:
        """Return the first entry that is fresh, else one that was written with the same code."""
        with_entry = [n for n, side in enumerate(self._sides) if name in side.lock]
        same = [n for n in with_entry if name in self._sides[n].same]
        for number in same:
            entry = self._sides[number].lock[name]
            read = hashes(entry, "deps").items()
            if all(self._matches(path, value, number) for path, value in read):
                equal = frozenset(n for n in with_entry if self._sides[n].lock[name] == entry)
                return EntryChoice(entry, equal, fresh=True)
        number = (same or with_entry)[0]
        return EntryChoice(self._sides[number].lock[name], frozenset([number]), fresh=False)

    def _matches(self, path: str, value: str, number: int) -> bool:
        """Return whether a dependency of a side's stage has the hash of the chosen entries."""
        if path in self._writers:
            above = self.choice(self._writers[path])
            return bool(above and above.fresh and hashes(above.entry, "outs").get(path) == value)
        within = {name for out, name in self._writers.items() if out.startswith(f"{path}/")}
        # The hash of a folder that contains outputs cannot be computed from theirs: it
        # matches if all of them come from the same side.
        above_all = [self.choice(name) for name in sorted(within)]
        return all(above and above.fresh and number in above.sides for above in above_all)


def output_paths(sides: tuple[Lock, Lock]) -> set[str]:
    """Return the paths of the outputs of both sides."""
    return output_hashes(sides[0]).keys() | output_hashes(sides[1]).keys()
