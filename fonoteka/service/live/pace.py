"""Slow a client down that sends faster than it speaks, by reading its socket later.

A recording that is sent at once would otherwise exceed the limit of samples that may wait, although
the worker is fast enough. A worker that is too slow for a client that speaks in real time is not
hidden: its queue grows until the stream is refused.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress


class Pace:
    """Counts the seconds of a stream that wait in the worker, at least as many as do.

    They shrink as the worker reports progress, and in real time if it reports none.
    """

    def __init__(self, ahead_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Start a stream.

        Args:
            ahead_s: seconds that may wait.
            clock: returns seconds.
        """
        self._ahead_s, self._clock = ahead_s, clock
        self._sent_s = self._processed_s = self._waiting_s = 0.0
        self._last_s = clock()
        self._progress = asyncio.Event()

    async def take(self, seconds: float) -> None:
        """Wait until samples of this length may be sent to the worker, and count them."""
        while (early_s := self._waiting() + seconds - self._ahead_s) > 0 and self._waiting_s > 0:
            self._progress.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._progress.wait(), min(early_s, self._waiting_s))
        self._sent_s += seconds
        self._waiting_s += seconds

    def processed(self, audio_s: float) -> None:
        """Note how much of the stream is recognised."""
        self._processed_s = audio_s
        self._progress.set()

    def _waiting(self) -> float:
        now_s = self._clock()
        decayed = max(0.0, self._waiting_s - (now_s - self._last_s))
        self._last_s = now_s
        self._waiting_s = min(decayed, max(0.0, self._sent_s - self._processed_s))
        return self._waiting_s
