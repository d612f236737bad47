"""A sweep has the same trials however it is run, and keeps what it has."""

from __future__ import annotations

import csv
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from sweep_maker import KEYS, PARAMS, begin, make_project, started, table, write_space

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.sweep.command import SweepOptions, run
from fonoteka.sweep.journal import sweep_lock

SPACE = Path("space.yaml")
RESULTS = Path("reports/bench/sweep/space")
WORK = Path("checkpoints/sweep/space")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The table of a sweep with one worker."""
    project = make_project(tmp_path_factory.mktemp("sweep") / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        run(SPACE, SweepOptions(workers=1))
    return table(project)


@pytest.fixture
def project(tmp_path, monkeypatch):
    folder = make_project(tmp_path / "project")
    monkeypatch.chdir(folder)
    return folder


def rows(text):
    return [*csv.DictReader(text.splitlines())]


def test_two_workers_have_the_trials_of_one(uninterrupted, project):
    run(SPACE, SweepOptions(workers=2))
    assert table(project) == uninterrupted
    assert len(rows(uninterrupted)) == 1 + 6 + 6


def test_a_killed_sweep_continues_to_the_same_trials(uninterrupted, project):
    # In the second round of the second search: the journal has trials, and files of others exist.
    process = begin(project, "--workers", "2", TOY_PAUSE_S="0.2")
    while not any(name.startswith("tpe/0005") for name in started(project)):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = len(started(project))
    assert not (project / RESULTS / "trials.csv").exists()
    with pytest.raises(UserError, match="10 of 12 trials are recorded; continue with --resume"):
        run(SPACE, SweepOptions())
    run(SPACE, SweepOptions(resume=True))
    assert table(project) == uninterrupted
    assert len(started(project)) - before <= 2  # those that the kill ended


def test_a_sweep_with_more_trials_later_has_the_trials_of_one_with_all(uninterrupted, project):
    run(SPACE, SweepOptions(trials=5))
    run(SPACE, SweepOptions(resume=True))
    assert table(project) == uninterrupted


def test_a_second_sweep_runs_no_trial_and_writes_the_same_results(project):
    run(SPACE, SweepOptions())
    count = len(started(project))
    before = {path.name: path.read_bytes() for path in RESULTS.iterdir()}
    run(SPACE, SweepOptions())
    assert count == len(started(project)) == 13
    assert {path.name: path.read_bytes() for path in RESULTS.iterdir()} == before
    assert {*before} == {"trials.csv", "report.json", "params.patch", "importance.png"}


def test_another_seed_has_other_trials(uninterrupted, project):
    write_space(project, seed=2)
    run(SPACE, SweepOptions())
    assert table(project) != uninterrupted


def test_a_failing_trial_is_recorded_with_its_reason(uninterrupted):
    failed = [row for row in rows(uninterrupted) if row["state"] == "failed"]
    assert failed
    for row in failed:
        depth, name = row["toy.depth"], f"{int(row['trial']):04d}"
        assert int(depth) >= 9
        assert row["error"] == ""
        assert row["reason"] == f"exit code 3: depth {depth} does not fit into {name}"


def test_errors_are_those_of_the_formula_and_the_report_has_the_lowest(project):
    run(SPACE, SweepOptions())
    done = [row for row in rows(table(project)) if row["state"] == "complete"]
    assert done[0]["search"] == "today"
    assert float(done[0]["error"]) == pytest.approx(0.1 + 0.05 * 1.477121 + 0.08 + 0.03, abs=1e-5)
    lowest = min(done, key=lambda row: float(row["error"]))
    report = read_json(RESULTS / "report.json")
    best = report["found"]
    assert (best["search"], str(best["trial"])) == (lowest["search"], lowest["trial"])
    assert best["error"] == float(lowest["error"]) < report["today"]["error"]
    assert report["searches"]["tpe"]["trials"] == report["searches"]["random"]["trials"] == 6
    assert {*report["importance"]} == {*KEYS}
    assert sum(report["importance"].values()) == pytest.approx(1, abs=1e-5)


def test_the_patch_changes_the_searched_values_and_no_comment(project):
    run(SPACE, SweepOptions())
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    subprocess.run(["git", "apply", RESULTS / "params.patch"], cwd=project, check=True)
    text = (project / "params.yaml").read_text()
    values = yaml.safe_load(text)
    best = read_json(RESULTS / "report.json")["found"]["values"]
    assert {f"toy.{key}": value for key, value in values["toy"].items() if key != "seed"} == best
    comments = [line.partition("#")[2] for line in PARAMS.splitlines()]
    assert [line.partition("#")[2] for line in text.splitlines()] == comments
    # The sweep keeps its values of that day, and has no further change to propose.
    run(SPACE, SweepOptions())
    assert len(started(project)) == 13
    assert not (RESULTS / "params.patch").exists()


def test_no_patch_is_written_if_todays_values_are_the_best(project, capsys):
    best = PARAMS.replace("0.3", "0.01").replace("7", "3").replace("kind: a", "kind: b")
    (project / "params.yaml").write_text(best)
    run(SPACE, SweepOptions())
    assert read_json(RESULTS / "report.json")["found"]["better_on_validation"] is False
    assert not (RESULTS / "params.patch").exists()
    assert "no trial is better than today's values, 0.1000" in capsys.readouterr().out


def test_two_sweeps_at_once_are_one_sentence(project):
    with sweep_lock(WORK), pytest.raises(UserError, match="another sweep is running here"):
        run(SPACE, SweepOptions())


FEWER = {"kind": "categorical", "choices": ["a", "b"]}
CHANGES = {
    "a range": (
        lambda p: write_space(p, keys=KEYS | {"toy.kind": FEWER}),
        "keys of the space",
    ),
    "an input": (lambda p: (p / "data/targets.txt").write_text("c\n"), "data/targets.txt"),
    "a parameter": (
        lambda p: (p / "params.yaml").write_text(PARAMS.replace("seed: 1", "seed: 2")),
        "toy.seed of params.yaml",
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_sweep_is_not_continued_after_a_change(project, change):
    write_space(project, trials=1)
    run(SPACE, SweepOptions())
    edit, named = CHANGES[change]
    edit(project)
    with pytest.raises(UserError, match=f"{named} changed since the sweep .* --restart"):
        run(SPACE, SweepOptions(resume=True))
    count = len(started(project))
    run(SPACE, SweepOptions(trials=1, restart=True))
    assert len(started(project)) == count + 3


def test_parameters_that_no_training_loads_may_change(project):
    run(SPACE, SweepOptions(trials=1))
    (project / "params.yaml").write_text(PARAMS.replace("true", "false"))
    run(SPACE, SweepOptions(trials=1, restart=True))
    assert len(started(project)) == 3


def test_a_command_that_fails_for_todays_values_stops_the_sweep(project, monkeypatch):
    monkeypatch.setenv("TOY_FAILS", "1")
    message = "today's values failed, exit code 3: depth 7 .*correct the space"
    with pytest.raises(UserError, match=message):
        run(SPACE, SweepOptions())
    assert started(project) == ["today/0000"]
    monkeypatch.delenv("TOY_FAILS")
    run(SPACE, SweepOptions(trials=1))  # nothing is recorded, so nothing is to be resumed


def test_a_sweep_whose_trials_all_fail_says_so(project):
    write_space(project, keys={"toy.depth": {"kind": "int", "low": 9, "high": 10, "log": False}})
    with pytest.raises(UserError, match=r"all 4 trials failed; see the reasons in .*trials\.csv"):
        run(SPACE, SweepOptions(trials=2))
    assert len(rows(table(project))) == 5


def test_an_error_that_is_not_a_number_fails_the_trial(project, monkeypatch):
    monkeypatch.setenv("TOY_NAN", "1")
    with pytest.raises(UserError, match="valid_per: nan is not a finite number"):
        run(SPACE, SweepOptions())


def test_a_torn_last_line_of_the_journal_is_dropped(uninterrupted, project):
    run(SPACE, SweepOptions(trials=5))
    with (WORK / "journal.log").open("ab") as file:
        file.write(b'{"op_code": 4, "worker')
    run(SPACE, SweepOptions(resume=True))
    assert table(project) == uninterrupted


def test_trainings_end_with_an_interrupted_sweep(project):
    process = begin(project, TOY_PAUSE_S="30")
    while not started(project):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors.strip()) == (130, "stopped")
    assert not [*WORK.glob("*/*/result.json")]
    running = subprocess.run(
        ["ps", "-eo", "args"], capture_output=True, text=True, check=True
    ).stdout  # fmt: skip
    assert str(project) not in running


def test_the_command_prints_one_sentence_for_a_mistake(project):
    write_space(project, keys={"toy.dept": KEYS["toy.depth"]})
    process = begin(project)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert errors == ("error: space.yaml: toy.dept: toy has no key 'dept'; did you mean 'depth'?\n")
