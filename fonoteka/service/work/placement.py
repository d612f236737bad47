"""Give jobs and streams to workers, and again if a worker ends or cannot load their model."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from fonoteka.service.interfaces import UnavailableError
from fonoteka.service.work.tickets import Admitted, JobTicket
from fonoteka.service.work.worker import WorkerHandle
from fonoteka.service.work.worker_process import BATCH, LIVE

MOST_FAILURES = 3
"""While all workers of a kind have ended so often in a row, nothing is admitted."""


class Placement:
    """Gives each job and stream a worker.

    Attributes:
        workers: by kind.
    """

    def __init__(self, workers: Mapping[str, Sequence[WorkerHandle]]) -> None:
        self.workers = workers
        self._homeless: list[Admitted] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def check(self, kind: str) -> None:
        """Refuse new work if no worker of a kind can be started.

        Raises:
            UnavailableError: none can.
        """
        if not any(w.is_ready or w.failures < MOST_FAILURES for w in self.workers[kind]):
            raise UnavailableError(f"no {kind} worker can be started; see the log of the service")

    def place(self, ticket: Admitted) -> None:
        """Give a job or stream to the worker with the least to do.

        A worker that has loaded the models comes first: another one may still load them after its
        restart, or may be unable to.
        """
        workers = [worker for worker in self.workers[kind_of(ticket)] if worker.is_ready]
        if not workers:
            self._homeless.append(ticket)
            return
        worker = min(
            workers, key=lambda w: (not _has_models(w, ticket), w.remaining_s, len(w.tickets))
        )
        worker.tickets[ticket.key] = ticket
        if _has_models(worker, ticket):
            _begin(worker, ticket)
        else:
            self.spawn(self._load_and_begin(worker, ticket))

    def place_waiting(self) -> None:
        """Place what waits for a worker, after one has become ready."""
        waiting, self._homeless = self._homeless, []
        for ticket in waiting:
            if not ticket.is_over:
                self.place(ticket)

    def worker_lost(self, worker: WorkerHandle, reason: str) -> None:
        """Place the jobs of a worker that has ended once more, or let them fail; streams fail."""
        tickets = list(worker.tickets.values())
        worker.tickets.clear()
        for ticket in tickets:
            begun, ticket.worker = ticket.worker is worker, None
            if not begun:
                self.place(ticket)
            elif isinstance(ticket, JobTicket) and not ticket.has_answered and not ticket.retried:
                ticket.retried, ticket.has_begun = True, False
                self.place(ticket)
            else:
                again = "again" if isinstance(ticket, JobTicket) and ticket.retried else "meanwhile"
                ticket.end(UnavailableError(f"the worker has ended {again} ({reason}); try again"))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task, and store it while it runs: the loop alone does not."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _load_and_begin(self, worker: WorkerHandle, ticket: Admitted) -> None:
        problem = ""
        for model in ticket.models:
            problem = problem or await worker.load(model)
        if worker.tickets.get(ticket.key) is not ticket:
            return  # it is over, or the worker has ended and it was placed again
        if not problem:
            _begin(worker, ticket)
            return
        del worker.tickets[ticket.key]
        if any(w.is_ready and _has_models(w, ticket) for w in self.workers[worker.kind]):
            self.place(ticket)
        else:
            ticket.end(UnavailableError(problem))


def kind_of(ticket: Admitted) -> str:
    """Return the kind of the workers for a job or stream."""
    return BATCH if isinstance(ticket, JobTicket) else LIVE


def _has_models(worker: WorkerHandle, ticket: Admitted) -> bool:
    return all(map(worker.has, ticket.models))


def _begin(worker: WorkerHandle, ticket: Admitted) -> None:
    ticket.worker = worker
    worker.begin(ticket)
