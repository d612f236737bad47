"""Choose the stage that starts next, without files or processes.

The stage at the start of the longest chain goes first, because the end of that chain ends the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class StageOutcome(Enum):
    """How a stage ended; the values are printed."""

    RAN = "ran"
    CACHED = "from the cache"
    UNCHANGED = "unchanged"
    UP_TO_DATE = "up to date"
    FROZEN = "frozen"
    FAILED = "failed"


@dataclass(frozen=True)
class ScheduledStage:
    """A stage with what the schedule depends on.

    Attributes:
        name: of the stage.
        upstream: the stages that it reads from.
        stale: whether it has to run.
        frozen: whether it must not run.
        seconds: its expected duration.
    """

    name: str
    upstream: tuple[str, ...] = ()
    stale: bool = True
    frozen: bool = False
    seconds: float = 1.0


class Schedule:
    """The stages of a pipeline: which may start, which run, and how each ended."""

    def __init__(self, stages: Sequence[ScheduledStage]) -> None:
        """Take the stages in plan order: each after all that are upstream of it."""
        self.stages = tuple(stages)
        self.outcomes: dict[str, StageOutcome] = {}
        self._started: set[str] = set()
        chain_s = longest_chain_s(stages)
        self._by_priority = sorted(self.stages, key=lambda stage: -chain_s[stage.name])
        self._settle()

    def ready(self) -> list[str]:
        """Return the stages that may start now, in the order of priority."""
        return [
            stage.name
            for stage in self._by_priority
            if stage.name not in self._started
            and stage.name not in self.outcomes
            and all(name in self.outcomes for name in stage.upstream)
        ]

    def start(self, name: str) -> None:
        """Record that a stage runs now."""
        self._started.add(name)

    def finish(self, name: str, outcome: StageOutcome) -> None:
        """Record how a stage ended."""
        self.outcomes[name] = outcome
        self._settle()

    def counts(self) -> dict[StageOutcome, int]:
        """Return the number of stages per outcome, without the outcomes that did not occur."""
        ended = list(self.outcomes.values())
        return {outcome: ended.count(outcome) for outcome in StageOutcome if outcome in ended}

    def _settle(self) -> None:
        """Record the outcome of each stage that needs no process.

        A stage below one that ran is not settled here: only dvc can compare its new inputs with the
        old ones. One pass is enough because the stages are in plan order.
        """
        for stage in self.stages:
            if stage.name in self.outcomes or stage.name in self._started:
                continue
            if stage.frozen:
                self.outcomes[stage.name] = StageOutcome.FROZEN
            elif not stage.stale and all(name in self.outcomes for name in stage.upstream):
                above = {self.outcomes[name] for name in stage.upstream}
                if not above & {StageOutcome.RAN, StageOutcome.CACHED}:
                    self.outcomes[stage.name] = StageOutcome.UP_TO_DATE


def longest_chain_s(stages: Sequence[ScheduledStage]) -> dict[str, float]:
    """Return for each stage the seconds of the longest chain that begins with it.

    >>> first, second = ScheduledStage("a"), ScheduledStage("b", ("a",))
    >>> third, long = ScheduledStage("c", ("b",)), ScheduledStage("d", ("a",), seconds=9)
    >>> longest_chain_s([first, second, third, long])
    {'a': 10.0, 'b': 2.0, 'c': 1.0, 'd': 9.0}
    """
    below = dict.fromkeys((stage.name for stage in stages), 0.0)
    chain_s: dict[str, float] = {}
    for stage in reversed(stages):
        chain_s[stage.name] = below[stage.name] + stage.seconds
        for name in stage.upstream:
            below[name] = max(below[name], chain_s[stage.name])
    return {stage.name: chain_s[stage.name] for stage in stages}
