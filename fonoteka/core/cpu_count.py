"""How many processes may work side by side on clips that don't depend on each other."""

from __future__ import annotations

import os


def worker_count() -> int:
    """Return the number of cores this process may use.

    It is read from the machine and is no parameter: no result depends on it, and a result must not
    go stale because it moved to another machine.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
