"""The gate passes if every number does, and otherwise names each that does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from clones import GIT
from command_line import exit_code
from dvc_yaml import TOP
from gate_maker import NO_MODELS

from fonoteka.core.files import read_json, write_json
from fonoteka.packaging import PACKAGE, record
from fonoteka.pipeline.diff import gate
from fonoteka.pipeline.diff.compare_metric import MetricSpec
from fonoteka.pipeline.diff.gate import GateParams

ONE, OTHER, CORPUS = "reports/metrics/one.json", "reports/metrics/other.json", "reports/corpus.json"
REPORTS = {
    ONE: {"per": 0.09, "segment_accuracy": 0.9, "languages": {"en": {"per": 0.15}}},
    OTHER: {"per": 0.08},
    CORPUS: {"leakage": {"speakers": 0}},
}


def spec(file, key, direction, limit, tolerance=0.005):
    return {
        "file": file, "key": key, "direction": direction, "limit": limit, "tolerance": tolerance,
    }  # fmt: skip


NUMBERS = {
    "one.per": spec(ONE, "per", "lower", 0.12),
    "one.en": spec(ONE, "languages.en.per", "lower", 0.15),  # at its limit: it passes
    "one.accuracy": spec(ONE, "segment_accuracy", "higher", 0.8),
    "one.against_other": spec(ONE, f"per - {OTHER}:per", "lower", 0.02),
    "one.english_gap": spec(ONE, "languages.en.per - per", "lower", 0.1),
    "shared_speakers": spec(CORPUS, "leakage.speakers", "lower", 0, 0.0),
}
TIGHTENED = {
    "one.per": 0.089, "one.en": 0.149, "one.accuracy": 0.901, "one.against_other": 0.0099,
    "one.english_gap": 0.05, "shared_speakers": -1,
}  # fmt: skip
MODEL = "data/models/one"


def write_params(numbers, packages=(MODEL,)):
    section = {"gate": NO_MODELS | {"packages": list(packages), "numbers": numbers}}
    Path("params.yaml").write_text(yaml.safe_dump(section), encoding="utf-8")


def git(*arguments):
    return subprocess.run([*GIT, *arguments], check=True, capture_output=True, text=True).stdout


def change(file, **values):
    write_json(Path(file), read_json(Path(file)) | values)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A git checkout with reports, a packaged model, and no change since the last commit."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    for file, report in REPORTS.items():
        write_json(tmp_path / file, report)
    folder = tmp_path / MODEL
    folder.mkdir(parents=True)
    for name in ("model.json", "model.onnx"):
        (folder / name).write_text(f"this is {name}")
    write_json(folder / PACKAGE, {"files": record(folder, ["model.json", "model.onnx"])})
    write_params(NUMBERS)
    git("init", "--quiet", "--initial-branch", "main")
    git("add", "--all")
    git("commit", "--quiet", "-m", "good")
    return tmp_path


@pytest.fixture
def call(project, monkeypatch, capsys):
    """Run the gate; return its exit code, its stdout and its stderr."""

    def called(*arguments):
        code = exit_code("gate", *arguments)
        output = capsys.readouterr()
        return code, output.out, output.err

    return called


def test_it_passes_if_all_numbers_do_and_shows_every_number(call):
    code, table, message = call()
    assert (code, message) == (0, "")
    lines = table.splitlines()
    assert lines[0].startswith("base: HEAD (")
    assert lines[2].split() == list(gate.COLUMNS)
    assert [line.split()[0] for line in lines[3:]] == [*sorted(NUMBERS), MODEL]
    assert all(line.endswith("pass") for line in lines[3:])
    shown = next(line.split() for line in lines if line.startswith("one.per "))
    assert shown == ["one.per", "0.09", "0.09", "lower", "0.12", "0.005", "pass"]


def test_the_columns_of_the_table_are_under_their_names(call):
    _, table, _ = call()
    head, *lines = table.splitlines()[2:]
    ends = [head.index(name) + len(name) for name in gate.COLUMNS[1:-1]]
    assert all(line[end - 1] != " " and line[end] == " " for line in lines for end in ends)


@pytest.mark.parametrize("name", sorted(NUMBERS))
def test_a_limit_tightened_past_its_value_fails_and_names_it(name, call):
    write_params(NUMBERS | {name: NUMBERS[name] | {"limit": TIGHTENED[name]}})
    code, table, message = call()
    assert code == 1
    assert message.startswith(f"gate: 1 of {len(NUMBERS) + 1} failed: {name}: ")
    assert message.count("\n") == 1
    assert [x.split()[0] for x in table.splitlines() if x.endswith("fail")] == [name]


def test_two_failures_are_both_named(call):
    write_params(
        {
            name: number | {"limit": TIGHTENED[name] if name in ("one.en", "one.per") else 1.0}
            for name, number in NUMBERS.items()
            if name != "one.accuracy"
        }
    )
    code, _, message = call()
    assert code == 1
    assert "2 of 6 failed: one.en: 0.15 is above its limit 0.149; one.per: 0.09 is above" in message


@pytest.mark.parametrize(
    ("file", "key", "value", "name"),
    [
        (ONE, "per", 0.0951, "one.per"),
        (ONE, "segment_accuracy", 0.8949, "one.accuracy"),
        (ONE, "languages", {"en": {"per": 0.1551}}, "one.en"),
    ],
)
def test_what_is_worse_than_at_the_base_by_more_than_tolerated_fails(file, key, value, name, call):
    write_params({name: NUMBERS[name] | {"limit": 0.5}})
    change(file, **{key: value})
    code, _, message = call()
    assert code == 1
    assert f"{name}: " in message
    assert "is worse by 0.0051 than" in message


@pytest.mark.parametrize(
    ("key", "value", "name"),
    [
        # In binary both are more than 0.005 away from the base.
        ("per", 0.095, "one.per"),
        ("segment_accuracy", 0.895, "one.accuracy"),
        ("per", 0.01, "one.per"),  # better, by any amount
        ("segment_accuracy", 1.0, "one.accuracy"),
    ],
)
def test_what_is_worse_by_no_more_than_tolerated_or_better_passes(key, value, name, call):
    write_params({name: NUMBERS[name]})
    change(ONE, **{key: value})
    assert call()[0] == 0


def test_a_difference_of_two_reports_is_compared_like_any_other_number(call):
    write_params({"one.against_other": NUMBERS["one.against_other"]})
    change(OTHER, per=0.074)
    code, _, message = call()
    assert code == 1
    assert "one.against_other: 0.016 is worse by 0.006 than 0.01 at the base" in message


def test_any_revision_can_be_the_base(call):
    change(ONE, per=0.1)
    git("commit", "--quiet", "-am", "worse")
    assert call()[0] == 0
    code, table, message = call("--base", "HEAD~1")
    assert code == 1
    assert table.startswith("base: HEAD~1 (")
    assert (
        "one.per: 0.1 is worse by 0.01 than 0.09 at the base, and the tolerance is 0.005" in message
    )
    git("branch", "before", "HEAD~1")
    assert call("--base", "before")[0] == 1


def test_a_number_that_is_new_since_the_base_has_its_limit_only(call, project):
    write_json(project / "reports/new.json", {"ece": 0.02})
    new = {"new.ece": spec("reports/new.json", "ece", "lower", 0.05)}
    write_params(NUMBERS | new)
    code, table, _ = call()
    assert code == 0
    assert next(x for x in table.splitlines() if "new.ece" in x).split()[2] == "new"
    change("reports/new.json", ece=0.06)
    assert call()[0] == 1


def test_a_key_that_is_new_since_the_base_is_new_too(call):
    change(ONE, ece=0.02)
    write_params({"ece": spec(ONE, "ece", "lower", 0.05)})
    code, table, _ = call()
    assert (code, table.splitlines()[-2].split()[2]) == (0, "new")


def test_outside_of_a_git_checkout_only_limits_count_and_the_table_states_it(call, project):
    (project / ".git").rename(project / "not-git")
    change(ONE, segment_accuracy=0.8)
    code, table, _ = call()
    assert code == 0
    assert table.startswith("base: none, because this is not a git checkout: only limits count\n")
    change(ONE, segment_accuracy=0.79)
    assert call()[0] == 1


def test_without_git_only_limits_count_and_the_table_states_it(call, monkeypatch):
    monkeypatch.setenv("PATH", "")
    code, table, _ = call()
    assert code == 0
    assert table.startswith("base: none, because git is not installed: only limits count\n")


def test_it_works_below_the_top_of_a_checkout(call, project, monkeypatch):
    below = project / "below"
    below.mkdir()
    for name in ("reports", "data", "params.yaml"):
        (project / name).rename(below / name)
    git("add", "--all")
    git("commit", "--quiet", "-m", "moved")
    monkeypatch.chdir(below)
    change(ONE, per=0.1)
    code, _, message = call()
    assert code == 1
    assert "than 0.09 at the base" in message


@pytest.mark.parametrize("damage", ["changed", "empty", "removed"])
def test_a_damaged_model_file_fails_and_is_named(damage, call, project):
    path = project / MODEL / "model.onnx"
    if damage == "removed":
        path.unlink()
    else:
        path.write_text("" if damage == "empty" else "this is mOdel.onnx")
    code, table, message = call()
    assert code == 1
    assert f"1 of 7 failed: {MODEL}: {MODEL}/model.onnx: " in message
    assert table.splitlines()[-1].endswith("fail")


def test_a_package_that_is_not_there_fails_and_is_named(call):
    write_params(NUMBERS, [MODEL, "data/models/two"])
    code, _, message = call()
    assert code == 1
    assert f"data/models/two/{PACKAGE}: missing" in message


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        ('{"segment_accuracy": 0.9}', "no key 'per' of 'per'; there are ['segment_accuracy']"),
        ('{"per": NaN}', "per is nan and not a finite number"),
        ('{"per": 1e999}', "per is inf and not a finite number"),
        ('{"per": null}', "per is null: nothing was measured"),
        ('{"per": "0.09"}', "per is '0.09' and not a number"),
        ('{"per": true}', "per is True and not a number"),
        ('{"per": {"value": 1}}', "per is {'value': 1} and not a number"),
        ("[0.09]", "no key 'per' of 'per'; it is [0.09]"),
        ('{"per": 0.09', "not valid JSON"),
        ("", "not valid JSON"),
    ],
)
def test_a_value_that_is_not_a_number_leaves_it_undecided(report, reason, call, project):
    write_params({"one.per": NUMBERS["one.per"]})
    (project / ONE).write_text(report)
    code, table, message = call()
    assert code == 2
    assert message.startswith(f"gate: 1 of 2 cannot be decided: one.per: {ONE}: ")
    assert reason in message
    assert "undecided" in table


def test_a_report_that_is_missing_leaves_it_undecided(call, project):
    (project / CORPUS).unlink()
    code, _, message = call()
    assert code == 2
    assert f"shared_speakers: {CORPUS}: no such report; run dvc repro" in message


def test_a_failed_number_is_named_even_if_another_can_not_be_decided(call, project):
    (project / CORPUS).unlink()
    change(ONE, per=0.2)
    code, _, message = call()
    assert code == 2  # a list of failures that may be incomplete decides nothing
    assert "failed: one.against_other: " in message
    assert "one.per: 0.2 is above its limit 0.12" in message
    assert "cannot be decided: shared_speakers: " in message


@pytest.mark.parametrize("report", ['{"per": ', '{"per": NaN}', '{"per": "low"}'])
def test_a_base_that_can_not_be_read_leaves_it_undecided(report, call, project):
    good = (project / ONE).read_text()
    (project / ONE).write_text(report)
    git("commit", "--quiet", "-am", "broken")
    (project / ONE).write_text(good)
    write_params({"one.per": NUMBERS["one.per"]})
    code, _, message = call()
    assert code == 2
    assert f"one.per: at the base {ONE}" in message


@pytest.mark.parametrize("base", ["no-such-branch", "--all", ""])
def test_a_base_that_does_not_exist_is_refused(base, call):
    code, table, message = call(f"--base={base}")
    assert (code, table) == (2, "")
    assert message.startswith(f"error: --base {base!r}: ")


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ({"direction": "lowr"}, r"gate.numbers.one.per.direction must be one of \('lower', 'high"),
        ({"limit": float("nan")}, "gate.numbers.one.per.limit must be a finite number, found nan"),
        ({"limit": float("inf")}, "gate.numbers.one.per.limit must be a finite number, found inf"),
        ({"limit": "0.12"}, "one.per: limit: expected float, found '0.12'"),
        ({"limit": None}, "one.per: limit: expected float, found None"),
        ({"tolerance": -0.1}, "gate.numbers.one.per.tolerance must be at least 0, found -0.1"),
        ({"tolerance": float("nan")}, "tolerance must be at least 0, found nan"),
        ({"tolerence": 0.1}, r"unknown \['tolerence'\]"),
        ({"key": ""}, "expected a report's path from the top of the repository and a key"),
        ({"key": "per - "}, "expected a report's path from the top of the repository and a key"),
        ({"file": "/etc/report.json"}, "expected a report's path from the top"),
        ({"file": "../report.json"}, "expected a report's path from the top"),
    ],
)
def test_an_impossible_limit_or_path_is_refused(number, reason, call):
    write_params({"one.per": NUMBERS["one.per"] | number})
    with pytest.raises(ValueError, match=reason):
        gate.load("gate", GateParams)
    assert call()[0] == 2


def test_a_gate_without_numbers_is_refused(call):
    write_params({})
    code, _, message = call()
    assert (code, message) == (
        2,
        "error: gate.numbers is empty, so nothing would be checked; add a number\n",
    )


def test_missing_parameters_are_refused(call, project):
    (project / "params.yaml").write_text("gates: {}\n")
    assert call()[::2] == (2, "error: params.yaml: section 'gate' is missing\n")


def test_json_contains_the_values_of_the_table(call):
    change(ONE, per=0.13)
    code, out, message = call("--json")
    answer = json.loads(out)
    assert (code, answer["verdict"], answer["base"]["name"]) == (1, "fail", "HEAD")
    row = next(row for row in answer["rows"] if row["number"] == "one.per")
    assert (row["value"], row["base"], row["limit"], row["verdict"]) == (
        "0.13", "0.09", "0.12", "fail",
    )  # fmt: skip
    assert row["reason"] in message


def test_an_unknown_option_is_refused(call):
    code, _, message = call("--bse", "main")
    assert code == 2
    assert "No such option: --bse" in message


def test_the_command_ends_with_the_code_of_its_verdict(project):
    def ended():
        return subprocess.run(
            [sys.executable, "-m", "fonoteka", "gate"], capture_output=True, check=False,
            text=True, env=os.environ | {"PYTHONPATH": str(TOP)},
        )  # fmt: skip

    assert ended().returncode == 0
    change(ONE, per=0.5)
    assert ended().returncode == 1
    assert "one.per: 0.5 is above its limit 0.12 and 0.5 is worse by 0.41" in ended().stderr


def test_every_model_has_the_same_metrics_unless_a_number_replaces_one():
    per = MetricSpec("reports/metrics/{model}.json", "per", "lower", 0.09, 0.005)
    other = MetricSpec("reports/metrics/b.json", "per", "lower", 0.3, 0.01)
    params = GateParams(("a", "b"), {"per": per}, ("data/models/more",), {"b.per": other})
    assert params.numbers == {
        "a.per": replace(per, file="reports/metrics/a.json"), "b.per": other,
    }  # fmt: skip
    assert params.packages == ("data/models/a", "data/models/b", "data/models/more")
