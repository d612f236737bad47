"""Limits that a process sets for itself; Windows has none of them, macOS not that of memory."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any


def limits_memory() -> bool:
    """Return whether this system lets a process limit its own memory.

    Windows has no module `resource`; macOS has one whose limit of the address space does nothing.
    """
    return _resource() is not None and _held_bytes() > 0


def limit_process(memory_mib: int, file_bytes: int | None = None, nice: int = 0) -> None:
    """Limit this process and the processes that it will start; it writes no core dump.

    Args:
        memory_mib: memory in addition to what the process has now.
        file_bytes: of each file that it writes; None for no limit.
        nice: steps by which its priority is lowered.
    """
    resource = _resource()
    if resource is None:
        return
    if nice:
        os.nice(nice)
    _lower(resource, resource.RLIMIT_CORE, 0)
    if file_bytes is not None:
        _lower(resource, resource.RLIMIT_FSIZE, file_bytes)
    if held := _held_bytes():
        _lower(resource, resource.RLIMIT_AS, held + (memory_mib << 20))


def limit_cpu_time(seconds: float) -> None:
    """End this process if it uses more seconds of CPU time from now on."""
    resource = _resource()
    if resource is None:
        return
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(usage.ru_utime + usage.ru_stime + seconds)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    # The hard limit stays: this process serves many files, and each gets its own time.
    resource.setrlimit(resource.RLIMIT_CPU, (_least(resource, soft, hard), hard))


def _lower(resource: Any, kind: int, most: int) -> None:
    hard = _least(resource, most, resource.getrlimit(kind)[1])
    resource.setrlimit(kind, (hard, hard))


def _least(resource: Any, most: int, hard: int) -> int:
    return most if hard == resource.RLIM_INFINITY else min(most, hard)


def _resource() -> Any:
    """Return the module `resource`; None on Windows."""
    try:
        import resource
    except ImportError:
        return None
    return resource


def _held_bytes() -> int:
    """Return the bytes of address space in use, 0 if the system does not report them."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
