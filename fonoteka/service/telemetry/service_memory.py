"""Resident memory of the service and its workers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from fonoteka.service.interfaces import Workers
from fonoteka.service.process_memory import resident_mib

SAMPLE_S = 1.0
"""A sample reads one file per process, so it is not taken for every request."""


class ServiceMemory:
    """The memory of this process and of the workers, sampled at most once per second."""

    def __init__(
        self, workers: Workers, clock: Callable[[], float] = time.monotonic,
        resident: Callable[[int], float] = resident_mib,
    ) -> None:  # fmt: skip
        self._workers, self._clock, self._resident = workers, clock, resident
        self._sampled_s, self._mib = float("-inf"), 0.0

    def mib(self) -> float:
        """Return the sum; pages that processes share count for each of them."""
        now_s = self._clock()
        if now_s - self._sampled_s >= SAMPLE_S:
            workers = [state.process for state in self._workers.state()]
            processes = [os.getpid(), *(p for p in workers if p is not None)]
            self._sampled_s, self._mib = now_s, sum(map(self._resident, processes))
        return self._mib
