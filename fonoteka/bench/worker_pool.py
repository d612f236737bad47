"""Processes, one a core, that each hold what they need before the clock starts.

A process is spawned, not forked: a fork of a process with torch's threads may hang.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.run_stage import die_with_parent

Work = Callable[[Any], Any]


class Crew:
    """Some processes that do what they are told."""

    def __init__(self, size: int, prepare: Callable[[Any], Work], about: Any) -> None:
        """Start the processes and wait until all are ready.

        Args:
            size: how many.
            prepare: a function of a module; called once in each process, with `about`. It returns
                the function that does the work. Their arguments and answers are pickled.
            about: what to prepare.

        Raises:
            ValueError: a process ended before it was ready.
        """
        context = multiprocessing.get_context("spawn")
        self._lines: list[Connection] = []
        self._processes = []
        for _ in range(size):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_serve, args=(theirs, prepare, about, os.getpid()), daemon=True
            )
            process.start()
            theirs.close()
            self._lines.append(ours)
            self._processes.append(process)
        for line in self._lines:
            _answer(line)

    def share(self, jobs: Sequence[Any]) -> tuple[list[Any], float]:
        """Return the answers in the order of the jobs, and the seconds it took.

        Jobs are given out in their order, one at a time, to whoever is free.
        """
        answers: list[Any] = [None] * len(jobs)
        at_work: dict[Connection, int] = {}
        free, following = list(self._lines), 0
        start_ns = time.perf_counter_ns()
        while following < len(jobs) or at_work:
            while free and following < len(jobs):
                line = free.pop()
                line.send(jobs[following])
                at_work[line] = following
                following += 1
            for ready in wait(list(at_work)):
                assert isinstance(ready, Connection)
                answers[at_work.pop(ready)] = _answer(ready)
                free.append(ready)
        return answers, (time.perf_counter_ns() - start_ns) / 1e9

    def all(self, job: Any) -> tuple[list[Any], float]:
        """Return the answer of each process to one job that all do at once, and the seconds."""
        start_ns = time.perf_counter_ns()
        for line in self._lines:
            line.send(job)
        answers = [_answer(line) for line in self._lines]
        return answers, (time.perf_counter_ns() - start_ns) / 1e9

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for line in self._lines:
            line.close()  # they read the end of the line and end
        for process in self._processes:
            process.join()


def _answer(line: Connection) -> Any:
    """Return what a process says next.

    Raises:
        ValueError: it ended, or says that it failed.
    """
    try:
        failed, said = line.recv()
    except EOFError as error:
        raise UserError("a process of the crew ended before its work was done") from error
    if failed:
        raise UserError(f"a process of the crew failed: {said}")
    return said


def _serve(line: Connection, prepare: Callable[[Any], Work], about: Any, parent: int) -> None:
    """Prepare, say so, and answer until the line is closed."""
    die_with_parent(parent)
    try:
        work = prepare(about)
        line.send((False, None))
        while True:
            line.send((False, work(line.recv())))
    except (EOFError, ConnectionError):
        return  # the parent closed the line
    except Exception as error:  # whatever it is, the parent has to hear of it
        line.send((True, f"{type(error).__name__}: {error}"))
