"""The benchmark of the runner times what it states, and refuses what would give no figure."""

from __future__ import annotations

import json

import pytest
from command_line import exit_code
from toy import keep_apart, run_dvc, toy_repository  # noqa: F401 - a fixture

from fonoteka.bench import runner
from fonoteka.bench.timer import CommandCost


@pytest.fixture
def seconds(monkeypatch, tmp_path):
    """Replace runs by these seconds, by command, and store the report elsewhere."""
    by_command = {"dvc": 1.0, "fonoteka": 1.1}
    monkeypatch.setattr(runner, "time_command", lambda c, _: CommandCost(by_command[c[0]], 0))
    monkeypatch.setattr(runner, "REPORT", tmp_path / "runner.json")
    return by_command


def run(name):
    """Run the command and return its exit code."""
    return exit_code("bench", "runner", name, "--rounds", "1", "--busy")


@pytest.mark.dvc
def test_empty_stages_are_stages_of_dvc(tmp_path, monkeypatch):
    keep_apart(monkeypatch, tmp_path)
    folder = tmp_path / "stages"
    folder.mkdir()
    runner.write_stages(folder, 3)
    outputs = [run_dvc("repro", folder=folder) for _ in range(2)]
    assert "Data and pipelines are up to date" in outputs[1]
    assert [(folder / str(n)).read_text() for n in range(3)] == ["0\n", "1\n", "2\n"]


@pytest.mark.dvc
@pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # dvc's use of pygtrie
def test_the_ratio_is_of_as_many_empty_stages_and_above_its_limit_fails(
    seconds, toy, monkeypatch, capsys
):
    toy("stages:\n  one: {cmd: echo 1 > 1, outs: ['1']}\n  two: {cmd: echo 2 > 2, outs: ['2']}\n")
    assert run("idle") == 1
    assert "a stage is stale" in capsys.readouterr().err
    run_dvc("repro")
    counts = []
    monkeypatch.setattr(runner, "write_stages", lambda _, count: counts.append(count))
    assert run("idle") == 0
    assert counts == [2]
    assert "make repro here            1.1  1.10" in capsys.readouterr().out
    seconds["fonoteka"] = 1.3
    assert run("idle") == 1
    assert "idle.of_empty is 1.3, above 1.2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more_s", "lock", "code", "message"),
    [
        (5.0, b"a", 0, "2.0 times as fast, the same dvc.lock"),
        (8.0, b"a", 1, "jobs.times_as_fast is 1.25, below 1.5"),
        (5.0, b"b", 1, "jobs.same_lock is 0.0, below 1.0"),
    ],
)
def test_more_jobs_have_to_be_faster_and_write_the_same_lock(
    more_s, lock, code, message, seconds, monkeypatch, capsys
):
    monkeypatch.setattr(runner, "worker_count", lambda: 2)
    monkeypatch.setattr(runner, "build", lambda n: (10.0, b"a") if n == 1 else (more_s, lock))
    assert run("jobs") == code
    output = capsys.readouterr()
    assert message in output.out + output.err
    assert json.loads(runner.REPORT.read_text())["jobs"]["same_lock"] == (lock == b"a")


def test_with_one_core_nothing_runs_side_by_side(seconds, monkeypatch, capsys):
    monkeypatch.setattr(runner, "worker_count", lambda: 1)
    assert run("jobs") == 1
    assert "there is only one core" in capsys.readouterr().err


def test_a_build_that_fails_is_reported(monkeypatch, tmp_path):
    monkeypatch.setattr(runner, "TOP", tmp_path)
    with pytest.raises(ValueError, match=r"git rev-parse: fatal: not a git repository"):
        runner.build(1)
