"""Unload a version once no request can submit it any more.

A request gets a version, decodes its recording for seconds, and submits. Workers free a version as
soon as no job or stream uses it, so a version that was replaced between the two steps would be
missing when the request submits it. Therefore the object that requests get is a lease: the version
is unloaded after the last reference to it is gone, which Python reports without delay. A request
needs no code for that and cannot forget it.

A version may return, for example if a release is withdrawn. It then gets its earlier lease, or the
end of that lease would unload what is offered.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from fonoteka.service.interfaces import ModelVersion

LONGEST_S = 600.0
"""A version is unloaded after this time in any case.

Five times the longest decoding, so no request is affected. It is for references that are never
dropped, such as one in a log: these would otherwise fill the memory with old models.
"""

Unload = Callable[[ModelVersion], Awaitable[None]]


@dataclass(frozen=True)
class _Retirement:
    lease: weakref.ref[ModelVersion]
    task: asyncio.Task[None]


class VersionLeases:
    """The versions that are not offered any more, and are in use."""

    def __init__(self, unload: Unload, longest_s: float = LONGEST_S) -> None:
        """Make it without versions.

        Args:
            unload: frees a version; called once per version that was retired.
            longest_s: after which it is called although the version is in use.
        """
        self._unload, self._longest_s = unload, longest_s
        self._waiting: dict[ModelVersion, _Retirement] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def lease(self, version: ModelVersion) -> ModelVersion:
        """Return the object that requests get for a version, and do not unload the version."""
        earlier = self._waiting.pop(version, None)
        if earlier is not None:
            earlier.task.cancel()
            if (lease := earlier.lease()) is not None:
                return lease
        return replace(version)

    def retire(self, lease: ModelVersion) -> None:
        """Unload a version after the last reference to its lease; the caller must drop its own."""
        loop, dropped = asyncio.get_running_loop(), asyncio.Event()
        weakref.finalize(lease, _notify, loop, dropped).atexit = False
        version = replace(lease)
        task = loop.create_task(self._unload_unused(version, dropped))
        self._waiting[version] = _Retirement(weakref.ref(lease), task)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _unload_unused(self, version: ModelVersion, dropped: asyncio.Event) -> None:
        with suppress(TimeoutError):
            # wait_for would lose a cancellation that arrives together with the event.
            async with asyncio.timeout(self._longest_s):
                await dropped.wait()
        self._waiting.pop(version, None)  # from here on it cannot be taken back
        await self._unload(version)

    async def finish(self) -> None:
        """Wait until each retired version is unloaded."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Forget the retired versions; the processes that have them end."""
        for task in self._tasks:
            task.cancel()
        await self.finish()


def _notify(loop: asyncio.AbstractEventLoop, dropped: asyncio.Event) -> None:
    # The last reference may be dropped in any thread, and after the loop was closed.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(dropped.set)
