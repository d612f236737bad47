"""Jobs and streams that were admitted, on the side of the service."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.service.interfaces import (
    BusyError,
    Job,
    JobError,
    JobEvent,
    ModelVersion,
    StreamClosed,
    StreamRequest,
    UnavailableError,
    WordsJob,
)
from fonoteka.service.work.compute.sample_file import SAMPLE_BYTES
from fonoteka.service.work.event_queue import EventQueue
from fonoteka.service.work.messages import EndStream, OpenStream, Samples, StartJob, ToWorker
from fonoteka.streaming.interfaces import StreamUpdate

if TYPE_CHECKING:
    from fonoteka.service.work.worker import WorkerHandle

StreamEvent = StreamUpdate | StreamClosed


class Admitted:
    """What jobs and streams have in common.

    Attributes:
        key: its number.
        request_id: of the request, for logs.
        models: that its worker must have loaded.
        admitted_s: of the monotonic clock.
        worker: that works on it; None while none does.
    """

    def __init__(
        self, key: int, request_id: str, models: tuple[ModelVersion, ...],
        ended: Callable[[Admitted], None],
    ) -> None:  # fmt: skip
        """Admit it; `ended` is called once, when nothing more will come for it."""
        self.key, self.request_id, self.models = key, request_id, models
        self.admitted_s = time.monotonic()
        self.worker: WorkerHandle | None = None
        self.timer: asyncio.TimerHandle | None = None
        self._ended = ended

    @property
    def queue(self) -> EventQueue[JobEvent] | EventQueue[StreamEvent]:
        """The events for the reader."""
        raise NotImplementedError

    def first_messages(self) -> list[ToWorker]:
        """Return the messages with which a worker begins it."""
        raise NotImplementedError

    @property
    def is_over(self) -> bool:
        """Whether it has its result, has failed or was cancelled."""
        return self.queue.ended

    def end(self, error: JobError | None = None) -> None:
        """End it, with an error if there is one; a second call does nothing."""
        if not self.is_over:
            self.queue.end(error)
            if self.timer is not None:
                self.timer.cancel()
            self._ended(self)

    def cancel(self) -> None:
        """End it without an event; its worker drops it."""
        self.queue.waiting.clear()
        self.end()


class JobTicket(Admitted):
    """A `Ticket`.

    Attributes:
        job: what is done.
        audio_s: length of the recording.
        done_s: the place that was reached.
        has_begun: whether its first turn has begun.
        retried: whether it was given to a second worker.
        has_answered: whether a segment was sent, after which it cannot be retried.
    """

    def __init__(self, key: int, job: Job, ended: Callable[[Admitted], None]) -> None:
        models = [job.model]
        if isinstance(job, WordsJob) and job.aligner is not None:
            models.append(job.aligner)
        super().__init__(key, job.request_id, tuple(models), ended)
        self.job = job
        self.audio_s = job.audio.stat().st_size / SAMPLE_BYTES / SAMPLE_RATE_HZ
        self.done_s = 0.0
        self.has_begun = self.retried = self.has_answered = False
        self._queue: EventQueue[JobEvent] = EventQueue()

    @property
    def queue(self) -> EventQueue[JobEvent]:
        """The events for the reader."""
        return self._queue

    @property
    def remaining_s(self) -> float:
        """Seconds of sound that are left."""
        return max(self.audio_s - self.done_s, 0.0)

    def first_messages(self) -> list[ToWorker]:
        """Return the messages with which a worker begins it."""
        return [StartJob(self.key, self.job, self.admitted_s)]

    def events(self) -> AsyncIterator[JobEvent]:
        """Yield segments in order, then `Finished`; see `Ticket`."""
        return self._queue.events()


class StreamTicket(Admitted):
    """A `LiveStream`.

    Samples that are fed before a worker has loaded the model wait here.
    """

    def __init__(
        self, key: int, request: StreamRequest, behind_s: float, ended: Callable[[Admitted], None]
    ) -> None:
        super().__init__(key, request.request_id, (request.model,), ended)
        self.request, self._behind_s = request, behind_s
        self._queue: EventQueue[StreamEvent] = EventQueue()
        self._early: deque[ToWorker] = deque()
        self._fed = 0
        self._done_s = 0.0
        self.finishing = False

    @property
    def queue(self) -> EventQueue[StreamEvent]:
        """The events for the reader."""
        return self._queue

    @property
    def is_behind(self) -> bool:
        """Whether its worker has something to do for it."""
        return self.finishing or self._done_s < self._fed / SAMPLE_RATE_HZ

    def first_messages(self) -> list[ToWorker]:
        """Return the messages with which a worker begins it."""
        early = list(self._early)
        self._early.clear()
        return [OpenStream(self.key, self.request, self.admitted_s), *early]

    def feed(self, samples: Signal) -> None:
        """Queue samples `[N]` at 16 kHz; see `LiveStream`.

        Raises:
            BusyError: too many seconds wait; the stream is not changed.
        """
        waiting_s = (self._fed + len(samples)) / SAMPLE_RATE_HZ - self._done_s
        if waiting_s > self._behind_s:
            raise BusyError(
                f"{waiting_s:.1f} s of the stream wait for the recogniser, more than "
                f"{self._behind_s:g} s; send it at the speed of speech, or try again later", 1,
            )  # fmt: skip
        if not self.is_over and not self.finishing and len(samples):
            self._fed += len(samples)
            self._send(Samples(self.key, samples))

    def finish(self) -> None:
        """Say that no samples follow; see `LiveStream`."""
        if not self.is_over and not self.finishing:
            self.finishing = True
            self._send(EndStream(self.key))

    def updates(self) -> AsyncIterator[StreamEvent]:
        """Yield updates in order, then `StreamClosed`; see `LiveStream`."""
        return self._queue.events()

    def take(self, update: StreamUpdate) -> None:
        """Add an update, and end the stream if its reader is too slow."""
        self._done_s = max(self._done_s, update.audio_s)
        self._queue.add(update)
        unread = self._queue.waiting[0] if self._queue.waiting else None
        if isinstance(unread, StreamUpdate) and update.audio_s - unread.audio_s > self._behind_s:
            self._queue.waiting.clear()
            self.end(UnavailableError(f"no update was read for {self._behind_s:g} s of the stream"))

    def _send(self, message: ToWorker) -> None:
        if self.worker is None:
            self._early.append(message)
        else:
            self.worker.send(message)
