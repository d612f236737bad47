"""The bench of the runner times what it says, and refuses what would make no figure."""

from __future__ import annotations

import json

import pytest
from toy import keep_apart, run_dvc, toy_repository  # noqa: F401 - a fixture

from fonoteka.bench import runner as bench_runner
from fonoteka.bench.corpus_commands import Taken


@pytest.fixture
def times(monkeypatch, tmp_path):
    """Give the bench times in place of runs, by command, and a report of its own."""
    taken = {"dvc": 1.0, "fonoteka.pipeline.runner.run": 1.1}
    monkeypatch.setattr(bench_runner, "timed", lambda what, _: Taken(taken[what[0]], 0, 0))
    monkeypatch.setattr(bench_runner, "refuse_stale", lambda _: None)
    monkeypatch.setattr(bench_runner, "REPORT", tmp_path / "runner.json")
    monkeypatch.setattr(bench_runner.sys, "argv", ["bench-runner"])
    return taken


def run(*what):
    """Run the command and return its exit code."""
    bench_runner.sys.argv[1:] = what
    with pytest.raises(SystemExit) as ended:
        bench_runner.stage(bench_runner.main)
    return ended.value.code


@pytest.mark.dvc
def test_stages_that_do_nothing_are_stages_of_dvc(tmp_path, monkeypatch):
    keep_apart(monkeypatch, tmp_path)
    folder = tmp_path / "stages"
    folder.mkdir()
    bench_runner.write_stages(folder, 3)
    outputs = [run_dvc("repro", folder=folder) for _ in range(2)]
    assert "Data and pipelines are up to date" in outputs[1]
    assert [(folder / str(n)).read_text() for n in range(3)] == ["0\n", "1\n", "2\n"]


@pytest.mark.dvc
@pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # dvc's use of pygtrie
def test_the_ratio_is_of_the_empty_stages_and_past_its_limit_fails(times, toy, monkeypatch, capsys):
    toy("stages:\n  one: {cmd: echo 1 > 1, outs: ['1']}\n  two: {cmd: echo 2 > 2, outs: ['2']}\n")
    written = []
    monkeypatch.setattr(bench_runner, "write_stages", lambda _, count: written.append(count))
    assert run("idle", "--rounds", "1") == 0
    assert written == [2]  # as many as the pipeline has
    assert "make repro here            1.1  1.10" in capsys.readouterr().out
    times["fonoteka.pipeline.runner.run"] = 1.3
    assert run("idle", "--rounds", "1") == 1
    assert "idle.of_empty is 1.3, above 1.2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more_s", "lock", "code", "said"),
    [
        (5.0, b"a", 0, "2.0 times as fast, the same dvc.lock"),
        (8.0, b"a", 1, "jobs.times_as_fast is 1.25, below 1.5"),
        (5.0, b"b", 1, "jobs.same_lock is 0.0, below 1.0"),
    ],
)
def test_many_jobs_have_to_be_quicker_and_write_the_same(
    more_s, lock, code, said, times, monkeypatch, capsys
):
    monkeypatch.setattr(bench_runner, "worker_count", lambda: 2)
    monkeypatch.setattr(
        bench_runner, "built", lambda jobs: (10.0, b"a") if jobs == 1 else (more_s, lock)
    )
    assert run("jobs") == code
    output = capsys.readouterr()
    assert said in output.out + output.err
    known = json.loads(bench_runner.REPORT.read_text())
    assert known["jobs"]["same_lock"] == (lock == b"a")


def test_one_core_has_nothing_to_do_side_by_side(times, monkeypatch, capsys):
    monkeypatch.setattr(bench_runner, "worker_count", lambda: 1)
    assert run("jobs") == 1
    assert "one core alone" in capsys.readouterr().err


def test_a_build_that_fails_says_how(monkeypatch, tmp_path):
    monkeypatch.setattr(bench_runner, "TOP", tmp_path)
    with pytest.raises(ValueError, match=r"git rev-parse: fatal: not a git repository"):
        bench_runner.built(1)
