"""The benchmark of scale runs the pipeline's commands, and the page has its figures."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml
from command_line import exit_code
from dvc_yaml import TOP

from fonoteka.bench.scale import command, curve, page, project, workers
from fonoteka.bench.scale.curve import measure_curve, summary
from fonoteka.bench.scale.forecast import EFFICIENCY, STAGE_NAMES, STORED, forecast
from fonoteka.bench.scale.project import ScaleProject
from fonoteka.bench.scale.run_cost import RunCost, run_costed
from fonoteka.bench.scale.stage_commands import (
    ENCODER,
    EXPORTED,
    STAGES,
    TRAINING_STAGES,
    chosen_stages,
)
from fonoteka.bench.scale.training import FIRST, measure_training
from fonoteka.core.errors import UserError
from fonoteka.reporting.machine import missed

PARAMS = TOP / "params.yaml"
DECODE = "fonoteka.bench.decode_baseline"


SEGMENTS = "data/corpus/segments.parquet"
VALUES = {
    "embed": {"${key}": "wavlm", "${item.augmented_copies}": "0"},
    "posteriors": {"${key}": "wavlm_ctc", "${item.encoder}": "wavlm"},
    "train": {
        "${key}": "wavlm_ctc", "${item.encoder}": "wavlm", "${item.head}": "ctc",
        "${item.targets}": "data/splits/train.jsonl",
    },
    "train_mlp": {
        "${key}": "mlp", "${item.encoder}": "wavlm", "${item.head}": "mlp",
        "${item.targets}": SEGMENTS,
    },
    "align": {"whisper": "wavlm"},
    "evaluate": {"${item}": "wavlm_ctc"},
    "train_realtime": {"${item}": "onset"},
}  # fmt: skip
"""The values of the measured stages, by names in dvc.yaml."""


def in_dvc_yaml(name):
    """Return the words of a stage's command in dvc.yaml, with the names of `STAGES`."""
    stages = yaml.safe_load((TOP / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    stage = stages["train" if name == "train_mlp" else name]
    text = stage.get("cmd") or stage["do"]["cmd"]
    for variable, value in VALUES.get(name, {}).items():
        text = text.replace(variable, value)
    return shlex.split(text)


def test_the_commands_are_those_of_the_pipeline():
    for name, stage in (STAGES | TRAINING_STAGES).items():
        expected = in_dvc_yaml(name)
        if name == "posteriors":  # without the int8 file
            expected = expected[: expected.index("--audio")]
        assert ["python", "-m", *stage.command] == expected, name


def test_outputs_are_those_of_the_pipeline():
    stages = yaml.safe_load((TOP / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    for name, stage in STAGES.items():
        declared = stages[name].get("do") or stages[name]
        outs = [*declared["outs"], *declared.get("metrics", [])]
        paths = {next(iter(out)) if isinstance(out, dict) else out for out in outs}
        assert len(paths) == len(stage.writes), name
        if "do" not in stages[name]:
            assert {*stage.writes} == paths, name


def test_a_training_reads_what_an_earlier_stage_wrote():
    written = {"data/raw", ENCODER, EXPORTED}
    for name, stage in (FIRST | TRAINING_STAGES).items():
        for path in stage.reads:
            assert path in written or any(out.startswith(f"{path}/") for out in written), name
        written |= {*stage.writes}


def test_an_unknown_stage_is_refused():
    assert [*chosen_stages(["split", "inventory"])] == ["inventory", "split"]
    with pytest.raises(UserError, match="--stages: 'spilt' is not one of"):
        chosen_stages(["spilt"])


def new_project(folder, seconds=0.2):
    folder.mkdir(exist_ok=True)
    return ScaleProject(folder, PARAMS, seconds, 8000)


def test_a_larger_corpus_has_the_clips_of_a_smaller_one(tmp_path):
    grown, whole = new_project(tmp_path / "a"), new_project(tmp_path / "b")
    grown.grow(3)
    cached = (grown.folder / "data/raw/generated/audio/000/000002.flac").stat().st_mtime_ns
    grown.grow(5)
    whole.grow(5)
    both = [
        {p.name: p.read_bytes() for p in each.folder.rglob("*.flac")} for each in (grown, whole)
    ]
    assert both[0] == both[1]
    assert len({*both[0].values()}) == 5
    assert (grown.folder / "data/raw/generated/audio/000/000002.flac").stat().st_mtime_ns == cached
    assert grown.file_counts() == {"recordings": 7, "results": 1, "cache": 0}


def test_one_clip_more_is_of_a_known_voice(tmp_path):
    grown = new_project(tmp_path)
    grown.grow(101)
    rows = (tmp_path / "data/raw/generated/metadata.csv").read_text().split("\n")[1:-1]
    voices = [row.split(",")[2] for row in rows]
    assert voices[100] in voices[:100]
    assert len({row.split(",")[1] for row in rows}) == 101


def test_a_command_is_costed_with_its_memory(tmp_path):
    new_project(tmp_path).grow(3)
    cost = run_costed((DECODE, "data/raw"), tmp_path)
    assert cost.cpu_s > 0
    assert cost.wall_s > 0
    assert 10 < cost.largest_mib < 500


def test_a_command_that_fails_is_quoted(tmp_path):
    with pytest.raises(UserError, match=r"decode_baseline failed: usage: .*\n.* required: folder"):
        run_costed((DECODE,), tmp_path)


class FakePipeline:
    """Answers for `run_costed`: a stage writes how many recordings there are.

    Attributes:
        wrong: whether a run with the cache writes something else.
        calls: the modules that were run, with their cache.
    """

    def __init__(self, wrong=False):
        self.wrong, self.calls = wrong, []

    def __call__(self, command, folder, environment=None):
        variables = environment or {}
        reuse = variables.get("FONOTEKA_CACHE") == ".fonoteka/cache"
        self.calls.append((command[0], variables.get("FONOTEKA_CACHE")))
        clips = len([*folder.rglob("*.flac")])
        for stage in STAGES.values():
            if stage.module == command[0]:
                stale = self.wrong and reuse
                for path in stage.writes:
                    (folder / path).write_text(f"{0 if stale else clips}")
        existing = (folder / ".fonoteka").exists() and reuse
        (folder / ".fonoteka").mkdir(exist_ok=True)
        return RunCost(clips / 50, clips / 100 * (0.005 if existing else 1), 50 + clips / 1000, 90)


@pytest.fixture
def pipeline(monkeypatch):
    fake = FakePipeline()
    for module in (project, curve, workers):
        monkeypatch.setattr(module, "run_costed", fake)
    return fake


def test_each_size_starts_from_nothing_and_one_clip_more_from_the_cache(pipeline, monkeypatch):
    monkeypatch.setattr(curve, "CLIP_S", 0.1)
    stages = chosen_stages(["inventory", "dedupe"])
    earlier = measure_curve(PARAMS, [2], chosen_stages(["dedupe"]), {})["sizes"]
    report = measure_curve(PARAMS, [8, 4], stages, earlier)
    assert [*report["sizes"]] == ["2", "4", "8"]
    for clips in ("4", "8"):
        entry = report["sizes"][clips]
        assert entry["files"]["recordings"] == int(clips) + 2
        assert [*entry["stages"]] == ["inventory", "dedupe"]
    assert report["sizes"]["8"]["stages"]["inventory"]["cpu_s"] == 0.08
    assert all(more["same_bytes"] for more in report["sizes"]["8"]["one_more"].values())
    assert ("stages.corpus.dedupe", "off") in pipeline.calls
    assert "scale.dedupe.one_more" not in report["sla"]  # which is of 10,000 clips
    (row,) = [line for line in page.curve_page(report).splitlines() if "| inventory " in line][:1]
    assert [cell.strip() for cell in row.split("|")[1:3]] == ["inventory", "-"]  # of two clips


def test_the_share_of_one_clip_more_is_limited_at_ten_thousand_clips(pipeline, monkeypatch):
    monkeypatch.setattr(curve, "MORE_LIMIT", 4)
    report = measure_curve(PARAMS, [4], chosen_stages(["inventory"]), {})
    assert report["sizes"]["4"]["one_more"]["inventory"]["share"] < 0.02
    assert report["sla"]["scale.inventory.one_more"]["limit"] == 0.01
    quick = measure_curve(PARAMS, [4], chosen_stages(["inventory"]), {}, more=False)
    assert "one_more" not in quick["sizes"]["4"]


def test_a_page_is_the_same_from_a_file_whose_keys_are_sorted(pipeline):
    report = measure_curve(PARAMS, [10, 2], chosen_stages(["split", "dedupe", "inventory"]), {})
    stored = json.loads(json.dumps(report, sort_keys=True))
    text = page.curve_page(stored)
    assert text == page.curve_page(report)
    assert text.index("inventory") < text.index("dedupe") < text.index("split")
    assert [*re.findall(r"(\d+) clips", text)] == ["2", "10"]


def test_other_bytes_than_from_nothing_are_counted(pipeline):
    pipeline.wrong = True
    report = measure_curve(PARAMS, [3], chosen_stages(["inventory"]), {})
    assert missed([report])[-1] == "scale.differing_bytes is 1, above 0"


def sizes_with(seconds, mib):
    cost = {"wall_s": 1.0, "together_mib": 1.0}
    return {
        str(clips): {"stages": {"split": cost | {"cpu_s": s, "largest_mib": m}}}
        for clips, s, m in zip((100, 1000, 10_000), seconds, mib, strict=True)
    }


def test_the_exponent_and_the_memory_are_of_a_thousand_clips_and_more():
    report = summary(sizes_with((9.0, 10.0, 100.0), (10, 50, 55)))
    assert report["growth"]["split"] == {
        "exponent": 1.0, "memory_ratio": 1.1, "from_clips": 1000, "to_clips": 10_000,
    }  # fmt: skip
    assert not missed([report])
    squared = summary(sizes_with((1.0, 1.0, 100.0), (10, 50, 70)))
    assert missed([squared]) == [
        "scale.split.exponent is 2.0, above 1.05",
        "scale.split.memory is 1.4, above 1.2",
    ]


@pytest.mark.torch
def test_the_trainings_run_on_synthetic_clips(monkeypatch):
    report = measure_training(PARAMS, [60], {"7": {"stages": {}}})
    assert [*report["sizes"]] == ["7", "60"]
    stages = report["sizes"]["60"]["stages"]
    assert [*stages] == [*TRAINING_STAGES]
    assert all(cost["largest_mib"] > 40 for cost in stages.values())
    assert report["sla"]["scale.train.mib"]["limit"] == pytest.approx(1430.5, abs=0.1)
    assert not missed([report])
    text = page.training_page(report)
    assert "| align " in text
    assert [*re.findall(r"(\d+) clips", text)] == ["7", "60"]


def test_rates_are_without_what_a_run_costs_without_clips(pipeline, monkeypatch):
    monkeypatch.setattr(workers, "CLIP_S", 0.2)
    monkeypatch.setattr(workers, "CLIP_RATE_HZ", 8000)
    report = workers.measure_encoder(PARAMS, [2, 6], rounds=1)
    assert report["rates"]["dedupe"]["clip_ms"] == pytest.approx(10.0)
    assert report["rates"]["dedupe"]["start_cpu_s"] == 0
    assert report["rates"]["dedupe"]["cpu_s_per_hour"] == pytest.approx(0.01 / 0.2 * 3600)
    assert report["two_workers"] == 1.0
    assert missed([report])[0] == "scale.two_workers is 1.0, below 1.7"
    assert "1.0 times as fast" in page.encoder_page(report)


def test_each_executor_runs_the_same_stages(pipeline, monkeypatch):
    monkeypatch.setattr(workers.shutil, "which", lambda _: None)
    report = workers.compare_executors(PARAMS, 2)
    assert report["runs"][:4] == ["serial", "processes 1", "processes 2", "processes 4"]
    assert report["differing"] == []
    assert "slurm" in report["not_run"]
    assert "slurm" in page.executors_page(report).partition("not run: ")[2]


def test_workers_divide_the_work_of_clips_and_nothing_else():
    stages = {name: {"per_hour_s": 3.6} for name in STAGE_NAMES}
    storage = {"bytes_per_hour": dict.fromkeys(STORED, 1e6)}
    planning = {"stages": stages, "storage": storage, "measured": "2026-11-30"}
    times = {name: {"shard_ms": 0.0} for name in ("serial", "processes", "dask", "slurm")}
    serial, processes, gpu, dask, slurm = forecast(planning, times)["rows"]
    assert serial["clock_h_1000"] == 8
    # Four stages in one process; three that are divided, and inventory, on the driver's cores.
    assert processes["clock_h_1000"] == pytest.approx(4 + 4 / (16 * EFFICIENCY), abs=0.05)
    own = 1 / (8 * EFFICIENCY)
    assert dask["clock_h_1000"] == pytest.approx(4 + own + 3 / (64 * EFFICIENCY), abs=0.05)
    assert slurm["clock_h_10000"] == dask["clock_h_10000"]
    assert gpu["longest"] == "embed@wavlm"  # 7.2 s per hour, more than these rates
    del times["slurm"]
    report = forecast(planning, times)
    waiting_h = 3 * 1000 * 3600 / 2.4 / 128 * 0.02 / 3600
    later = report["rows"][4]["clock_h_1000"] - slurm["clock_h_1000"]
    assert later == pytest.approx(waiting_h, abs=0.1)
    assert report["gb"]["1000"] == dict.fromkeys(STORED, 1.0)
    assert "1,500,000" in page.forecast_page(report)


def test_the_command_stores_the_part_and_fails_past_a_limit(
    pipeline, monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(command, "REPORT", tmp_path / "scale.json")
    pipeline.wrong = True
    options = ("--clips", "2", "--stages", "inventory", "--busy")
    assert exit_code("bench", "scale", "curve", *options) == 1
    assert "scale.differing_bytes is 1, above 0" in capsys.readouterr().err
    report = json.loads((tmp_path / "scale.json").read_text())
    assert [*report["curve"]["sizes"]] == ["2"]
    monkeypatch.setattr(command, "PLANNING", tmp_path / "planning.json")
    assert exit_code("bench", "scale", "forecast", "--busy") == 1
    assert "planning.json: no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--clips", "10,many"), "--clips: expected numbers such as 100,1000, found 'many'"),
        (("--encoder-clips", "200"), "--encoder-clips: expected two numbers, found '200'"),
        (("--stages", "spilt"), "--stages: 'spilt' is not one of"),
    ],
    ids=["clips", "encoder-clips", "stages"],
)
def test_a_wrong_option_is_named(options, message, capsys):
    assert exit_code("bench", "scale", "curve", "--busy", *options) == 1
    assert message in capsys.readouterr().err


def test_the_page_has_the_tables_of_the_report():
    report = json.loads((TOP / "reports/bench/scale.json").read_text(encoding="utf-8"))
    text = Path(TOP / "docs/scale.md").read_text(encoding="utf-8")
    for name, part in report.items():
        written = getattr(page, f"{name}_page")(part)
        for line in written.splitlines():
            assert line in text, f"docs/scale.md: copy the part {name} of `bench scale`: {line}"
