"""A user's mistake is one line, ours is a traceback, and no stage outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fonoteka.core import run_stage
from fonoteka.core.errors import UserError

PARENT = """
import subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1]])
"""
# A shell that waits for its command, as Debian's sh does for a command alone.
DVC = """
import os, shlex, subprocess, sys
command = shlex.join([sys.executable, "-c", sys.argv[1]]) + "; exit $?"
subprocess.run(["/bin/sh", "-c", command], env=os.environ | {"DVC_STAGE": "train"})
"""
CHILD = """
import os, time
from fonoteka.core.run_stage import stage
stage(lambda: (print(os.getpid(), flush=True), time.sleep(60)))
"""


@pytest.fixture(autouse=True)
def _bound_to_nobody(monkeypatch):
    """The tests' own process is not tied to its parent."""
    monkeypatch.delenv("FONOTEKA_TRACEBACK", raising=False)
    monkeypatch.setattr(run_stage, "die_with_parent", lambda: None)
    monkeypatch.delenv("DVC_STAGE", raising=False)


def fails_with(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize("kind", [UserError, OSError])
def test_a_mistake_of_the_user_is_one_line_and_exit_code_1(kind, capsys):
    with pytest.raises(SystemExit, match="1"):
        run_stage.stage(fails_with(kind("a.wav:\n  not  sound")))
    assert capsys.readouterr() == ("", "error: a.wav: not sound\n")


@pytest.mark.parametrize(
    ("function", "code", "message"),
    [
        (lambda: None, 0, ""),
        (lambda: 1, 1, ""),
        (fails_with(UserError("a.wav: not  sound")), 2, "error: a.wav: not sound\n"),
        (fails_with(OSError("no space")), 2, "error: no space\n"),
        (fails_with(TimeoutError()), 2, "error: TimeoutError\n"),
        (fails_with(KeyboardInterrupt()), 130, "stopped\n"),
        (fails_with(KeyboardInterrupt(signal.SIGTERM)), 143, "stopped\n"),
    ],
)
def test_a_command_exits_with_a_code_that_tells_how_it_ended(function, code, message, capsys):
    with pytest.raises(SystemExit) as ended:
        run_stage.run_command(function)
    assert ended.value.code == code
    assert capsys.readouterr() == ("", message)


def test_an_error_that_is_not_ours_keeps_its_traceback():
    # Shapes that do not fit are a fault of the code: one sentence would hide where it is.
    def main():
        np.zeros(2) + np.zeros(3)

    with pytest.raises(ValueError, match="could not be broadcast together"):
        run_stage.stage(main)


def test_a_stage_that_succeeds_exits_with_0(capsys):
    with pytest.raises(SystemExit, match="0"):
        run_stage.stage(lambda: None)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("error", [KeyError("k"), RuntimeError("r"), AssertionError("a")])
def test_a_mistake_of_ours_keeps_its_traceback(error):
    with pytest.raises(type(error), match=error.args[0]):
        run_stage.stage(fails_with(error))


def test_a_traceback_can_be_asked_for(monkeypatch):
    monkeypatch.setenv("FONOTEKA_TRACEBACK", "1")
    with pytest.raises(ValueError, match="shown"):
        run_stage.stage(fails_with(UserError("shown")))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
@pytest.mark.parametrize("starter", [PARENT, DVC])
def test_a_stage_dies_when_the_one_that_started_it_is_killed(starter):
    parent = subprocess.Popen([sys.executable, "-c", starter, CHILD], stdout=subprocess.PIPE)
    with parent, parent.stdout:
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    assert has_ended(child)


@pytest.mark.skipif(sys.platform != "linux", reason="no other system is asked")
@pytest.mark.parametrize("refusal", ["PermissionError", "AttributeError"])
def test_the_stage_continues_if_processes_cannot_be_watched(refusal):
    code = (
        "import os\n"
        "from fonoteka.core.run_stage import stage\n"
        f"def refuse(process): raise {refusal}\n"
        "os.pidfd_open = refuse\n"
        "stage(lambda: print('done'))"
    )
    command = [sys.executable, "-c", DVC, code]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.stdout, run.stderr) == ("done\n", "")


@pytest.mark.parametrize(
    ("encoding", "printed"), [("cp1252", b"dom\\u026a \xe6"), ("utf-8", "domɪ æ".encode())]
)
def test_a_letter_that_the_output_cannot_encode_is_printed_as_an_escape(encoding, printed):
    # cp1252 is the encoding of a pipe on Windows.
    code = "from fonoteka.core.run_stage import stage; stage(lambda: print('dom\\u026a æ'))"
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, printed + b"\n", b"")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_a_process_whose_parent_died_first_ends_at_once():
    code = (
        "from fonoteka.core.run_stage import die_with_parent; die_with_parent(-1); print('alive')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (1, "")


def test_elsewhere_than_on_linux_nothing_is_asked(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(run_stage.sys, "platform", "darwin")
    monkeypatch.setattr(run_stage.ctypes, "CDLL", None)
    run_stage.die_with_parent(os.getpid())
    assert run_stage.child_preexec() is None  # the one value that Windows accepts


def has_ended(process: int, within_s: float = 10.0) -> bool:
    """Whether a process ends in time; a zombie has ended."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False
