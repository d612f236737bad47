"""One worker of `sandbox`: a process that takes chunks of indices and sends back results.

It keeps its own limits, for nobody else can: how much memory it may take, that it leaves none of it
on the disk, and that it ends when the process that began it does.
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

from fonoteka.core.run_stage import die_with_parent

_IDLE = -1.0
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # from <malloc.h>


@dataclass(frozen=True)
class Lost:
    """An item without a result; `cause` is `time`, `memory` or `crash`."""

    cause: str
    detail: str


class Worker:
    """One process, the pipe to it, and the two numbers by which it says where it is.

    Attributes:
        connection: gives a list of results for each chunk, or an exception, or ends.
        chunks: handed over and not answered.
    """

    def __init__(
        self, function: Callable[[Any], Any], items: Sequence[Any], memory_mib: int
    ) -> None:
        """Start the process. Where processes fork, it has the items already."""
        context = multiprocessing.get_context()
        self._at = context.RawArray("d", 2)  # when the item began, and its index
        self._at[0] = self._at[1] = _IDLE
        self.connection, theirs = context.Pipe()
        given = (function, items, theirs, self._at, memory_mib, os.getpid())
        self._process = context.Process(target=_work, args=given, daemon=True)
        self._process.start()
        theirs.close()
        self.chunks: deque[range] = deque()

    def hand_over(self, chunk: range) -> None:
        """Give the process more to do; one that is dead is found when it is next listened to."""
        self.chunks.append(chunk)
        try:
            self.connection.send(chunk)
        except OSError:
            return

    def item(self) -> int | None:
        """Return the index of the item that is worked on, or was when the process died."""
        index = int(self._at[1])
        return index if any(index in chunk for chunk in self.chunks) else None

    def overdue(self, item_s: float) -> bool:
        """Tell whether the item that is worked on has taken too long."""
        began: float = self._at[0]
        return began >= 0 and time.monotonic() - began > item_s

    def end(self) -> str:
        """End the process if it lives, and return how it ended."""
        self._process.kill()
        self._process.join()
        self.connection.close()
        code = self._process.exitcode or 0
        return f"signal {-code}" if code < 0 else f"exit status {code}"


def _work(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    connection: Connection,
    at: Any,
    memory_mib: int,
    parent: int,
) -> None:
    """Work on items, whose indices come in chunks, until this process is ended."""
    die_with_parent(parent)
    _limit(memory_mib)
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
                at[1] = index
                at[0] = time.monotonic()
                results.append(_result(function, items[index], memory_mib))
        except Exception as error:  # a fault of ours, raised where it is seen
            connection.send(error)
            return
        at[0] = at[1] = _IDLE
        connection.send(results)


def _result(function: Callable[[Any], Any], item: Any, memory_mib: int) -> Any:
    try:
        return function(item)
    except MemoryError:
        return Lost("memory", f"needs more than {memory_mib} MiB of memory")


def limits_memory() -> bool:
    """Return whether this system lets a worker limit its own memory.

    Windows has no module `resource`; macOS has one whose limit of the address space does nothing.
    """
    return _resource() is not None and _held_bytes() > 0


def _limit(memory_mib: int) -> None:
    """Keep this process from taking more memory, and from leaving its memory on the disk."""
    resource = _resource()
    if resource is None:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    held = _held_bytes()
    if held:
        most = held + memory_mib * 2**20
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        if hard == resource.RLIM_INFINITY or most <= hard:
            resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _resource() -> Any:
    """Return the module `resource`; None on Windows."""
    try:
        import resource
    except ImportError:
        return None
    return resource


def _keep_freed_memory() -> None:
    """Ask the C library not to give memory back between items: to take it anew costs more.

    On short clips it was half of the time. Elsewhere than with glibc this does nothing.
    """
    if sys.platform == "linux":
        allocator = getattr(ctypes.CDLL(None), "mallopt", None)
        for option, size in ((_TRIM_THRESHOLD, 64), (_MMAP_THRESHOLD, 32)):
            if allocator is not None:
                allocator(option, size * 2**20)


def _held_bytes() -> int:
    """Return the address space in use, 0 where the system doesn't say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
