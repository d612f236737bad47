"""Work for a client is cancelled when the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

from fonoteka.service.failures import client_left

T = TypeVar("T")


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Return the result of work, or cancel it if the client leaves.

    Args:
        receive: of a request whose body was read.
        work: what is computed for the client; on cancellation it cancels its job.

    Raises:
        ApiError: 499, the client left.
    """
    task = asyncio.create_task(work)
    leaving = asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise client_left()
    finally:
        task.cancel()
        leaving.cancel()
        # Work must have cleaned up before its files are deleted.
        await asyncio.gather(task, leaving, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
