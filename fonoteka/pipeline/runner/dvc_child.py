"""Run one dvc command and end it, and all it started, when the process that asked for it is gone.

    python -P fonoteka/pipeline/runner/dvc_child.py PARENT_PID repro -s STAGE

A runner that is killed with -9 cannot tidy up, and a stage that works on unseen would stand beside
the one that the next run starts. So Linux is asked for a signal when the parent dies, and the whole
process group, whose leader this is, ends with it.

Started by path and with `-P`: the folder of this file would else come first on `sys.path`, and its
modules before those of the standard library. So this file imports nothing of the project, not even
`fonoteka.core.run_stage`, whose `die_with_parent` asks for SIGKILL and not for SIGTERM.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from types import FrameType

PR_SET_PDEATHSIG = 1  # from <sys/prctl.h>


def watch(parent: int) -> None:
    """End this process group with process `parent`, and outlive a SIGTERM that comes from it.

    The stage's command has the default reaction and ends; dvc then sees a failed command, gives its
    locks back and leaves `dvc.lock` whole.
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
    """Watch the parent named first, then be dvc with the arguments that follow."""
    watch(int(sys.argv[1]))
    from dvc.cli import main as dvc  # after watch(): importing dvc takes a good part of a second

    sys.exit(dvc(sys.argv[2:]))


if __name__ == "__main__":
    main()
