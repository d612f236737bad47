"""The worker processes and their queues: the `Workers` of the service.

Recordings and streams have processes of their own, and not threads. Threads would be as fast: on
two cores of an AMD EPYC, two threads decode Whisper 1.95 times as fast as one, and two processes
2.03 times, because ONNX Runtime releases the interpreter's lock. But the aligner holds it: a step
of a stream, 0.8 ms alone, takes up to 46 ms beside a thread that aligns, and 1.3 ms beside a
process. Also, the system gives processes their priority, and one that hangs can be ended.

A job is given to the worker with the least sound left, where all jobs have turns in a circle.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from typing import TypeVar

from fonoteka.service.interfaces import (
    BusyError,
    DeadlineError,
    Job,
    JobError,
    ModelKind,
    ModelVersion,
    StreamRequest,
    UnavailableError,
    WorkerState,
)
from fonoteka.service.settings import WorkLimits
from fonoteka.service.work.event_queue import Changes
from fonoteka.service.work.messages import Began, Cancel, Ended, FromWorker, StreamOutput, TurnDone
from fonoteka.service.work.placement import Placement
from fonoteka.service.work.supervisor import supervise
from fonoteka.service.work.throughput import Throughput
from fonoteka.service.work.tickets import Admitted, JobTicket, StreamTicket
from fonoteka.service.work.worker import WorkerHandle
from fonoteka.service.work.worker_process import BATCH, LIVE

logger = logging.getLogger("fonoteka.service.work")

Ticketed = TypeVar("Ticketed", bound=Admitted)

LAST_UPDATES_S = 5.0
"""A stopping service waits at least this long for the last updates of its streams."""


class WorkerPool:
    """The `Workers` of the service.

    Attributes:
        stopping: set once nothing more is admitted.
    """

    def __init__(self, limits: WorkLimits) -> None:
        self.limits = limits
        counts = {BATCH: limits.batch_workers, LIVE: limits.live_workers}
        self._workers = {
            kind: [WorkerHandle(kind, number, self._take) for number in range(count)]
            for kind, count in counts.items()
        }
        self._placement = Placement(self._workers)
        self._throughput = Throughput()
        self._keys = itertools.count()
        self._tickets: dict[int, Admitted] = {}
        self._models: list[ModelVersion] = []
        self._supervisors: list[asyncio.Task[None]] = []

    @property
    def _all(self) -> list[WorkerHandle]:
        return [worker for workers in self._workers.values() for worker in workers]

    async def start(self) -> None:
        """Start the processes; see `Workers`.

        Raises:
            UnavailableError: one cannot be started.
        """
        self.stopping, self._changes = asyncio.Event(), Changes()
        ready = await asyncio.gather(*(worker.start() for worker in self._all))
        for worker in self._all:
            task = asyncio.create_task(supervise(worker, self, self.limits.job_deadline_s))
            self._supervisors.append(task)
        if not all(ready):
            await self.stop(0)
            raise UnavailableError("a worker cannot be started; its traceback is above")

    async def stop(self, drain_s: float) -> None:
        """Finish streams and jobs, and end the processes; see `Workers`."""
        self.stopping.set()
        limit_s = time.monotonic() + drain_s
        for ticket in self._admitted(StreamTicket):
            ticket.finish()
        await self._changes.wait_until(
            lambda: not self._admitted(StreamTicket), max(drain_s, LAST_UPDATES_S)
        )
        left_s = max(limit_s - time.monotonic(), 0)
        await self._changes.wait_until(lambda: not self._tickets, left_s)
        for left in list(self._tickets.values()):
            left.end(UnavailableError("the service stops; send the request again later"))
        for worker in self._all:
            worker.stop()
        await asyncio.gather(*self._supervisors)

    async def load(self, model: ModelVersion) -> None:
        """Load a model beside its other versions; see `Workers`.

        Live workers load a phone recogniser when the first stream asks for it: few do, and each
        copy takes memory.

        Raises:
            UnavailableError: it cannot be loaded.
        """
        kind = LIVE if model.kind is ModelKind.STREAM else BATCH
        workers = [worker for worker in self._workers[kind] if worker.is_ready]
        if not workers:
            raise UnavailableError(f"model {model.name}: no {kind} worker lives; try again")
        if model not in self._models:
            self._models.append(model)
        problems = await asyncio.gather(*(worker.load(model) for worker in workers))
        if problem := next(filter(None, problems), None):
            self._models.remove(model)
            await asyncio.gather(*(worker.unload(model) for worker in workers))
            raise UnavailableError(problem)

    async def unload(self, model: ModelVersion) -> None:
        """Wait until no job or stream uses a version, and free it."""
        await self._changes.wait_until(
            lambda: not any(model in ticket.models for ticket in self._tickets.values())
        )
        if model in self._models:
            self._models.remove(model)
        await asyncio.gather(*(worker.unload(model) for worker in self._all))

    def submit(self, job: Job) -> JobTicket:
        """Admit a job; see `Workers`.

        Raises:
            BusyError: the queue is full.
            UnavailableError: the service stops, or no worker lives.
        """
        self._check(BATCH)
        jobs = self._admitted(JobTicket)
        if len(jobs) >= self.limits.jobs:
            remaining_s = sum(ticket.remaining_s for ticket in jobs)
            seconds = self._throughput.retry_after_s(remaining_s, len(jobs))
            raise BusyError(f"{len(jobs)} jobs wait; try again in {seconds} s", seconds)
        ticket = JobTicket(next(self._keys), job, self._end)
        self._admit(ticket)
        limit_s = max(self.limits.job_deadline_s, self.limits.job_deadline_rtf * ticket.audio_s)
        error = DeadlineError(f"the recording was not done within {limit_s:g} s; send it in parts")
        ticket.timer = asyncio.get_running_loop().call_later(limit_s, ticket.end, error)
        return ticket

    def open_stream(self, request: StreamRequest) -> StreamTicket:
        """Open a stream; see `Workers`.

        Raises:
            BusyError: as many streams are open as the limit allows.
            UnavailableError: the service stops, or no worker lives.
        """
        self._check(LIVE)
        count = len(self._admitted(StreamTicket))
        if count >= self.limits.streams:
            raise BusyError(f"{count} streams are open; try again later", 1)
        behind_s = self.limits.stream_behind_s
        ticket = StreamTicket(next(self._keys), request, behind_s, self._end)
        self._admit(ticket)
        return ticket

    def state(self) -> list[WorkerState]:
        """Return the state of each worker."""
        return [
            WorkerState(
                worker.name, worker.process, _count(worker, JobTicket),
                _count(worker, StreamTicket), worker.memory_mib(), worker.restarts,
            )
            for worker in self._all
        ]  # fmt: skip

    def queued(self) -> int:
        """Return how many jobs wait for their first turn."""
        return sum(not ticket.has_begun for ticket in self._admitted(JobTicket))

    def worker_started(self, worker: WorkerHandle) -> None:
        """Load the models into a worker that has become ready, and give it what waits."""
        for model in self._models:
            if (model.kind is ModelKind.STREAM) == (worker.kind == LIVE):
                self._placement.spawn(self._load_again(worker, model))
        self._placement.place_waiting()

    def worker_lost(self, worker: WorkerHandle, reason: str) -> None:
        """Give the jobs of a worker that has ended to others, or let them fail."""
        self._placement.worker_lost(worker, reason)

    async def _load_again(self, worker: WorkerHandle, model: ModelVersion) -> None:
        if (problem := await worker.load(model)) and not self.stopping.is_set():
            logger.error("worker %s works without model %s: %s", worker.name, model.name, problem)

    def _check(self, kind: str) -> None:
        if self.stopping.is_set():
            raise UnavailableError("the service stops; send the request again later")
        self._placement.check(kind)

    def _admit(self, ticket: Admitted) -> None:
        self._tickets[ticket.key] = ticket
        self._placement.place(ticket)

    def _admitted(self, kind: type[Ticketed]) -> list[Ticketed]:
        return [ticket for ticket in self._tickets.values() if isinstance(ticket, kind)]

    def _end(self, ticket: Admitted) -> None:
        """Forget what is over, and let its worker drop it if it has not ended it itself."""
        del self._tickets[ticket.key]
        self._changes.notify()
        for worker in self._all:
            if worker.tickets.pop(ticket.key, None) and ticket.worker is worker:
                worker.zombies.add(ticket.key)
                worker.send(Cancel(ticket.key))

    def _take(self, worker: WorkerHandle, message: FromWorker) -> None:
        """Take a message about a job or stream."""
        assert isinstance(message, Began | TurnDone | StreamOutput | Ended), message
        ticket = worker.tickets.get(message.key)
        if isinstance(message, Ended):
            worker.zombies.discard(message.key)
            if message.fault:
                request_id = ticket.request_id if ticket else "cancelled"
                logger.error("%s: request %s: %s", worker.name, request_id, message.fault)
        if ticket is None:
            return  # it was cancelled, and its turn was not over
        match ticket, message:
            case JobTicket(), Began():
                ticket.has_begun = True
            case JobTicket(), TurnDone():
                self._advance(ticket, message)
            case StreamTicket(), StreamOutput():
                ticket.take(message.update)
            case _, Ended():
                del worker.tickets[ticket.key]
                self._close(ticket, message)

    def _advance(self, ticket: JobTicket, turn: TurnDone) -> None:
        self._throughput.add(turn.done_s - ticket.done_s)
        ticket.done_s = turn.done_s
        for segment in turn.segments:
            ticket.has_answered = True
            ticket.queue.add(segment)

    def _close(self, ticket: Admitted, message: Ended) -> None:
        if isinstance(message.outcome, JobError):
            ticket.end(message.outcome)
            return
        if isinstance(ticket, JobTicket):
            self._throughput.add(ticket.remaining_s)
        if message.outcome is not None:
            ticket.queue.add(message.outcome)  # type: ignore[arg-type] # jobs get `Finished`
        ticket.end()


def _count(worker: WorkerHandle, kind: type[Admitted]) -> int:
    return sum(isinstance(ticket, kind) for ticket in worker.tickets.values())
