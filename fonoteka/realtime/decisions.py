"""Decisions from the outputs of the causal models, with hysteresis and hold.

`host/fonoteka_decisions.hpp` has the same rules in C++; a test compares the two.

    state  one output; turns on above `threshold` and off at `release` or below
    label  several outputs; the most probable one replaces the current one if it exceeds it by
           `margin`
    event  one output; a peak above `threshold` is an event, known one hop after the peak

A state or label lasts at least `hold_hops` hops, and events are at least that far apart. A hop with
an output that is not finite is left out: the decision stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fonoteka.core.errors import UserError

Array = NDArray[np.float32]
Numbers = NDArray[np.int64]

KINDS = ("state", "label", "event")
BELOW_ALL = -1.0
"""The probability before the first hop, below any other."""


@dataclass(frozen=True)
class DecisionSettings:
    """How the outputs of a hop become a decision.

    Attributes:
        kind: one of KINDS.
        threshold: of a state and an event; a label has none.
        release: of a state, at most `threshold`.
        margin: of a label, in probability.
        hold_hops: the shortest time between two changes or events; 1 has no effect.
    """

    kind: str
    threshold: float = 0.0
    release: float = 0.0
    margin: float = 0.0
    hold_hops: int = 1

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"kind {self.kind!r} is not one of {list(KINDS)}")
        if not self.release <= self.threshold or self.margin < 0 or self.hold_hops < 1:
            raise UserError(
                "a decision needs release <= threshold, margin >= 0 and hold_hops >= 1, found "
                f"{self.release}, {self.threshold}, {self.margin}, {self.hold_hops}"
            )


class Decider:
    """The decisions of one model about a stream, hop by hop or in blocks of hops."""

    def __init__(self, settings: DecisionSettings) -> None:
        """Start a stream with the value 0: pause, silence or no event."""
        self.settings = settings
        self.reset()

    def reset(self) -> None:
        """Return to the state before the first hop."""
        self.value, self._wait_hops = 0, 0
        self._last = self._before_last = BELOW_ALL

    def run(self, outputs: Array) -> tuple[Numbers, NDArray[np.bool_]]:
        """Return the decisions about outputs `[T, O]` and update the state.

        Returns:
            The values `[T]`: a state is 0 or 1, a label its index, an event 1 at the hop at which
            it is known. And whether the value changed at the hop, or there is an event, `[T]`.

        >>> rise = np.array([[0.2], [0.7], [0.5], [0.3]], dtype=np.float32)
        >>> Decider(DecisionSettings("state", 0.6, 0.4)).run(rise)[0].tolist()
        [0, 1, 1, 0]
        >>> Decider(DecisionSettings("event", 0.6)).run(rise)[0].tolist()
        [0, 0, 1, 0]
        """
        values = np.zeros(len(outputs), np.int64)
        changed = np.zeros(len(outputs), np.bool_)
        is_event, hold = self.settings.kind == "event", self.settings.hold_hops
        candidate = self._candidates(outputs)
        finite: list[bool] = np.all(np.isfinite(outputs), axis=1).tolist()
        # Plain numbers: numpy takes ten times as long for one number, and a stage runs 80 settings.
        for hop in range(len(outputs)):
            if finite[hop]:
                wanted = candidate(hop)
                if self._wait_hops:
                    self._wait_hops -= 1
                elif wanted != self.value:
                    changed[hop], self._wait_hops = True, hold - 1
                    if is_event:
                        values[hop] = 1
                    else:
                        self.value = wanted
            if not is_event:
                values[hop] = self.value
        return values, changed

    def _candidates(self, outputs: Array) -> Callable[[int], int]:
        """Return a function from a hop to the value that its outputs ask for."""
        if self.settings.kind == "label":
            best = outputs.argmax(axis=1)
            highest: list[float] = outputs[np.arange(len(outputs)), best].tolist()
            return lambda hop: self._label(int(best[hop]), highest[hop], outputs[hop])
        first: list[float] = outputs[:, 0].tolist()
        step = self._event if self.settings.kind == "event" else self._state
        return lambda hop: step(first[hop])

    def _state(self, probability: float) -> int:
        limit = self.settings.release if self.value else self.settings.threshold
        return int(probability > limit)

    def _label(self, best: int, highest: float, outputs: Array) -> int:
        if best == self.value:
            return best
        return best if highest > float(outputs[self.value]) + self.settings.margin else self.value

    def _event(self, probability: float) -> int:
        last, before = self._last, self._before_last
        self._last, self._before_last = probability, last
        return int(last > self.settings.threshold and last >= before and last > probability)


def sound_times_s(
    hops: Sequence[int] | Numbers, settings: DecisionSettings, delay_hops: int, hop_s: float
) -> NDArray[np.float64]:
    """Return the times in the sound that decisions at hops are about, in seconds.

    >>> sound_times_s([10], DecisionSettings("event", 0.5), 2, 0.01).round(3).tolist()
    [0.075]
    """
    late = delay_hops + (settings.kind == "event")
    return (np.asarray(hops, np.float64) - late + 0.5) * hop_s
