"""The jobs of a batch worker, one turn each in a circle."""

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
from fonoteka.service.work.compute.turns import JobThread, Turn
from fonoteka.service.work.messages import Began, Ended, FromWorker, TurnDone


@dataclass
class _Running:
    key: int
    thread: JobThread
    audio_s: float
    admitted_s: float
    queued_s: float = 0.0
    compute_s: float = 0.0
    turns: int = 0

    def usage(self) -> Usage:
        return Usage(self.audio_s, self.queued_s, self.compute_s, self.turns)


class RoundRobin:
    """Gives each job a turn, in the order of their admission, again and again."""

    def __init__(self) -> None:
        self._jobs: deque[_Running] = deque()

    def __bool__(self) -> bool:
        return bool(self._jobs)

    def add(self, key: int, thread: JobThread, audio_s: float, admitted_s: float) -> None:
        """Add a job at the end of the circle; arguments as in `StartJob`."""
        self._jobs.append(_Running(key, thread, audio_s, admitted_s))

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
        job = self._jobs.popleft()
        if not job.turns:
            job.queued_s = time.monotonic() - job.admitted_s
            yield Began(job.key)
        turn = job.thread.resume()
        job.turns += 1
        job.compute_s += turn.compute_s
        if not turn.is_last:
            self._jobs.append(job)
            yield TurnDone(job.key, turn.segments, turn.done_s)
        else:
            yield ended(job, turn)


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
