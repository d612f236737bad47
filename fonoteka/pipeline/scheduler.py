"""Decide which stage may start next: pure bookkeeping, without files or processes.

The stage that the longest work hangs on goes first, itself counted, because the last stage of that
chain is the one that everybody will be waiting for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """How a stage ended; the values are what a person reads."""

    RAN = "ran"
    CACHED = "from the cache"
    UNCHANGED = "unchanged"
    UP_TO_DATE = "up to date"
    FROZEN = "frozen"
    FAILED = "failed"


@dataclass(frozen=True)
class Step:
    """A stage as the schedule sees it.

    Attributes:
        name: of the stage.
        upstream: the stages it reads from.
        stale: whether it has to run.
        frozen: whether it must not.
        seconds: that it takes, as far as anybody knows.
    """

    name: str
    upstream: tuple[str, ...] = ()
    stale: bool = True
    frozen: bool = False
    seconds: float = 1.0


class Schedule:
    """Where each stage of a pipeline stands."""

    def __init__(self, steps: Sequence[Step]) -> None:
        """Take the steps in plan order: each after all that are upstream of it."""
        self.steps = tuple(steps)
        self.outcomes: dict[str, Outcome] = {}
        self._started: set[str] = set()
        hanging = hanging_on(steps)
        self._by_priority = sorted(self.steps, key=lambda step: -hanging[step.name])
        self._settle()

    def ready(self) -> list[str]:
        """Return the stages that may start now, the most urgent first."""
        return [
            step.name
            for step in self._by_priority
            if step.name not in self._started
            and step.name not in self.outcomes
            and all(name in self.outcomes for name in step.upstream)
        ]

    def start(self, name: str) -> None:
        """Note that a stage runs now."""
        self._started.add(name)

    def finish(self, name: str, outcome: Outcome) -> None:
        """Note how a stage ended."""
        self.outcomes[name] = outcome
        self._settle()

    def counts(self) -> dict[Outcome, int]:
        """Return how many stages ended in each way, without the ways that did not occur."""
        ended = list(self.outcomes.values())
        return {outcome: ended.count(outcome) for outcome in Outcome if outcome in ended}

    def _settle(self) -> None:
        """Give an outcome to each stage that needs no process.

        A stage below one that ran is not settled here: whether its inputs came out as before, dvc
        alone can say. One pass is enough, since the steps are in plan order.
        """
        for step in self.steps:
            if step.name in self.outcomes or step.name in self._started:
                continue
            if step.frozen:
                self.outcomes[step.name] = Outcome.FROZEN
            elif not step.stale and all(name in self.outcomes for name in step.upstream):
                above = {self.outcomes[name] for name in step.upstream}
                if not above & {Outcome.RAN, Outcome.CACHED}:
                    self.outcomes[step.name] = Outcome.UP_TO_DATE


def hanging_on(steps: Sequence[Step]) -> dict[str, float]:
    """Return for each step the seconds of the longest chain that begins with it.

    >>> long = Step("d", ("a",), seconds=9)
    >>> hanging_on([Step("a"), Step("b", ("a",)), Step("c", ("b",)), long])
    {'a': 10.0, 'b': 2.0, 'c': 1.0, 'd': 9.0}
    """
    below = dict.fromkeys((step.name for step in steps), 0.0)
    found: dict[str, float] = {}
    for step in reversed(steps):
        found[step.name] = below[step.name] + step.seconds
        for name in step.upstream:
            below[name] = max(below[name], found[step.name])
    return {step.name: found[step.name] for step in steps}
