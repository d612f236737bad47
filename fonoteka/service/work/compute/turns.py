"""Run a job in turns, between which the other jobs of its worker have theirs.

A job is plain code that calls `Turns.pause` as often as it can. It runs in a thread of its own, and
exactly one thread of a worker runs at a time: the scheduler waits while a job has its turn, and the
job waits until it is resumed. So the library's functions need no change to be interrupted: a turn
can end in the middle of `recognise`, between two tokens of a text, which a generator could not do.
Passing the turn to and fro takes 30 microseconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from types import FrameType

from fonoteka.service.interfaces import Segment

QUANTUM_S = 0.1
"""A turn ends at the first pause after so many processor seconds. A short job beside a long one
then takes twice its own time and at most this more. What cannot pause, such as a pass of an encoder
over a window, makes a turn longer."""


@dataclass(frozen=True)
class JobResult:
    """What a job returns beside its segments; see `Finished`."""

    language: str
    doubt: str = ""


@dataclass(frozen=True)
class Turn:
    """What a turn did.

    Attributes:
        segments: that it computed.
        done_s: the place in the recording that the job has reached.
        compute_s: processor seconds.
        result: of the job, None if the job is not over or failed.
        error: with which the job failed.
    """

    segments: tuple[Segment, ...]
    done_s: float
    compute_s: float
    result: JobResult | None = None
    error: Exception | None = None

    @property
    def is_last(self) -> bool:
        """Whether the job is over."""
        return self.result is not None or self.error is not None


class _ClosedError(BaseException):
    """Unwinds a job that is cancelled; not an `Exception`, so that no job catches it."""


class Turns:
    """The side of the job: where its turn may end."""

    def __init__(self, quantum_s: float) -> None:
        self._quantum_s = quantum_s
        self._resumed: SimpleQueue[bool] = SimpleQueue()
        self._done: SimpleQueue[Turn] = SimpleQueue()
        self._done_s = self._began_s = 0.0

    def pause(self) -> None:
        """End the turn if it has lasted long enough."""
        if time.thread_time() - self._began_s >= self._quantum_s:
            self._pass(self._turn())

    @contextmanager
    def pausing(self) -> Iterator[None]:
        """Pause at each call of a Python function in a block.

        Interrupts a function of the library that takes long and has no argument that could pause:
        the search of the aligner takes 13 s for 20 minutes, in steps of a frame.
        """

        def at_call(_frame: FrameType | None, event: str, _argument: object) -> None:
            if event == "call":
                self.pause()

        sys.setprofile(at_call)
        try:
            yield
        finally:
            sys.setprofile(None)

    def emit(self, segment: Segment) -> None:
        """End the turn with a segment, so that it is sent at once."""
        self._done_s = max(self._done_s, segment.end_s)
        self._pass(self._turn((segment,)))

    def reach(self, done_s: float) -> None:
        """Note the place in the recording up to which nothing is left to do."""
        self._done_s = done_s

    def _turn(
        self, segments: tuple[Segment, ...] = (), result: JobResult | None = None,
        error: Exception | None = None,
    ) -> Turn:  # fmt: skip
        compute_s = time.thread_time() - self._began_s
        return Turn(segments, self._done_s, compute_s, result, error)

    def _pass(self, turn: Turn) -> None:
        self._done.put(turn)
        self._wait()

    def _wait(self) -> None:
        if not self._resumed.get():
            raise _ClosedError
        self._began_s = time.thread_time()


class JobThread(Turns):
    """The side of the scheduler: a job that is resumed for one turn after the other."""

    def __init__(
        self, work: Callable[[Turns], JobResult], name: str, quantum_s: float = QUANTUM_S
    ) -> None:
        """Prepare a job.

        Args:
            work: the job.
            name: of its thread.
            quantum_s: processor seconds after which a turn ends at the next pause.
        """
        super().__init__(quantum_s)
        self._work = work
        # A daemon: a turn that hangs must not prevent the end of the process.
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def resume(self) -> Turn:
        """Run the next turn and return what it did; not after the last one."""
        self._resumed.put(True)
        return self._done.get()

    def close(self) -> None:
        """Unwind a job that is not over; its files are closed then."""
        self._resumed.put(False)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._wait()
            turn = self._turn(result=self._work(self))
        except _ClosedError:
            return
        except Exception as error:
            turn = self._turn(error=error)
        self._done.put(turn)
