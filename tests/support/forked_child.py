"""The stages that the runner starts, in forked copies of the test process.

A start of `dvc_child.py` spends 1 to 2 s on imports of dvc. A fork has them already and then does
what `dvc_child.main` does: 0.2 s. Tests of signals, of process groups and of a parent's death keep
the real start.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
from toy import become, import_dvc

from fonoteka.pipeline.runner import dvc_child
from fonoteka.pipeline.runner import process as stage_process


class ForkedChild:
    """The part of `subprocess.Popen` that the runner uses, for the command of `dvc_child` only."""

    def __init__(self, command, *, cwd, env, stdin, stdout, stderr, start_new_session) -> None:
        assert command[:3] == [sys.executable, "-P", dvc_child.__file__]
        assert (stdin, stderr) == (subprocess.DEVNULL, subprocess.STDOUT)
        assert start_new_session
        import_dvc()
        self.returncode: int | None = None
        begun, beginning = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            become(
                lambda: _work(int(command[3]), command[4:], beginning),
                cwd, env, stdout.fileno(), stdout.fileno(),
            )  # fmt: skip
        os.close(beginning)
        os.read(begun, 1)  # as Popen does, return when the child leads its own group
        os.close(begun)

    def poll(self) -> int | None:
        """Return the exit code, or None while the child runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


def _work(parent: int, arguments: list[str], beginning: int) -> int:
    """Run the body of `dvc_child.main` in a session of its own, without the parent's handlers."""
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    dvc_child.watch(parent)
    os.close(beginning)
    import dvc.cli

    return dvc.cli.main(arguments)


def fork_stages(patch: pytest.MonkeyPatch) -> None:
    """Make the runner start its stages as forks while `patch` is active."""
    names = vars(subprocess) | {"Popen": ForkedChild}
    patch.setattr(stage_process, "subprocess", SimpleNamespace(**names))


@pytest.fixture
def forked_stages(monkeypatch):
    """Make the runner start its stages as forks."""
    fork_stages(monkeypatch)
