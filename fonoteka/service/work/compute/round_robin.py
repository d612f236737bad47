"""The jobs of a batch worker, in a circle in which each gets the same computing time.

This is deficit round robin: a job whose turn was longer than its time sits out the next rounds, and
one whose turn was shorter has another one at once. In its first round, a job has more time, so that
a clip of some seconds is done in it.

Source: Shreedhar and Varghese 1995, "Efficient fair queueing using deficit round robin".
"""

from __future__ import annotations

import time
import traceback
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from fonoteka.core.errors import UserError
from fonoteka.service.interfaces import (
    Finished,
    JobError,
    UnanswerableError,
    UnavailableError,
    Usage,
)
from fonoteka.service.work.compute.turns import QUANTUM_S, JobThread, Turn
from fonoteka.service.work.messages import Began, Ended, FromWorker, TurnDone

FIRST_S = 0.3
"""Processor seconds of a job in its first round; a clip of 3 s takes 0.21 s with whisper-base.
Beside an hour in the same worker its p95 is 0.42 s, and without this 0.63 s. With two workers, of
which the other one has the hour, it is 0.21 s (AMD EPYC, two cores)."""


@dataclass
class _Running:
    key: int
    thread: JobThread
    audio_s: float
    admitted_s: float
    queued_s: float = 0.0
    compute_s: float = 0.0
    turns: int = 0
    used_s: float = 0.0  # of the time of this round and, if it is more, of the next ones

    def usage(self) -> Usage:
        return Usage(self.audio_s, self.queued_s, self.compute_s, self.turns)


class RoundRobin:
    """Gives each job the same time, in the order of their admission, again and again."""

    def __init__(self, quantum_s: float = QUANTUM_S, first_s: float = FIRST_S) -> None:
        """Make a circle without jobs.

        Args:
            quantum_s: processor seconds of each job in a round.
            first_s: and in its first round.
        """
        self._jobs: deque[_Running] = deque()
        self._quantum_s, self._first_s = quantum_s, first_s

    def __bool__(self) -> bool:
        return bool(self._jobs)

    def add(self, key: int, thread: JobThread, audio_s: float, admitted_s: float) -> None:
        """Add a job at the end of the circle; arguments as in `StartJob`."""
        job = _Running(key, thread, audio_s, admitted_s)
        job.used_s = self._quantum_s - self._first_s
        self._jobs.append(job)

    def remove(self, key: int) -> bool:
        """Drop a job, and return whether it was there."""
        match = next((job for job in self._jobs if job.key == key), None)
        if match is None:
            return False
        self._jobs.remove(match)
        match.thread.close()
        return True

    def turn(self) -> Iterator[FromWorker]:
        """Run the next turn, and yield what is to be sent as soon as it is there."""
        job = self._next()
        if not job.turns:
            job.queued_s = time.monotonic() - job.admitted_s
            yield Began(job.key)
        turn = job.thread.resume()
        job.turns += 1
        job.compute_s += turn.compute_s
        if not turn.is_last:
            self._put_back(job, turn.compute_s)
            yield TurnDone(job.key, turn.segments, turn.done_s)
        else:
            yield ended(job, turn)

    def _next(self) -> _Running:
        """Return the next job that has time left in this round."""
        while True:
            job = self._jobs.popleft()
            if job.used_s < self._quantum_s or not self._jobs:
                return job
            job.used_s -= self._quantum_s
            self._jobs.append(job)

    def _put_back(self, job: _Running, compute_s: float) -> None:
        job.used_s += compute_s
        if job.used_s < self._quantum_s:
            self._jobs.appendleft(job)
        else:
            job.used_s -= self._quantum_s
            self._jobs.append(job)


def ended(job: _Running, turn: Turn) -> Ended:
    """Return the message of the last turn of a job."""
    if turn.error is not None:
        return Ended(job.key, *failure(turn.error))
    assert turn.result is not None
    return Ended(job.key, Finished(turn.result.language, job.usage(), turn.result.doubt))


def failure(error: Exception) -> tuple[JobError, str]:
    """Return the reason for the client, and the traceback if the fault is ours."""
    if isinstance(error, UserError):
        return UnanswerableError(str(error)), ""
    if isinstance(error, JobError):
        return error, ""
    reason = f"a fault of the service: {type(error).__name__}; its log has the traceback"
    return UnavailableError(reason), "".join(traceback.format_exception(error))
