"""What is said of speed is complete, adds up, and names what is too slow; no time is asserted."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from functools import cache
from io import StringIO
from pathlib import Path

import numpy as np
import onnx_maker
import pytest
import torch
import yaml
from bench_maker import ENCODER, tiny_config
from clip_maker import noise, save_clips
from model_maker import SIZE, encoder
from stream_maker import small

from fonoteka import manifest
from fonoteka.bench import command as bench
from fonoteka.bench import encoder as bench_encoder
from fonoteka.bench import head as bench_head
from fonoteka.bench import hop_timer, timer
from fonoteka.bench import realtime as bench_realtime
from fonoteka.bench.command import BenchParams
from fonoteka.bench.timer import Pace, Task, peak_memory_bytes, timed
from fonoteka.core.files import read_json, write_json
from fonoteka.core.params import load
from fonoteka.models.encoders import embed
from fonoteka.models.heads import LstmShape, new_head, save_head
from fonoteka.phones import LABELS
from fonoteka.realtime.frame_labels import TASKS
from fonoteka.shards import write_arrays

pytestmark = pytest.mark.torch
CORES = 2  # each is a process that imports transformers, 10 CPU seconds
PACE = {"rounds": 2, "repetitions": 3, "warmup": 1}
LENIENT = {"median_ms": 1e6, "p99_ms": 1e6, "frames_per_second": 0, "memory_gib": 1e3}
SECTION = {
    "shipped": "wavlm_ctc", "reference": "reference",
    "head": {
        "seed": 1, "opset": 17, "frames": 20, "width": 48, "pace": PACE, "sla": LENIENT,
    },
    "path": {"models": ["mlp", "wavlm_ctc", "ensemble"], "clips": 3, "pace": PACE},
    "encoder": ENCODER,
    "realtime": {
        "seed": 1, "pace": {"rounds": 2, "repetitions": 20, "warmup": 5},
        "sla": {"max_ms_per_hop": 1e6, "max_plain_ms_per_hop": 1e6},
    },
}  # fmt: skip
SHAPES = onnx_maker.SHAPES | {"reference": LstmShape(SIZE.hidden, len(LABELS), 8, 2, 0.1)}
CLIPS = {f"c{n}": noise(seconds, n) for n, seconds in enumerate((0.1, 0.3, 0.5, 0.7))}
RATE = {"per": 0.1, "per_low": 0.05, "per_high": 0.15}
QUALITY = {
    "shipped": RATE, "reference": RATE, "difference": 0.0, "difference_low": -0.01,
    "difference_high": 0.01,
}  # fmt: skip


@cache
def heard(kind):
    return {key: embed(encoder(kind), signal, True) for key, signal in CLIPS.items()}


def save_reference(folder):
    """Write a model as the stage train does; it has no ONNX files."""
    shape = SHAPES["reference"]
    facts = {"name": "reference", "backbone": "wav2vec2", "labels": list(LABELS)}
    torch.manual_seed(1)
    save_head(folder, new_head(shape), shape, facts)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with all that is measured."""
    folder = tmp_path_factory.mktemp("made")
    models = folder / "data" / "models"
    save_reference(models / "reference")
    for name in onnx_maker.SHAPES:
        shipped = onnx_maker.shipped(tmp_path_factory, name)
        for part in ("model", "out"):
            shutil.copytree(shipped / part, models / name, dirs_exist_ok=True)
    (models / "ensemble").mkdir()
    for name in ("model.onnx", "model.int8.onnx"):
        shutil.copy(models / "mlp" / name, models / "ensemble" / name)
    write_json(models / "ensemble" / "model.json", {"name": "ensemble", "kind": "ensemble"})
    rows = save_clips(folder / "data" / "audio", CLIPS)
    manifest.write(folder / "data" / "splits" / "test.jsonl", rows)
    for kind in ("wav2vec2", "wavlm"):
        (folder / "data" / "embeddings" / kind).mkdir(parents=True)
        write_arrays(folder / "data" / "embeddings" / kind, heard(kind), 2)
    write_json(folder / "reports" / "reference.json", QUALITY | {"speakers": 3})
    bundled = small(tmp_path_factory)
    shutil.copytree(bundled / "realtime", models / "realtime")
    shutil.copytree(bundled / "models", folder / "data" / "realtime" / "models")
    return folder


@pytest.fixture
def project(made, tmp_path, monkeypatch):
    """A copy of it, to be worked in."""
    shutil.copytree(made, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setattr(bench, "Wav2Vec2Config", tiny_config)
    return tmp_path / "project"


def write_params(**more):
    Path("params.yaml").write_text(yaml.safe_dump({"bench": SECTION | more}), encoding="utf-8")
    return load("bench", BenchParams)


def measured(what):
    return bench.measured(what, Path("data"), Path("reports"), write_params())


def command(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["bench", *words])
    bench.main()


@pytest.fixture(scope="module")
def everything(made, tmp_path_factory):
    """What one run of all prints, writes and refuses; int8 can't be as fast as is asked."""
    folder = tmp_path_factory.mktemp("everything") / "project"
    shutil.copytree(made, folder)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as printed:
        patch.chdir(folder)
        patch.setattr(bench, "Wav2Vec2Config", tiny_config)
        patch.setattr(bench_encoder, "worker_count", lambda: CORES)
        write_params(encoder=SECTION["encoder"] | {"min_ratio_int8": 1e6})
        with pytest.raises(ValueError, match="missed") as refused:
            command(patch)
    reports = {
        what: read_json(folder / "reports" / "bench" / f"{what}.json")
        for what in ("head", "path", "encoder", "realtime")
    }
    return reports, printed.getvalue(), str(refused.value)


def test_the_report_on_heads_adds_up(everything):
    report = everything[0]["head"]
    heads = report["heads"]
    wide = {"shipped", "shipped_int8", "reference"}
    assert set(heads) == wide | {"shipped_file", "shipped_file_int8", "reference_own_width"}
    for name, row in heads.items():
        assert row["input"] == [1, 20, 48 if name in wide else SIZE.hidden]
        assert row["frames_per_second"] == round(20_000 / row["median_ms"])
        assert len(row["round_medians_ms"]) == report["rounds"] == 2
        assert name not in row["times_as_fast_as"]
        for baseline, ratio in row["times_as_fast_as"].items():
            assert heads[baseline]["input"] == row["input"]
            quotient = heads[baseline]["median_ms"] / row["median_ms"]
            assert ratio == pytest.approx(quotient, abs=5e-4)  # 3 decimals
    assert set(heads["shipped_int8"]["times_as_fast_as"]) == {"reference", "shipped"}
    assert set(heads["shipped_file"]["times_as_fast_as"]) == {"reference_own_width"}
    assert report["process_holds"] == ["numpy", "onnxruntime"]  # and no torch
    assert report["quality"] == QUALITY


def test_the_demands_on_the_head_are_its_figures(everything):
    report = everything[0]["head"]
    row, sla = report["heads"]["shipped"], report["sla"]
    assert set(sla) == {
        "head.median_ms", "head.p99_ms", "head.frames_per_second", "head.peak_memory_gib",
    }  # fmt: skip
    for figure, asked in sla.items():
        assert asked["value"] == row[figure.removeprefix("head.")]
        assert asked["met"] is True


def test_random_heads_have_the_shape_of_the_trained_ones(everything, made):
    shape = replace(SHAPES["wavlm_ctc"], inputs=48)
    rows = everything[0]["head"]["heads"]
    assert rows["shipped"]["parameters"] == sum(p.numel() for p in new_head(shape).parameters())
    file = made / "data" / "models" / "wavlm_ctc" / "head.onnx"
    assert rows["shipped_file"]["bytes"] == file.stat().st_size
    assert [row["weights"] for row in rows.values()].count("trained") == 2


def test_the_report_on_paths_adds_up(everything):
    report = everything[0]["path"]
    assert set(report["models"]) == set(SECTION["path"]["models"])
    assert report["clips"] == 3
    for name, model in report["models"].items():
        parts = {"model"} if name == "ensemble" else {"head", "model", "head_share"}
        assert set(model) == parts
        for part in parts - {"head_share"}:
            fp32, int8 = model[part]["fp32"], model[part]["int8"]
            quotient = fp32["median_ms_per_s"] / int8["median_ms_per_s"]
            assert int8["times_as_fast_as"]["fp32"] == pytest.approx(quotient, abs=5e-4)
        for precision, share in model.get("head_share", {}).items():
            factors = [model[part][precision]["real_time_factor"] for part in ("head", "model")]
            assert share == pytest.approx(factors[0] / factors[1], rel=2e-3)  # 4 digits


def test_the_report_on_the_encoder_adds_up(everything):
    report = everything[0]["encoder"]
    ways, peak = report["ways"], report["peak"]["gflops_per_second"]
    assert set(ways) == {"plain_batch_2", "plain_batch_1", "onnx_fp32", "onnx_int8", "torch_alone"}
    assert (report["baseline"], report["cores"]) == ("plain_batch_2", CORES)
    assert peak == max(report["peak"]["by_library"].values())
    for row in ways.values():
        seconds = row["median_ms"] / 1000
        rate = report["gflops_of_work"] / seconds
        assert row["gflops_per_second"] == pytest.approx(rate, rel=2e-3)  # 4 digits
        assert row["share_of_peak"] == pytest.approx(rate / peak, rel=2e-3)
        assert row["s_per_audio_s"] == pytest.approx(seconds / report["audio_s"], rel=5e-3)
        assert len(row["rounds_ms"]) == report["rounds"] == 2
        for baseline, ratio in row["times_as_fast_as"].items():
            quotient = ways[baseline]["median_ms"] / row["median_ms"]
            assert ratio == pytest.approx(quotient, abs=5e-4)  # 3 decimals


def test_the_report_on_the_encoder_says_what_the_ways_differ_in(everything):
    report = everything[0]["encoder"]
    ways = report["ways"]
    assert report["differences"]["onnx_fp32_max"] < 1e-4
    assert report["differences"]["padding_rms_share"]["plain_batch_2"] > 0
    assert [name for name, row in ways.items() if row["operations"] == "nominal"] == ["onnx_int8"]
    assert ways["plain_batch_1"]["padding_share"] == 0 < ways["plain_batch_2"]["padding_share"]
    shared = report["processes_and_threads"]
    assert (shared["plain_batch_2"], shared["onnx_int8"]) == ([1, CORES], [CORES, 1])


def test_all_is_written_and_printed_though_one_figure_missed(everything):
    reports, said, refused = everything
    for report in reports.values():
        assert {"processor", "cores", "memory_gib", "load_at_start"} < set(report["machine"])
        assert {"rounds", "warmup"} < set(report)
    words = (
        "shipped_int8",
        "ensemble model int8",
        "plain_batch_2",
        "GFLOP/s",
        "PER on",
        "all five",
    )
    for word in words:
        assert word in said
    assert refused.startswith("bench: 1 missed: encoder.ratio_int8 is ")
    assert refused.endswith(", below 1000000.0")
    assert reports["encoder"]["sla"]["encoder.ratio_int8"]["met"] is False


def test_the_report_on_small_models_adds_up(everything, made):
    report = everything[0]["realtime"]
    package = read_json(made / "data" / "models" / "realtime" / "package.json")
    whole, product = report["all_five"], report["plain_product"]
    assert (report["rounds"], report["hops"], report["hop_ms"]) == (2, 20, 10)
    assert sorted(report["models"]) == sorted(package["models"])
    assert whole["products"] == product["products"] == package["multiplies_a_hop"]
    for name, row in report["models"].items():
        assert row["products"] == package["models"][name]["multiplies"]
        assert 0 < row["onnx"]["median_ms"] < whole["onnx"]["median_ms"]
    for row in (*report["models"].values(), whole):
        ours, theirs = row["onnx"], row["torch_by_step"]
        assert ours["median_ms"] <= ours["p99_ms"]
        assert len(ours["round_medians_ms"]) == 2
        fast = theirs["median_ms"] / ours["median_ms"]
        assert row["times_as_fast_as"]["torch_by_step"] == pytest.approx(fast, abs=0.01)
    rate = 1000 * product["products"] / product["ms_per_hop"]
    assert product["products_per_second"] == pytest.approx(rate, rel=1e-3)
    assert report["front_end"]["median_ms"] > 0
    sla = report["sla"]
    assert sla["realtime.ms_per_hop"]["value"] == whole["onnx"]["median_ms"]
    assert sla["realtime.plain_ms_per_hop"]["value"] == product["ms_per_hop"]


def test_small_models_that_are_too_slow_are_named(project, monkeypatch):
    sla = {"max_ms_per_hop": 0.0, "max_plain_ms_per_hop": 0.0}
    write_params(realtime=SECTION["realtime"] | {"sla": sla})
    # A process that measures takes 8 CPU seconds; `everything` has one.
    by_model, alone = np.ones((2, 20, len(TASKS))), np.ones((2, 20))
    times = {"onnx": by_model, "torch": by_model, "front_end": alone, "product": alone}
    measured_times = hop_timer.Timed(times, cores=1, modules=[])
    monkeypatch.setattr(bench_realtime, "timed", lambda *_: measured_times)
    with pytest.raises(ValueError, match=r"2 missed: realtime\.ms_per_hop is .*, above 0\.0; real"):
        command(monkeypatch, "realtime")


def test_small_models_are_timed_only_as_they_were_packaged(project, monkeypatch):
    write_params()
    graph = Path("data/models/realtime/speech.onnx")
    graph.write_bytes(graph.read_bytes()[:-1] + b"\0")
    with pytest.raises(ValueError, match=r"speech\.onnx: its SHA-256 is"):
        command(monkeypatch, "realtime")


def test_small_models_are_compared_with_the_same_in_torch(project, monkeypatch):
    write_params()
    models = Path("data/realtime/models")
    shutil.rmtree(models / "speech")
    shutil.copytree(models / "voicing", models / "speech")  # of the same shape
    with pytest.raises(ValueError, match=r"the ONNX files are off by .* from torch; run `make"):
        command(monkeypatch, "realtime")


def test_what_misses_its_limit_is_named_and_written_all_the_same(project, monkeypatch):
    sla = LENIENT | {"p99_ms": 0.0, "frames_per_second": 1e12}
    write_params(head=SECTION["head"] | {"sla": sla})

    def one_ms(tasks, feeds, pace):
        """What seven processes would have measured; `everything` has those."""
        times = {name: np.ones((pace.rounds, 1, pace.repetitions)) for name in tasks}
        return timer.Timed(times, peak_memory_bytes=2**30, cores=1, modules=[])

    monkeypatch.setattr(bench_head, "timed", one_ms)
    with pytest.raises(ValueError, match=r"2 missed: head\.p99_ms is .*, above 0\.0; head\.frames"):
        command(monkeypatch, "head")
    sla = read_json(project / "reports" / "bench" / "head.json")["sla"]
    late = {name for name, asked in sla.items() if not asked["met"]}
    assert late == {"head.p99_ms", "head.frames_per_second"}
    assert not (project / "reports" / "bench" / "path.json").exists()  # it wasn't asked for


@pytest.mark.parametrize(
    ("what", "path"),
    [
        ("head", "data/models/wavlm_ctc/head.int8.onnx"),
        ("head", "data/models/reference/model.json"),
        ("head", "reports/reference.json"),
        ("path", "data/models/ensemble/model.onnx"),
        ("path", "data/models/mlp/model.json"),
        ("path", "data/splits/test.jsonl"),
        ("realtime", "data/models/realtime/package.json"),
        ("realtime", "data/realtime/models/onset/model.json"),
    ],
)
def test_what_is_missing_is_to_be_built_first(what, path, project, monkeypatch):
    write_params()
    Path(path).unlink()
    with pytest.raises(ValueError, match=f"{path}: no such file; run `make repro`"):
        command(monkeypatch, what)


def test_of_many_missing_files_the_first_is_named(project):
    for path in Path("data/models/mlp").glob("*.onnx"):
        path.unlink()
    with pytest.raises(ValueError, match=r"head\.onnx and 3 more are missing; run `make repro`"):
        measured("path")


def test_a_head_of_an_unknown_kind_is_refused(project):
    facts = read_json(Path("data/models/reference/model.json"))
    write_json(Path("data/models/reference/model.json"), facts | {"kind": "tree"})
    with pytest.raises(ValueError, match=r"reference/model\.json: kind 'tree' is none of"):
        measured("head")


def test_no_clip_is_no_measurement(project):
    Path("data/splits/test.jsonl").write_text("")
    with pytest.raises(ValueError, match="no utterance to time"):
        measured("path")


def test_a_word_that_means_nothing_is_refused(project, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="2"):
        command(monkeypatch, "haed")
    assert "'haed' is none of" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [{"rounds": 0}, {"repetitions": 0}, {"warmup": 0}])
def test_a_pace_without_a_call_is_refused(wrong):
    with pytest.raises(ValueError, match="must be at least 1, found"):
        Pace(**(PACE | wrong))


@pytest.mark.parametrize("batches", [[8], [0, 1]])
def test_the_plain_loop_needs_batches_of_one(batches, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"bench\.encoder\.batches needs 1 among them, found"):
        write_params(encoder=SECTION["encoder"] | {"batches": batches})


def test_no_clips_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="clips and rounds must be at least 1"):
        write_params(encoder=SECTION["encoder"] | {"clips": 0})


def test_a_damaged_file_is_named_by_the_process_that_timed_it(tmp_path):
    (tmp_path / "head.onnx").write_bytes(b"none")
    feeds = {"x": [np.zeros((3, 4), dtype=np.float32)]}
    with pytest.raises(ValueError, match=r"head\.onnx: ONNX Runtime cannot load it"):
        timed({"head": Task(tmp_path / "head.onnx", "x")}, feeds, Pace(1, 1, 1))


def test_each_file_hears_all_inputs_in_each_round(made):
    folder = made / "data" / "models" / "mlp"
    feeds = {"frames": list(heard("wav2vec2").values()), "samples": list(CLIPS.values())}
    tasks = {"h": Task(folder / "head.onnx", "frames"), "m": Task(folder / "model.onnx", "samples")}
    found = timed(tasks, feeds, Pace(2, 3, 1))
    assert {name: times.shape for name, times in found.times_ms.items()} == {
        "h": (2, 4, 3), "m": (2, 4, 3),
    }  # fmt: skip
    assert all(times.min() > 0 for times in found.times_ms.values())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a child inherits its parent's peak")
def test_memory_is_that_of_the_process_and_not_of_its_parent(made):
    ballast = np.ones(150_000_000)  # 1.2 GB, touched
    tasks = {"head": Task(made / "data/models/mlp/head.onnx", "x")}
    feeds = {"x": [np.zeros((3, SIZE.hidden), dtype=np.float32)]}
    found = timed(tasks, feeds, Pace(1, 1, 1))
    assert 0 < found.peak_memory_bytes < ballast.nbytes < peak_memory_bytes()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="a process can't be tied here")
def test_heads_paths_and_small_models_run_on_one_core(everything):
    assert {everything[0][what]["cores"] for what in ("head", "path", "realtime")} == {1}
