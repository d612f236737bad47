"""Events that one task yields while others add them, and conditions that one task waits for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Generic, TypeVar

from fonoteka.service.interfaces import JobError

Event = TypeVar("Event")


class EventQueue(Generic[Event]):
    """Events in order, then an end or an error.

    Attributes:
        waiting: events that were added and not yielded.
        ended: whether nothing can be added.
    """

    def __init__(self) -> None:
        self.waiting: deque[Event] = deque()
        self.ended = False
        self._error: JobError | None = None
        self._changed = asyncio.Event()

    def add(self, event: Event) -> None:
        """Add an event; after the end it is dropped, because its reader has gone."""
        if not self.ended:
            self.waiting.append(event)
            self._changed.set()

    def end(self, error: JobError | None = None) -> None:
        """End the events, with an error if there is one; a second call does nothing."""
        if not self.ended:
            self.ended, self._error = True, error
            self._changed.set()

    async def events(self) -> AsyncIterator[Event]:
        """Yield the events that wait and those that come.

        Raises:
            JobError: the events ended with it.
        """
        while True:
            while self.waiting:
                yield self.waiting.popleft()
            if self.ended:
                break
            self._changed.clear()
            await self._changed.wait()
        if self._error is not None:
            raise self._error


class Changes:
    """Lets tasks wait for conditions that other tasks make true."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def notify(self) -> None:
        """Let all that wait look at their conditions again."""
        self._changed.set()

    async def wait_until(self, is_so: Callable[[], bool], seconds: float | None = None) -> None:
        """Wait until a condition holds, or so many seconds are over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not is_so():
                    self._changed.clear()
                    await self._changed.wait()
