"""One worker of `sandbox`: a process that receives chunks of indices and sends results.

The process sets its own limits: its memory, that it writes no core dump, and that it ends with the
process that started it.
"""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from threadpoolctl import threadpool_limits

from fonoteka.audiocheck.process_limits import limit_process
from fonoteka.core.run_stage import die_with_parent

_IDLE = -1.0
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # from <malloc.h>


@dataclass(frozen=True)
class WorkerFailure:
    """An item without a result; `cause` is `time`, `memory` or `crash`."""

    cause: str
    detail: str


class Worker:
    """One process, the pipe to it, and shared memory with its current item and start time.

    Attributes:
        connection: receives a list of results per chunk, or an exception, or ends.
        chunks: chunks that were handed over and have no results yet.
    """

    def __init__(
        self, function: Callable[[Any], Any], items: Sequence[Any], memory_mib: int
    ) -> None:
        """Start the process; if processes fork, it inherits the items."""
        context = multiprocessing.get_context()
        self._position = context.RawArray("d", 2)  # when the item began, and its index
        self._position[0] = self._position[1] = _IDLE
        self.connection, worker_end = context.Pipe()
        arguments = (function, items, worker_end, self._position, memory_mib, os.getpid())
        self._process = context.Process(target=_work, args=arguments, daemon=True)
        self._process.start()
        worker_end.close()
        self.chunks: deque[range] = deque()

    def hand_over(self, chunk: range) -> None:
        """Send the process a chunk; a dead process is detected when its results are received."""
        self.chunks.append(chunk)
        try:
            self.connection.send(chunk)
        except OSError:
            return

    def item(self) -> int | None:
        """Return the index of the current item, or of the last one if the process died."""
        index = int(self._position[1])
        return index if any(index in chunk for chunk in self.chunks) else None

    def overdue(self, item_s: float) -> bool:
        """Return whether the current item has taken too long."""
        began: float = self._position[0]
        return began >= 0 and time.monotonic() - began > item_s

    def end(self) -> str:
        """End the process if it runs, and return its exit status or signal."""
        self._process.kill()
        self._process.join()
        self.connection.close()
        code = self._process.exitcode or 0
        return f"signal {-code}" if code < 0 else f"exit status {code}"


def _work(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    connection: Connection,
    position: Any,
    memory_mib: int,
    parent: int,
) -> None:
    """Work on items, whose indices come in chunks, until this process is ended."""
    die_with_parent(parent)
    limit_process(memory_mib)
    _keep_freed_memory()
    threadpool_limits(limits=1)  # the other cores are for the other workers
    gc.freeze()  # what is here will stay: no need to look through it again and again
    while True:
        try:
            chunk = connection.recv()
        except EOFError:
            return
        results = []
        try:
            for index in chunk:
                position[1] = index
                position[0] = time.monotonic()
                results.append(_result(function, items[index], memory_mib))
        except Exception as error:  # a fault of ours, raised where it is seen
            connection.send(error)
            return
        position[0] = position[1] = _IDLE
        connection.send(results)


def _result(function: Callable[[Any], Any], item: Any, memory_mib: int) -> Any:
    try:
        return function(item)
    except MemoryError:
        return WorkerFailure("memory", f"needs more than {memory_mib} MiB of memory")


def _keep_freed_memory() -> None:
    """Configure the C library to keep freed memory between items.

    On short clips, returning and requesting memory took half of the time. Without glibc this does
    nothing.
    """
    if sys.platform == "linux":
        allocator = getattr(ctypes.CDLL(None), "mallopt", None)
        for option, size in ((_TRIM_THRESHOLD, 64), (_MMAP_THRESHOLD, 32)):
            if allocator is not None:
                allocator(option, size * 2**20)
