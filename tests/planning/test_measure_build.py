"""A report states what the logs of a build contain, and names what they lack."""

import json
import struct

import built_projects
import pytest
import yaml
from built_projects import make, sample, write_corpus, write_log
from command_line import exit_code, run_fonoteka

from fonoteka.core.files import read_json
from fonoteka.planning.build import read_build
from fonoteka.planning.closure import models_of, needed_stages
from fonoteka.planning.measure import measure
from fonoteka.planning.storage import checkpoint_bytes, weights_in
from fonoteka.reporting import machine


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A finished build as the current project."""
    folder = make(tmp_path / "project")
    (folder / ".dvc").mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_the_report_has_the_seconds_of_the_logs_and_their_rates(project):
    run_fonoteka("planning", "measure")
    report = read_json(project / "reports/bench/planning.json")
    assert report["measured"] == "2026-11-30"
    # 2 + 3 x 10 hours; 5 + 4 x 2 epochs of 6 hours; 7; 1. Half of each constant is imports.
    assert report["build"]["cpu_s"] == 32.0 + 53.0 + 7.0 + 1.0
    assert report["build"]["import_cpu_s"] == 1.0 + 2.5 + 3.5
    training = report["stages"]["train@mlp"]
    assert (training["work"], training["passes"], training["group"]) == (12.0, 2.0, "training")
    # One build: the constant is the imports.
    assert training["constant_s"] == 2.5
    assert training["per_unit_s"] == pytest.approx(50.5 / 12, rel=1e-3)
    assert training["per_hour_s"] == pytest.approx(50.5 / 10)
    fixed = report["stages"]["package@mlp"]
    assert (fixed["unit"], fixed["constant_s"], fixed["per_hour_s"]) == ("fixed", 7.0, 0.0)
    assert report["storage"]["bytes_per_hour"] == {"data/audio": 1e9}
    assert report["models"]["mlp"]["stages"] == ["preprocess", "train@mlp", "package@mlp"]


def test_a_second_size_tells_the_constant_from_the_rate(project, tmp_path):
    make(tmp_path / "large", hours={"train": 12.0, "valid": 4.0, "test": 4.0}, epochs=3)
    run_fonoteka("planning", "measure", "--also", tmp_path / "large")
    report = read_json(project / "reports/bench/planning.json")
    training = report["stages"]["train@mlp"]
    assert (training["constant_s"], training["per_unit_s"]) == pytest.approx((5.0, 4.0))
    assert (training["measurements"], report["builds"]) == (2, 2)


def test_what_is_missing_is_named(project, capsys):
    (project / "logs/package@mlp" / "20261130T100000Z-1.jsonl").unlink()
    write_log(project, "preprocess", 9.0, run="120000Z-1", code=None)
    run_fonoteka("planning", "measure")
    printed = capsys.readouterr().err
    assert "missing: package@mlp: no finished run in logs" in printed
    assert "missing: preprocess: a later run did not finish; the last finished one" in printed
    assert "bench/words.json: run `python -m fonoteka bench words`" in printed
    assert "incomplete: mlp lacks package@mlp" in printed


def test_the_parameters_that_the_lock_file_records_count(project):
    # The training ran with 2 epochs; params.yaml has 8 since.
    lock = yaml.safe_load((project / "dvc.lock").read_text())
    lock["stages"]["train@mlp"]["params"] = {"params.yaml": {"mlp": {"epochs": 2, "hidden": 32}}}
    (project / "dvc.lock").write_text(yaml.safe_dump(lock))
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["mlp"]["epochs"] = 8
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    assert measure(read_build(project))["stages"]["train@mlp"]["work"] == 12.0


def test_a_resumed_training_counts_with_all_its_steps(project, capsys):
    steps = tuple({"event": "step", "step": step} for step in (6, 7, 8, 9, 10))
    write_log(project, "train@mlp", 2.5 + 20.0, run="120000Z-1", import_cpu_s=2.5, between=steps)
    run_fonoteka("planning", "measure")
    assert "train@mlp: the run continued at step 6 of 10; its seconds" in capsys.readouterr().err
    report = read_json(project / "reports/bench/planning.json")
    assert report["stages"]["train@mlp"]["cpu_s"] == 2.5 + 40.0
    # 12 hours of training speech in 10 steps.
    assert report["steps"]["train@mlp"]["whole_run_s"] == 4.0
    assert report["steps"]["train@mlp"]["speech_s"] == 12 * 360


def test_a_build_of_other_models_is_refused(project, tmp_path, capsys):
    make(tmp_path / "wide", hidden=64, hours={"train": 1.0, "valid": 1.0, "test": 1.0})
    assert exit_code("planning", "measure", "--also", tmp_path / "wide") == 1
    assert "wide: mlp.hidden differs from that of project" in capsys.readouterr().err


def test_a_corpus_without_speech_is_refused(project, capsys):
    write_corpus(project, {"train": 0.0, "valid": 0.0, "test": 0.0})
    assert exit_code("planning", "measure") == 1
    assert "the splits have 0 hours of speech" in capsys.readouterr().err
    assert not (project / "reports/bench/planning.json").exists()


def test_hours_of_another_build_are_refused(project, capsys):
    path = project / "reports/corpus.json"
    path.write_text(path.read_text() + "\n")
    assert exit_code("planning", "measure") == 1
    assert "corpus.json: not the output that dvc.lock records" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["params.yaml", "dvc.lock", "reports/corpus.json"])
def test_a_folder_that_was_not_built_is_named(project, name, capsys):
    (project / name).unlink()
    assert exit_code("planning", "measure") == 1
    assert f"{name}: no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("params.yaml", b"mlp: [", "params.yaml: not valid YAML"),
        ("params.yaml", b"mlp: \xff", "params.yaml: not valid YAML"),
        ("dvc.lock", b"stages: [1]", "dvc.lock: expected stages by name"),
        ("reports/corpus.json", b"[1]", "corpus.json: no parts with hours"),
        ("logs/audit/20261130T110000Z-1.jsonl", b'{"event": "end"}', "not a log of a stage"),
    ],
)
def test_a_damaged_file_of_a_build_is_one_sentence(project, name, text, message, capsys):
    (project / name).write_bytes(text)
    assert exit_code("planning", "measure") == 1
    printed = capsys.readouterr().err
    assert message in printed
    assert len(printed.splitlines()) == 1


def test_only_failed_runs_are_not_a_measurement(project):
    for path in project.glob("logs/*/*"):
        path.unlink()
    write_log(project, "preprocess", 9.0, code=1)
    with pytest.raises(ValueError, match="no stage has finished; run `make repro` to the end"):
        run_fonoteka("planning", "measure")


def test_an_unknown_processor_is_called_so(project, monkeypatch):
    monkeypatch.setattr(machine, "CPUINFO", project / "none")
    monkeypatch.setattr(machine.platform, "processor", lambda: "")
    monkeypatch.setattr(machine.platform, "machine", lambda: "")
    run_fonoteka("planning", "measure")
    run_fonoteka("planning", "page")
    assert "Measured on 2026-11-30: an unknown processor, 2 cores" in " ".join(
        (project / "PLANNING.md").read_text().split()
    )


def test_steps_have_an_interval_if_the_log_has_windows(project):
    events = tuple(sample(5.0 * n, 1.0, 10 * n) for n in range(1, 5))
    step = {"event": "step", "step": 40, "loss": 1.0, "learning_rate": 0.1}
    write_log(project, "train@mlp", 53.0, run="130000Z-1", between=(*events, step))
    steps = measure(read_build(project))["steps"]
    assert [*steps] == ["train@mlp"]
    assert (steps["train@mlp"]["steps"], steps["train@mlp"]["windows"]) == (40, 3)
    assert steps["train@mlp"]["median_s"] == pytest.approx(0.5)


def test_the_factors_of_benchmarks_have_their_machine(project):
    bench = project / "reports/bench"
    bench.mkdir()
    figures = {"model": {"fp32": {"real_time_factor": 0.00312345}}}
    report = {"models": {"mlp": figures}, "cores": 1, "machine": {"load_at_start": 0.5}}
    (bench / "path.json").write_text(json.dumps(report))
    (row,) = measure(read_build(project))["inference"]
    assert row == {
        "model": "mlp", "kind": "fp32", "rtf": 0.003123, "report": "path.json",
        "processor": "unknown", "load": 0.5, "cores": 1,
    }  # fmt: skip


def test_a_checkpoint_is_bounded_by_the_weights_of_its_model(project):
    header = {"a": {"shape": [3, 4]}, "b": {"shape": []}, "__metadata__": {"shape": "no"}}
    text = json.dumps(header).encode()
    path = project / "data/models/mlp/model.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"\0" * 52)
    assert weights_in(path) == 13
    assert checkpoint_bytes(read_build(project)) == {"data/models/mlp": 13 * 16}
    path.write_bytes(b"\0\0")
    assert weights_in(path) is None
    assert weights_in(project / "none") is None


def test_a_stage_needs_the_stages_whose_outputs_it_reads():
    lock = {
        "synthesize": {"outs": [{"path": "raw"}]},
        "a": {"deps": [{"path": "raw"}], "outs": [{"path": "data/a"}]},
        "b": {"deps": [{"path": "data"}], "outs": [{"path": "data/ab"}]},
        "c": {"deps": [{"path": "data/a/part"}], "outs": [{"path": "c"}]},
    }
    assert needed_stages(lock, ["b"]) == ["a", "b"]
    assert needed_stages(lock, ["c", "none"]) == ["a", "c"]


def test_the_models_are_those_that_the_lock_file_packages():
    names = [
        "package@mlp", "package_ensemble", "package_streaming", "train_realtime@onset",
        "package_realtime", "package_whisper",
    ]  # fmt: skip
    assert sorted(models_of({name: {} for name in names})) == [
        "Whisper tuned", "all realtime models", "ensemble", "mlp", "onset", "stream_ctc",
    ]  # fmt: skip


def test_the_toy_costs_the_seconds_of_its_table(tmp_path):
    build = read_build(make(tmp_path / "toy"))
    constant, rate = built_projects.LINES["train@mlp"]
    assert build.runs["train@mlp"].cpu_s == constant + rate * 2 * 6.0
