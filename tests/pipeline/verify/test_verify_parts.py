"""The parts of verify, and the promises of the stages of this repository."""

from __future__ import annotations

import json
import os
import shutil
from decimal import Decimal
from pathlib import Path

import pytest
from dvc_yaml import TOP, as_written, entries, pipeline

from fonoteka.compute import processor as cpu
from fonoteka.compute import processor as processor_kind
from fonoteka.core import params
from fonoteka.git import listed
from fonoteka.pipeline import outputs
from fonoteka.pipeline.declared import EVERYWHERE, HERE
from fonoteka.pipeline.diff.compare_metric import MetricSpec
from fonoteka.pipeline.verify import clean_clone, pinned_packages, record
from fonoteka.pipeline.verify import environment as build_environment
from fonoteka.pipeline.verify.result import VerifyParams
from fonoteka.pipeline.verify.tolerance import NumberComparison, compare_numbers

OTHER = cpu.Processor("another", "x86_64, another")


def test_a_proof_of_another_lock_file_does_not_count(tmp_path):
    report = tmp_path / "verify.json"
    lock = {"a": {"outs": [{"path": "a.txt", "md5": "0f"}]}}
    assert record.proven_on(lock, report) == {}
    record.remember(lock, OTHER, "nothing", {"seconds": 1}, report)
    record.remember(lock, OTHER, "surroundings", {"seconds": 2}, report)
    assert record.proven_on(lock, report) == {"kind": OTHER.kind, "name": "another"}
    assert set(json.loads(report.read_text())["runs"]) == {"nothing", "surroundings"}
    other = {"a": {"outs": [{"path": "a.txt", "md5": "f0"}]}}
    assert record.proven_on(other, report) == {}
    record.remember(other, OTHER, "nothing", {"seconds": 3}, report)
    assert json.loads(report.read_text())["runs"] == {"nothing": {"seconds": 3}}


@pytest.mark.parametrize("text", ["[]", "{}", '{"outputs": "", "processor": {}}'])
def test_a_report_without_its_fields_is_named(tmp_path, text):
    (tmp_path / "verify.json").write_text(text)
    with pytest.raises(ValueError, match=r"verify\.json: .*; remove the file; make verify writes"):
        record.proven_on({}, tmp_path / "verify.json")


def test_a_folder_with_files_is_copied_last_file_first(tmp_path, monkeypatch):
    for name in ("a", "b/c", "b/d"):
        path = tmp_path / "from" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    order = []
    copy = shutil.copy
    monkeypatch.setattr(shutil, "copy", lambda *a, **k: (order.append(a[0].name), copy(*a, **k)))
    clean_clone.copy_in_reverse(tmp_path / "from", tmp_path / "to")
    assert order == ["d", "c", "a"]
    assert (tmp_path / "to/b/d").read_text() == "b/d"


def test_a_number_may_move_by_its_tolerance_in_either_direction():
    for got, same in (("0.24", True), ("0.26", True), ("0.239", False), ("0.261", False)):
        assert NumberComparison("n", Decimal("0.25"), Decimal(got), Decimal("0.01")).same is same


@pytest.mark.parametrize(
    ("wanted", "got", "same"), [(None, None, True), (None, 40, False), (40, None, False)]
)
def test_null_is_within_the_tolerance_of_null_alone(wanted, got, same):
    spec = MetricSpec("a.json", "p50", "lower", limit=50, tolerance=10)
    (number,) = compare_numbers(
        {"latency": spec}, ["a.json"], {"a.json": {"p50": wanted}}.get, {"a.json": {"p50": got}}.get
    )
    assert number.same is same
    wanted, got = ("null" if value is None else str(value) for value in (wanted, got))
    assert str(number).startswith(f"latency: {wanted} in git, {got} rebuilt")


def entry(deps, outs):
    return {
        "deps": [{"path": path, "md5": value} for path, value in deps.items()],
        "outs": [{"path": path, "md5": value} for path, value in outs.items()],
    }


def test_an_input_is_outdated_only_if_no_output_explains_it():
    before = {"a": entry({}, {"raw/a": "1"}), "b": entry({"raw": "2", "code": "3"}, {"b": "4"})}
    moved = {"a": entry({}, {"raw/a": "9"}), "b": entry({"raw": "8", "code": "3"}, {"b": "4"})}
    stale = {"a": entry({}, {"raw/a": "1"}), "b": entry({"raw": "8", "code": "3"}, {"b": "4"})}
    assert outputs.outdated(before, moved, ["a", "b"]) == []
    assert outputs.outdated(before, stale, ["a", "b"]) == ["raw"]


def test_a_gpu_is_part_of_the_kind_if_it_may_be_used(tmp_path, monkeypatch):
    for number in (0, 1):
        (tmp_path / f"gpus/{number}").mkdir(parents=True)
        (tmp_path / f"gpus/{number}/information").write_text("Model: \t NVIDIA A100\nIRQ: 9\n")
    models = processor_kind.gpu_models(tmp_path / "gpus")
    assert models == ["NVIDIA A100"]
    assert processor_kind.gpu_models(tmp_path / "none") == []
    monkeypatch.setattr(processor_kind, "processor", lambda: OTHER)
    monkeypatch.setattr(processor_kind, "gpu_models", lambda: models)
    params = tmp_path / "params.yaml"
    assert processor_kind.of_pipeline(params) == OTHER
    for device, kind in (("cpu", OTHER.kind), ("auto", f"{OTHER.kind}, GPU NVIDIA A100")):
        params.write_text(f"compute: {{threads: 1, device: {device}}}\n")
        assert processor_kind.of_pipeline(params).kind == kind


def test_an_older_processor_is_of_another_kind():
    processor = cpu.processor()
    assert processor.older().kind != processor.kind
    assert build_environment.variables(
        build_environment.older_processor(), Path("site")
    ).items() >= (cpu.OLDER.items())


def test_the_installed_packages_are_those_of_the_lock_file():
    assert pinned_packages.unpinned(TOP / "requirements.lock") == []


def test_the_differences_name_what_cannot_be_varied(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    monkeypatch.setenv("PATH", "")
    environment = build_environment.varied()
    assert "cores: not varied, because there is only one" in environment.differences
    assert environment.cores == ()
    assert any(text.startswith("locale: C") for text in environment.differences)
    monkeypatch.delattr(os, "sched_getaffinity")
    assert "cores: not varied, because this system cannot bind a process to cores" in (
        build_environment.varied().differences
    )


def test_variables_that_lead_to_this_checkout_are_removed(monkeypatch):
    for name in ("GIT_DIR", "DVC_ROOT", "PYTHONPATH", "OTHER"):
        monkeypatch.setenv(name, "here")
    variables = build_environment.variables(build_environment.BuildEnvironment(), Path("site"))
    assert variables.keys() & {"GIT_DIR", "DVC_ROOT", "PYTHONPATH", "OTHER"} == {"OTHER"}


# The promises of the pipeline of this repository.


def test_every_stage_has_a_promise():
    for name, stage in as_written().items():
        stage = stage.get("do", stage)
        assert stage["meta"]["exact"] in (EVERYWHERE, HERE), name


def test_what_is_exact_everywhere_reads_nothing_that_is_exact_here():
    stages = pipeline()
    exact = {name: stage["meta"]["exact"] for name, stage in stages.items()}
    writers = {path: name for name in stages for path in entries(name, "outs", "metrics", "plots")}
    for name in stages:
        for path in entries(name, "deps"):
            above = {exact[m] for p, m in writers.items() if f"{p}/".startswith(f"{path}/")}
            assert exact[name] == HERE or above <= {EVERYWHERE}, (name, path)


def test_every_report_in_git_is_an_output_or_measured_or_retained(monkeypatch):
    monkeypatch.chdir(TOP)
    section = params.load("verify", VerifyParams)
    kinds = ("outs", "metrics", "plots")
    outs = {path for name in pipeline() for path in entries(name, *kinds)}
    declared = {*outs, *section.measured, *section.retained}
    assert len(declared) == len(outs) + len(section.measured) + len(section.retained)
    for path in listed(["reports"]):
        assert any(f"{path}/".startswith(f"{other}/") for other in declared), path
