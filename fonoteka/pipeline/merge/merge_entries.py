"""Make one lock file of two: for each stage the entry that is true of the files at hand.

Both sides of a merge built their own pipeline, and each stage's entry says with what. Where one of
the two was written with the merged code and params, and reads only what stands as well, nothing has
to run. Where neither is true the stage is stale, and which entry it has doesn't matter: dvc looks
for the true one among its earlier runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fonoteka.pipeline.outputs import Lock, hashes, made


@dataclass(frozen=True)
class Side:
    """One side of a merge.

    Attributes:
        lock: its entries.
        agreeing: the stages whose entry was written with the merged code, params and own data.
    """

    lock: Lock
    agreeing: frozenset[str]


@dataclass(frozen=True)
class Choice:
    """The entry that a stage is given.

    Attributes:
        entry: of the lock file.
        sides: the numbers of the sides that have it, 0 and 1.
        stands: whether it is true, so that the stage has nothing to do.
    """

    entry: Mapping[str, Any]
    sides: frozenset[int]
    stands: bool


def choose(sides: tuple[Side, Side], names: Iterable[str]) -> dict[str, Choice]:
    """Return a choice for each of the named stages that either side has an entry of."""
    chooser = _Chooser(sides)
    choices = {name: chooser.of(name) for name in names}
    return {name: choice for name, choice in choices.items() if choice}


class _Chooser:
    """Chooses for a stage after all that are above it."""

    def __init__(self, sides: tuple[Side, Side]) -> None:
        self._sides = sides
        self._makers = {
            path: name
            for side in sides
            for name, entry in side.lock.items()
            for path in hashes(entry, "outs")
        }
        self._chosen: dict[str, Choice] = {}

    def of(self, name: str) -> Choice | None:
        """Return the choice for a stage, or None where no side has it."""
        if name not in self._chosen and any(name in side.lock for side in self._sides):
            self._chosen[name] = self._choice(name)
        return self._chosen.get(name)

    def _choice(self, name: str) -> Choice:
        """Return the first entry that stands, else one that was written with the same code."""
        having = [n for n, side in enumerate(self._sides) if name in side.lock]
        agreeing = [n for n in having if name in self._sides[n].agreeing]
        for number in agreeing:
            entry = self._sides[number].lock[name]
            read = hashes(entry, "deps").items()
            if all(self._fed(path, value, number) for path, value in read):
                alike = frozenset(n for n in having if self._sides[n].lock[name] == entry)
                return Choice(entry, alike, stands=True)
        number = (agreeing or having)[0]
        return Choice(self._sides[number].lock[name], frozenset([number]), stands=False)

    def _fed(self, path: str, value: str, number: int) -> bool:
        """Return whether what a side's stage read at `path` is what the chosen entries make."""
        if path in self._makers:
            above = self.of(self._makers[path])
            return bool(above and above.stands and hashes(above.entry, "outs").get(path) == value)
        within = {name for out, name in self._makers.items() if out.startswith(f"{path}/")}
        # The hash of a folder with outputs of stages in it can't be told from theirs: it is that
        # of the side that all of them come from.
        above_all = [self.of(name) for name in sorted(within)]
        return all(above and above.stands and number in above.sides for above in above_all)


def outputs_of(sides: tuple[Lock, Lock]) -> set[str]:
    """Return the paths of all that stages of either side make."""
    return made(sides[0]).keys() | made(sides[1]).keys()
