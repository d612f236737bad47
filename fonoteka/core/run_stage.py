"""Run a stage or a command: one sentence for a user's mistake, a traceback for a fault of ours."""

from __future__ import annotations

import atexit
import ctypes
import gc
import io
import os
import select
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Thread
from typing import NoReturn

from fonoteka.core.errors import UserError
from fonoteka.core.stage_log import stage_log

PR_SET_PDEATHSIG = 1  # from <sys/prctl.h>
DONE, FAILED, UNDECIDED = 0, 1, 2


def run_command(
    function: Callable[[], int | None], undecided: int = UNDECIDED, stopped: str = "stopped"
) -> NoReturn:
    """Call a function and exit with the code that it returns, or with 0 if it returns None.

    A `UserError` or `OSError` is printed to stderr as `error: ...`, because its message is written
    for the user. Any other exception is a fault of the code and keeps its traceback, a plain
    `ValueError` of numpy or torch too. With FONOTEKA_TRACEBACK set both keep it.

    Args:
        function: does the work of the command and returns its exit code.
        undecided: the exit code after a `UserError` or `OSError`.
        stopped: printed after Ctrl-C or a signal that raises `KeyboardInterrupt`; the exit code is
            then 128 and the number of the signal, which is the exception's argument if it has one.
    """
    # A process ends with a search for cycles among all objects: 0.7 CPU seconds if torch was
    # imported, 2.1 if transformers was. Frozen objects are not searched; this function runs last.
    atexit.register(gc.freeze)
    _print_any_text()
    try:
        sys.exit(function() or DONE)
    except (UserError, OSError) as error:
        if os.environ.get("FONOTEKA_TRACEBACK"):
            raise
        # An OSError may have no text: `TimeoutError()` of asyncio has not.
        text = " ".join(str(error).split()) or type(error).__name__
        print(f"error: {text}", file=sys.stderr)
        raise SystemExit(undecided) from error
    except KeyboardInterrupt as error:
        print(stopped, file=sys.stderr)
        sys.exit(128 + int(error.args[0] if error.args else signal.SIGINT))


def _print_any_text() -> None:
    r"""Print a character that the output's encoding lacks as an escape, for example `\u026a`.

    Windows encodes a pipe in the code page of the system, which has no letters of phones: in that
    encoding `audit` would fail with a UnicodeEncodeError. With UTF-8 this changes nothing.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def stage(main: Callable[[], None]) -> NoReturn:
    """Call `main` and exit as `run_command` does, with 1 after an error; end with the parent.

    The run is logged: see `fonoteka.core.stage_log`.
    """
    die_with_parent()
    die_with_dvc()
    _name_the_program()
    with stage_log():
        run_command(main, undecided=FAILED)


def _name_the_program() -> None:
    """Let usage messages name the package that `python -m` runs, and not `__main__.py`."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec and Path(sys.argv[0]).name == "__main__.py":
        sys.argv[0] = spec.parent


def die_with_parent(parent: int | None = None) -> None:
    """Ask Linux to end this process when its parent dies.

    A killed `dvc repro` would otherwise leave its stage running, beside the one that the next
    `dvc repro` starts. This does nothing on other systems.

    Args:
        parent: the parent's process id, if known: if the parent died before this call, no signal
            will come, so this process ends at once.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if parent is not None and os.getppid() != parent:
            os._exit(1)


def child_preexec() -> Callable[[], None] | None:
    """Return the `preexec_fn` by which a child ends with this process: None, except on Linux.

    Windows refuses any other value than None.
    """
    return partial(die_with_parent, os.getpid()) if sys.platform == "linux" else None


def die_with_dvc() -> None:
    """End this process with the dvc that runs it, if a shell is between the two.

    dvc starts a stage's command by `$SHELL`, or by /bin/sh if that is not set. Most shells replace
    themselves by the command, but Debian's sh starts it as a child, waits, and outlives a killed
    dvc: then the parent is the shell, and dvc is the shell's parent. The shell has the variable
    DVC_STAGE, which dvc itself does not have. If the system does not report other processes, or
    cannot watch them, the stage continues unwatched.
    """
    if "DVC_STAGE" not in os.environ or not Path("/proc/self").exists():
        return
    between = Path("/proc", str(os.getppid()))
    try:
        if b"\0DVC_STAGE=" not in b"\0" + (between / "environ").read_bytes():
            return
        # The name of the program comes first, in parentheses; what follows are the state and the
        # parent's number: proc(5).
        dvc = int((between / "stat").read_text().rpartition(")")[2].split()[1])
        watched = os.pidfd_open(dvc)
    except (FileNotFoundError, ProcessLookupError):
        os._exit(1)  # one of the two is gone already
    except (OSError, AttributeError):
        return
    Thread(target=_end_with, args=(watched,), name="die-with-dvc", daemon=True).start()


def _end_with(process: int) -> None:
    """Kill this process as soon as that of a file descriptor has ended."""
    select.select([process], [], [])
    os.kill(os.getpid(), signal.SIGKILL)
