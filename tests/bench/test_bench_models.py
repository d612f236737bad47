"""Reports on the models are complete, add up, and name what is too slow; no time is asserted."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import onnx_maker
import pytest
import torch
import yaml
from clip_maker import noise, save_clips
from command_line import exit_code, run_fonoteka
from model_maker import SIZE
from stream_maker import small

from fonoteka import manifest
from fonoteka.bench import command, head, realtime, timer
from fonoteka.bench.timer import Measurement, Repeats, TimedFile, measure_alone, time_files
from fonoteka.core.files import read_json
from fonoteka.models.heads import LstmShape, new_head, save_head
from fonoteka.phones import LABELS
from fonoteka.realtime.frame_labels import TASKS

pytestmark = pytest.mark.torch
REPEATS = {"rounds": 2, "repetitions": 3, "warmup": 1}
LENIENT = {"median_ms": 1e6, "p99_ms": 1e6, "frames_per_second": 0, "memory_gib": 1e3}
SECTION = {
    "shipped": "wavlm_ctc", "reference": "reference",
    "head": {
        "seed": 1, "opset": 17, "frames": 20, "width": 48, "repeats": REPEATS, "sla": LENIENT,
    },
    "path": {"models": ["mlp", "wavlm_ctc"], "clips": 3, "repeats": REPEATS},
    "realtime": {
        "seed": 1, "repeats": {"rounds": 2, "repetitions": 20, "warmup": 5},
        "sla": {"max_ms_per_hop": 0.0},
    },
}  # fmt: skip
REFERENCE = LstmShape(SIZE.hidden, len(LABELS), 8, 2, 0.1)
CLIPS = {f"c{n}": noise(seconds, n) for n, seconds in enumerate((0.1, 0.3, 0.5, 0.7))}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder with all that the benchmarks read."""
    folder = tmp_path_factory.mktemp("inputs")
    models = folder / "data" / "models"
    for name in onnx_maker.SHAPES:
        shipped = onnx_maker.shipped(tmp_path_factory, name)
        for part in ("model", "out"):
            shutil.copytree(shipped / part, models / name, dirs_exist_ok=True)
    save_head(models / "reference", new_head(REFERENCE), REFERENCE, {"name": "reference"})
    rows = save_clips(folder / "data" / "audio", CLIPS)
    manifest.write(folder / "data" / "splits" / "test.jsonl", rows)
    bundle = small(tmp_path_factory)
    shutil.copytree(bundle / "realtime", models / "realtime")
    shutil.copytree(bundle / "models", folder / "data" / "realtime" / "models")
    return folder


@pytest.fixture
def project(inputs, tmp_path, monkeypatch):
    """A copy of the inputs as the current folder."""
    shutil.copytree(inputs, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    write_params()


def write_params(**sections):
    Path("params.yaml").write_text(yaml.safe_dump({"bench": SECTION | sections}), encoding="utf-8")


@pytest.fixture(scope="module")
def reports(inputs, tmp_path_factory):
    """The reports of one run of everything, what it printed, and what it refused."""
    folder = tmp_path_factory.mktemp("run") / "project"
    shutil.copytree(inputs, folder)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as printed:
        patch.chdir(folder)
        write_params()
        with pytest.raises(ValueError, match="missed") as refused:
            run_fonoteka("bench", "all", "--busy")
    names = ("head", "path", "realtime")
    result = {name: read_json(folder / "reports" / "bench" / f"{name}.json") for name in names}
    return result | {"printed": printed.getvalue(), "refused": str(refused.value)}


def test_the_report_on_heads_adds_up(reports):
    report = reports["head"]
    assert set(report["heads"]) == {"shipped", "shipped_int8", "reference"}
    for name, row in report["heads"].items():
        assert row["input"] == [1, 20, 48]
        assert row["frames_per_second"] == round(20_000 / row["median_ms"])
        assert len(row["round_medians_ms"]) == report["rounds"] == 2
        assert set(row["times_as_fast_as"]) == set(head.BASELINES[name])
        for baseline, ratio in row["times_as_fast_as"].items():
            quotient = report["heads"][baseline]["median_ms"] / row["median_ms"]
            assert ratio == pytest.approx(quotient, abs=5e-4)  # 3 decimals
    shape = replace(onnx_maker.SHAPES["wavlm_ctc"], inputs=48)
    count = sum(p.numel() for p in new_head(shape).parameters())
    assert report["heads"]["shipped"]["parameters"] == count
    assert report["process_holds"] == ["numpy", "onnxruntime"]  # not torch


def test_the_limits_of_the_head_are_compared_with_its_figures(reports):
    row, sla = reports["head"]["heads"]["shipped"], reports["head"]["sla"]
    figures = ("median_ms", "p99_ms", "frames_per_second", "peak_memory_gib")
    assert {name: limit["value"] for name, limit in sla.items()} == {
        f"head.{figure}": row[figure] for figure in figures
    }
    assert all(limit["met"] for limit in sla.values())


def test_the_report_on_paths_adds_up(reports):
    report = reports["path"]
    assert set(report["models"]) == set(SECTION["path"]["models"])
    assert (report["clips"], report["longest_s"]) == (3, 0.7)
    for rows in report["models"].values():
        quotient = rows["fp32"]["median_ms_per_s"] / rows["int8"]["median_ms_per_s"]
        assert rows["int8"]["times_as_fast_as"]["fp32"] == pytest.approx(quotient, abs=5e-4)


def test_the_report_on_causal_models_adds_up(reports):
    report = reports["realtime"]
    together = report["all_five"]
    assert (report["rounds"], report["repetitions"], report["hop_ms"]) == (2, 20, 10)
    assert sorted(report["models"]) == sorted(TASKS)
    for row in (*report["models"].values(), together):
        onnx, torch_by_step = row["onnx"], row["torch_by_step"]
        assert 0 < onnx["median_ms"] <= min(onnx["p99_ms"], together["onnx"]["median_ms"])
        assert len(onnx["round_medians_ms"]) == 2
        quotient = torch_by_step["median_ms"] / onnx["median_ms"]
        assert row["times_as_fast_as"]["torch_by_step"] == pytest.approx(quotient, abs=0.01)
    assert report["front_end"]["median_ms"] > 0


def test_all_reports_are_written_and_printed_though_one_limit_is_missed(reports):
    for name in ("head", "path", "realtime"):
        assert {"processor", "cores", "memory_gib", "load_at_start"} < set(reports[name]["machine"])
        assert {"rounds", "repetitions", "warmup"} < set(reports[name])
    for text in ("shipped_int8", "wavlm_ctc int8", "all five"):
        assert text in reports["printed"]
    value = reports["realtime"]["all_five"]["onnx"]["median_ms"]
    assert reports["refused"] == f"bench: 1 missed: realtime.ms_per_hop is {value}, above 0.0"
    assert reports["realtime"]["sla"]["realtime.ms_per_hop"]["met"] is False


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system binds no process")
def test_all_models_run_on_one_core(reports):
    assert {reports[name]["cores"] for name in ("head", "path", "realtime")} == {1}


def test_a_slow_head_is_named_and_only_the_benchmark_asked_for_runs(project, monkeypatch):
    sla = LENIENT | {"p99_ms": 0.0, "frames_per_second": 1e12}
    write_params(head=SECTION["head"] | {"sla": sla})

    def one_ms(_, files, inputs, repeats):
        """Stand in for four processes; `reports` has those."""
        times = {name: np.ones((repeats.rounds, 1, repeats.repetitions)) for name in files}
        return Measurement(times, peak_memory_bytes=2**30, cores=1, modules=[])

    monkeypatch.setattr(head, "measure_alone", one_ms)
    with pytest.raises(ValueError, match=r"2 missed: head\.p99_ms is .*, above 0\.0; head\.frames"):
        command.bench_models(["head"], busy=True)
    assert [path.name for path in Path("reports/bench").iterdir()] == ["head.json"]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("head", "data/models/reference/model.json"),
        ("path", "data/models/mlp/model.int8.onnx"),
        ("path", "data/splits/test.jsonl"),
        ("realtime", "data/models/realtime/package.json"),
        ("realtime", "data/realtime/models/onset/model.json"),
    ],
)
def test_a_missing_input_is_named_with_the_command_that_makes_it(name, path, project):
    Path(path).unlink()
    with pytest.raises(ValueError, match=f"{path}: no such file; run `make repro`"):
        command.bench_models([name], busy=True)


def test_without_a_clip_there_is_nothing_to_time(project):
    Path("data/splits/test.jsonl").write_text("")
    with pytest.raises(ValueError, match="no utterance to time"):
        command.bench_models(["path"], busy=True)


def test_causal_models_that_differ_from_the_package_are_refused(project):
    graph = Path("data/models/realtime/speech.onnx")
    graph.write_bytes(graph.read_bytes()[:-1] + b"\0")
    with pytest.raises(ValueError, match=r"speech\.onnx: its SHA-256 is"):
        command.bench_models(["realtime"], busy=True)


def test_causal_models_that_differ_from_torch_are_refused(project, monkeypatch):
    models = Path("data/realtime/models")
    shutil.rmtree(models / "speech")
    shutil.copytree(models / "voicing", models / "speech")  # of the same shape
    monkeypatch.setattr(realtime, "measure_alone", lambda function, *values: function(*values))
    with pytest.raises(ValueError, match=r"the ONNX files are off by .* from torch; run `make"):
        command.bench_models(["realtime"], busy=True)
    torch.set_num_threads(1)  # as model_maker sets it


@pytest.mark.parametrize("wrong", [{"rounds": 0}, {"repetitions": 0}, {"warmup": 0}])
def test_a_number_of_repeats_below_one_is_refused(wrong):
    with pytest.raises(ValueError, match="must be at least 1, found"):
        Repeats(**(REPEATS | wrong))


def test_a_damaged_file_is_named_by_the_process_that_times_it(tmp_path):
    (tmp_path / "head.onnx").write_bytes(b"none")
    files, inputs = {"head": TimedFile(tmp_path / "head.onnx", "x")}, {"x": [np.zeros((3, 4))]}
    with pytest.raises(ValueError, match=r"head\.onnx: ONNX Runtime cannot load it"):
        measure_alone(time_files, files, inputs, Repeats(1, 1, 1))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a child inherits its parent's peak")
def test_peak_memory_is_that_of_the_process_and_not_of_its_parent(inputs):
    ballast = np.ones(50_000_000)  # 400 MB, touched; the process needs 60
    files = {"head": TimedFile(inputs / "data/models/mlp/head.onnx", "x")}
    frames = {"x": [np.zeros((3, SIZE.hidden), np.float32)]}
    alone = measure_alone(time_files, files, frames, Repeats(1, 1, 1))
    assert 0 < alone.peak_memory_bytes < ballast.nbytes < timer.peak_memory_bytes()


def test_a_killed_process_is_reported():
    with pytest.raises(ValueError, match="the timing process was killed; check the free memory"):
        measure_alone(os._exit, 3)


def test_each_command_measures_the_benchmark_of_its_name(monkeypatch):
    named = []
    monkeypatch.setattr(command, "bench_models", lambda names, busy: named.append((names, busy)))
    for name in ("heads", "paths", "realtime", "all"):
        run_fonoteka("bench", name)
    assert named == [(("head",), False), (("path",), False), (("realtime",), False), ((), False)]


def test_an_unknown_benchmark_is_refused(capsys):
    assert exit_code("bench", "haeds") == 2
    assert "No such command 'haeds'" in capsys.readouterr().err
