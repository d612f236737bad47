"""Run a stage's main: one sentence for a user's mistake, no orphans, the traceback for ours."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

PR_SET_PDEATHSIG = 1  # from <sys/prctl.h>


def stage(main: Callable[[], None]) -> NoReturn:
    """Call `main` and exit: 0, or 1 after one line on stderr for a `ValueError` or `OSError`.

    A ValueError is the data's or the user's fault and its message is written for them; any other
    exception but OSError is a fault of this code and keeps its traceback.
    """
    die_with_parent()
    try:
        main()
    except (ValueError, OSError) as error:
        if os.environ.get("FONOTEKA_TRACEBACK"):
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(1)
    sys.exit(0)


def die_with_parent(parent: int | None = None) -> None:
    """Ask Linux to end this process when its parent dies.

    A killed `dvc repro` would otherwise leave its stage at work, beside the one that the next
    `dvc repro` starts. Elsewhere than on Linux this does nothing.

    Args:
        parent: the parent's process id, where it is known: if it died before this call, no signal
            will come, so this process ends at once.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if parent is not None and os.getppid() != parent:
            os._exit(1)
