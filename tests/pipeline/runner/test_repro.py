"""Toy pipelines in a temporary folder, built by dvc alone and by the runner."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import exit_code
from forked_child import fork_stages, forked_stages  # noqa: F401 - a fixture
from toy import DIAMOND, run_dvc, toy_repository  # noqa: F401 - a fixture

from fonoteka.pipeline import lockfile, plan
from fonoteka.pipeline.runner import process
from fonoteka.pipeline.scheduler import StageOutcome

pytestmark = [
    pytest.mark.dvc,
    pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning"),  # dvc's use of pygtrie
]

TOP = Path(__file__).parents[3]

# The runner forks its stages in a test with this mark; in the others it starts real processes.
forks = pytest.mark.usefixtures("forked_stages")


def start(folder, *arguments):
    """Start the runner as a process of its own, for tests that send it signals.

    A shell that starts the tests in the background lets them ignore SIGINT; the runner must not.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "fonoteka", "repro", *arguments],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(TOP)}, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def until(condition, seconds=20.0):
    """Wait for a condition; the limit only matters to a test that fails."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.02)


def runs(pid):
    """Return whether a process runs; one that is dead and not yet collected does not."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_lock_file_has_the_bytes_of_plain_dvc(toy, capsys, monkeypatch):
    plain = toy(DIAMOND, "plain")
    subprocess.run([sys.executable, "-m", "dvc", "repro", "-q"], check=True)
    toy(DIAMOND, "beside")
    assert exit_code("repro", "--jobs", "3") == 0
    assert Path("dvc.lock").read_bytes() == (plain / "dvc.lock").read_bytes()
    assert "6 stages: 6 ran" in capsys.readouterr().out

    # What follows uses the same two builds: a second run has nothing to do, and starts nothing.
    fork_stages(monkeypatch)
    logs = {path: path.stat().st_mtime_ns for path in Path(".dvc/tmp/repro").iterdir()}
    assert exit_code("repro", "--show", "end.txt") == 0
    assert capsys.readouterr().out == "everything is up to date: 6 stages\nhello\nh\nh\n"
    assert logs == {path: path.stat().st_mtime_ns for path in Path(".dvc/tmp/repro").iterdir()}

    # The first letter stays, so `end` finds a and b unchanged, and an entry keeps its place.
    for folder in (Path(), plain):
        (folder / "in.txt").write_text("halo\n")
    assert exit_code("repro") == 0
    assert "6 stages: 5 ran, 1 up to date" in capsys.readouterr().out
    run_dvc("repro", "-q", folder=plain)
    assert Path("dvc.lock").read_bytes() == (plain / "dvc.lock").read_bytes()

    # Lost outputs come back from the cache, what reads them finds them unchanged.
    Path("top.txt").unlink()
    assert exit_code("repro") == 0
    assert "6 stages: 1 from the cache, 3 unchanged, 2 up to date" in capsys.readouterr().out


@forks
def test_a_target_is_built_with_all_upstream_and_nothing_else(toy, capsys):
    toy(DIAMOND)
    assert exit_code("repro", "pair", "--show", "in.txt") == 0
    assert sorted(lockfile.entries(Path("dvc.lock"))) == ["pair@a", "pair@b", "top"]
    assert "hello" not in capsys.readouterr().out  # the table is shown for the whole pipeline only


def test_a_half_written_rwlock_does_not_stop_a_build(toy, capsys):
    toy("stages:\n  a: {cmd: echo 1 > a.txt, outs: [a.txt]}\n")
    Path(".dvc/tmp").mkdir(exist_ok=True)
    Path(".dvc/tmp/rwlock").write_text("")
    assert exit_code("repro") == 0
    assert Path("a.txt").read_text() == "1\n"
    assert "rwlock was left half written by a killed dvc" in capsys.readouterr().err


def test_an_unknown_target_is_named_with_its_neighbours(toy, capsys):
    toy(DIAMOND)
    assert exit_code("repro", "pear") == 1
    assert "no stage is named 'pear'; did you mean 'pair'" in capsys.readouterr().err
    assert exit_code("repro", "xyzzy") == 1
    assert "no stage is named 'xyzzy'; see dvc stage list" in capsys.readouterr().err


def test_a_failure_is_shown_once_and_stops_the_rest(toy, capsys):
    toy("""
stages:
  long: {cmd: echo $$ > pid; sleep 60, deps: [quick.txt], outs: [long.txt]}
  bad: {cmd: "until test -s pid; do sleep .1; done; echo out; echo err >&2; exit 3"}
  below: {cmd: cat long.txt > below.txt, deps: [long.txt], outs: [below.txt]}
  quick: {cmd: echo 1 > quick.txt, outs: [quick.txt]}
""")
    assert exit_code("repro", "--jobs", "3") == 1
    output = capsys.readouterr()
    assert output.err.startswith("out\nerr\nerror: stage 'bad' failed after ")
    assert output.err.endswith("(stopped with it: long); run it alone with: dvc repro -s bad\n")
    assert not runs(Path("pid").read_text().strip())
    assert lockfile.entries(Path("dvc.lock")) == ("quick",)
    assert not Path(".dvc/tmp/repro/below.log").exists()


@forks
def test_a_stage_that_fails_keeps_its_last_result(toy, capsys):
    folder = toy(
        """
stages:
  both:
    cmd: mkdir -p shown; test "$(cat in.txt)" = hello; cp in.txt big.txt; cp in.txt shown/small.txt
    deps: [in.txt]
    outs: [big.txt]
    plots: [{shown: {cache: false}}]
""".replace("hello;", "hello || { echo half > big.txt; exit 3; };")
    )
    assert exit_code("repro") == 0
    Path("in.txt").write_text("bad\n")
    lock = Path("dvc.lock").read_bytes()
    assert exit_code("repro") == 1
    assert "stage 'both' failed" in capsys.readouterr().err
    assert (folder / "big.txt").read_text() == (folder / "shown/small.txt").read_text() == "hello\n"
    assert Path("dvc.lock").read_bytes() == lock


@forks
def test_a_stage_that_never_succeeded_has_no_result_to_keep(toy):
    toy("stages:\n  half: {cmd: echo 1 > half.txt; exit 3, outs: [half.txt]}\n")
    assert exit_code("repro") == 1
    assert not Path("dvc.lock").exists()
    assert Path("half.txt").read_text() == "1\n"


@forks
def test_a_frozen_stage_is_left_alone_and_counted(toy, capsys):
    toy("""
stages:
  ice: {cmd: echo 1 > ice.txt, outs: [ice.txt], frozen: true}
  warm: {cmd: echo 1 > warm.txt, outs: [warm.txt]}
""")
    assert exit_code("repro") == 0
    assert "2 stages: 1 ran, 1 frozen" in capsys.readouterr().out
    assert exit_code("repro") == 0
    assert capsys.readouterr().out == "everything is up to date: 2 stages, 1 of them frozen\n"


@forks
def test_changed_data_has_its_new_hash_written_down(toy, capsys):
    toy("stages:\n  copy: {cmd: cat in.txt > out.txt, deps: [in.txt], outs: [out.txt]}\n")
    run_dvc("add", "-q", "in.txt")
    Path("in.txt").write_text("other\n")
    assert exit_code("repro") == 0
    assert "2 stages: 2 ran" in capsys.readouterr().out
    assert exit_code("repro") == 0
    assert capsys.readouterr().out == "everything is up to date: 1 stages\n"


@pytest.mark.parametrize(
    ("stages", "sentence"),
    [
        ("stages: [", r"dvc\.yaml"),
        (
            "stages:\n  a: {cmd: x, deps: [b], outs: [c]}\n  b: {cmd: x, deps: [c], outs: [b]}",
            "both a dependency and an output",
        ),
    ],
)
def test_a_broken_pipeline_is_one_sentence(toy, stages, sentence):
    toy(stages)
    with pytest.raises(ValueError, match=sentence) as caught:
        plan.read()
    assert "\n" not in str(caught.value)


def test_outside_a_pipeline_is_one_sentence(toy, tmp_path, monkeypatch, capsys):
    toy("stages: {}").joinpath("dvc.yaml").unlink()
    with pytest.raises(ValueError, match=r"no dvc\.yaml in this folder, so there are"):
        plan.read()
    monkeypatch.chdir(tmp_path)
    assert exit_code("repro") == 1
    assert "not inside of a DVC repository" in capsys.readouterr().err


SLEEPER = "stages:\n  nap: {cmd: 'echo $$ > pid; sleep 60; true', outs: [nap.txt]}\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_ends_the_stage_and_exits_with_its_number(toy, number, code):
    folder = toy(SLEEPER)
    with start(folder) as runner:
        until((folder / "pid").exists)
        runner.send_signal(number)
        assert "stopped: what was done is kept" in runner.communicate(timeout=20)[1]
    assert runner.returncode == code
    assert not runs((folder / "pid").read_text().strip())


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a child of its parent's death"
)
def test_no_stage_continues_when_the_runner_is_killed(toy):
    folder = toy(SLEEPER)
    with start(folder) as runner:
        until(lambda: (folder / "pid").exists() and (folder / "pid").read_text())
        pid = (folder / "pid").read_text().strip()
        assert runs(pid)
        runner.kill()
        runner.communicate(timeout=20)
    until(lambda: not runs(pid))


def test_a_stage_that_is_deaf_to_sigterm_is_killed(toy):
    folder = toy(
        "stages:\n  deaf: {cmd: 'trap \"\" TERM; echo $$ > pid; while :; do sleep 1; done'}\n"
    )
    child = process.StageProcess("deaf", folder, folder / "deaf.log")
    until(lambda: (folder / "pid").exists() and (folder / "pid").read_text())
    process.stop([child], patience_s=0.4)
    assert child.outcome() is StageOutcome.FAILED
    assert not runs((folder / "pid").read_text().strip())


@forks
def test_the_latest_line_is_the_newest_state_of_a_progress_bar(toy):
    bar = r"printf '10%%\r\033[1m20%%\r'; while ! test -f seen; do sleep 0.05; done"
    folder = toy(f"stages:\n  bar: {{cmd: {json.dumps(bar)}}}\n")
    child = process.StageProcess("bar", folder, folder / "bar.log")
    until(lambda: child.latest_line() == "20%")
    (folder / "seen").touch()
    until(child.outcome)
    assert child.outcome() is StageOutcome.RAN
