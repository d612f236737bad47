"""Keep worker processes running: restart those that end, and end those that hang."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import Protocol

from fonoteka.service.work.tickets import JobTicket, StreamTicket
from fonoteka.service.work.worker import WorkerHandle

logger = logging.getLogger("fonoteka.service.work")

FIRST_DELAY_S, LONGEST_DELAY_S = 0.1, 30.0
"""Wait before a restart, doubled with each process that ended soon after its start."""

STABLE_S = 60.0
"""A process that lived longer did not end because of its start."""

CHECKS = 4
"""A process hangs if it was silent at so many checks. A single check would end all processes after
a system was suspended, because their messages are read after it."""


class Host(Protocol):
    """What has the workers."""

    stopping: asyncio.Event

    def worker_started(self, worker: WorkerHandle) -> None:
        """Use a worker that has become ready."""

    def worker_lost(self, worker: WorkerHandle, reason: str) -> None:
        """Give the jobs of a worker that has ended to others, or let them fail."""


async def supervise(worker: WorkerHandle, host: Host, hang_s: float) -> None:
    """Keep a worker running until the host stops.

    Args:
        worker: that was started once.
        host: its pool.
        hang_s: a worker that has work and sends nothing for so long is ended.
    """
    while True:
        began_s = time.monotonic()
        if worker.is_ready:
            host.worker_started(worker)
        if host.stopping.is_set():
            worker.stop()
        watch = asyncio.create_task(_end_if_it_hangs(worker, hang_s))
        reason = await worker.ended()
        watch.cancel()
        host.worker_lost(worker, reason)
        if host.stopping.is_set():
            return
        # One that worked for a while has met a bad request; one that dies at once would die again.
        lived_s = time.monotonic() - began_s
        worker.failures = 1 if lived_s > STABLE_S else worker.failures + 1
        delay_s = min(FIRST_DELAY_S * 2 ** (worker.failures - 1), LONGEST_DELAY_S)
        logger.warning(
            "worker %s ended (%s) after %.1f s; it is started again in %.1f s",
            worker.name, reason, lived_s, delay_s,
        )  # fmt: skip
        with suppress(TimeoutError):
            await asyncio.wait_for(host.stopping.wait(), delay_s)
            return
        worker.restarts += 1
        await worker.start()


async def _end_if_it_hangs(worker: WorkerHandle, hang_s: float) -> None:
    silent = 0
    while silent < CHECKS:
        await asyncio.sleep(hang_s / CHECKS)
        silent = 0 if worker.has_news or not is_busy(worker) else silent + 1
        worker.has_news = False
    logger.error("worker %s was silent for %.1f s in a turn, so it is ended", worker.name, hang_s)
    worker.kill()


def is_busy(worker: WorkerHandle) -> bool:
    """Return whether a worker has to send something soon."""
    begun = (ticket for ticket in worker.tickets.values() if ticket.worker is worker)
    return bool(worker.zombies) or any(
        isinstance(ticket, JobTicket) or (isinstance(ticket, StreamTicket) and ticket.is_behind)
        for ticket in begun
    )
