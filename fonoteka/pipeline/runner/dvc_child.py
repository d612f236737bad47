"""Run one dvc command, and end it with all its children if the parent process dies.

    python -P fonoteka/pipeline/runner/dvc_child.py PARENT_PID repro -s STAGE

A runner that is killed with -9 cannot stop its stages, and such a stage would run beside the one
that the next run starts. So this process asks Linux for a signal when its parent dies, and then
ends the whole process group that it leads.

Started by path and with `-P`: otherwise the folder of this file would be first on `sys.path`, and
its modules would hide those of the standard library. So this file imports nothing of the project,
not even `fonoteka.core.run_stage`, whose `die_with_parent` asks for SIGKILL and not for SIGTERM.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from types import FrameType

PR_SET_PDEATHSIG = 1  # from <sys/prctl.h>


def watch(parent: int) -> None:
    """End this process group if process `parent` dies, and ignore a SIGTERM from `parent`.

    The stage's command ends by the default reaction. dvc then sees a failed command, releases its
    locks and leaves `dvc.lock` complete.
    """

    def on_term(_signal: int, _frame: FrameType | None) -> None:
        if os.getppid() != parent:
            os.killpg(os.getpgid(0), signal.SIGKILL)

    signal.signal(signal.SIGTERM, on_term)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before the request was made
        sys.exit(1)


def main() -> None:
    """Watch the process of the first argument, and run dvc with the other arguments."""
    watch(int(sys.argv[1]))
    from dvc.cli import main as dvc  # after watch(): importing dvc takes 0.5 s

    sys.exit(dvc(sys.argv[2:]))


if __name__ == "__main__":
    main()
