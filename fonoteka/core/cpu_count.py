"""The number of processes that may run in parallel."""

from __future__ import annotations

import os


def worker_count() -> int:
    """Return the number of cores that this process may use.

    It is not a parameter: no result depends on it, and a result must not become stale on another
    machine.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
