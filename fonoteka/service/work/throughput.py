"""How fast the workers are, to say when a queue has room again."""

from __future__ import annotations

import math
import time
from collections import deque

MEMORY_S = 60.0
"""Sound that was done within this time counts."""

FIRST_GUESS = 5.0
"""Seconds of sound per second, before anything was done."""

LONGEST_RETRY_S = 60


class Throughput:
    """Counts the seconds of sound that were done lately."""

    def __init__(self) -> None:
        self._done: deque[tuple[float, float]] = deque()
        self._sum_s = 0.0

    def add(self, audio_s: float) -> None:
        """Note sound that was done."""
        self._done.append((time.monotonic(), audio_s))
        self._sum_s += audio_s
        self._forget()

    def rate(self) -> float:
        """Return seconds of sound per second."""
        self._forget()
        if not self._done:
            return FIRST_GUESS
        span_s = max(time.monotonic() - self._done[0][0], 1.0)
        return max(self._sum_s / span_s, 0.1)

    def retry_after_s(self, remaining_s: float, jobs: int) -> int:
        """Return the whole seconds in which one of the jobs will be over, on average.

        >>> Throughput().retry_after_s(remaining_s=600.0, jobs=10)
        12
        """
        seconds = remaining_s / self.rate() / max(jobs, 1)
        return min(max(math.ceil(seconds), 1), LONGEST_RETRY_S)

    def _forget(self) -> None:
        earliest_s = time.monotonic() - MEMORY_S
        while self._done and self._done[0][0] < earliest_s:
            self._sum_s -= self._done.popleft()[1]
