"""The report on word recognition adds up and names what is too slow; no time is asserted."""

from __future__ import annotations

import shutil
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
import whisper_onnx_maker
import yaml
from clip_maker import noise, save_clips
from command_line import run_fonoteka

from fonoteka import manifest
from fonoteka.bench import words
from fonoteka.bench.words import WordsBenchParams, WordsLimits
from fonoteka.core.files import read_json

pytestmark = pytest.mark.torch
SECTION = {
    "run": "toy", "clips": 4, "piece_s": 1.0, "tokens": 3, "rounds": 1,
    "sla": {"max_rtf": 1e6, "min_times_as_fast": 1e6},
}  # fmt: skip
CLIPS = {f"c{n}": noise(0.6, n) for n in range(4)}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder with all that the benchmark reads."""
    exported = whisper_onnx_maker.exported(tmp_path_factory)
    folder = tmp_path_factory.mktemp("words")
    for source, target in (("tiny", "whisper"), ("onnx", "whisper_onnx")):
        shutil.copytree(exported / source, folder / "data" / "models" / target / "toy")
    rows = save_clips(folder / "data" / "audio", CLIPS, language="sr")
    manifest.write(folder / "data" / "splits" / "test.jsonl", rows)
    (folder / "params.yaml").write_text(yaml.safe_dump({"bench_words": SECTION}))
    return folder


@pytest.fixture
def project(inputs, tmp_path, monkeypatch):
    """A copy of the inputs as the current folder."""
    shutil.copytree(inputs, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")


def test_the_report_adds_up_and_a_missed_limit_is_named(project):
    with redirect_stdout(StringIO()) as printed, pytest.raises(ValueError, match="1 missed") as no:
        run_fonoteka("bench", "words", "--busy")
    report = read_json(Path("reports/bench/words.json"))
    assert (report["sounds"], report["sound_s"], report["short_clips"]) == (2, 1.0, 4)
    figures = report["figures"]
    assert {*figures} == {"encoder", "token_1", "token_8", "text", "short", "padded"}
    for name in ("encoder", "token_1", "token_8", "text"):
        assert {*figures[name]} == {"torch", "onnx", "int8"}
        for row in figures[name].values():
            quotient = figures[name]["torch"]["median_ms"] / row["median_ms"]
            assert row["times_as_fast_as"]["torch"] == pytest.approx(quotient, abs=5e-4)
    assert all(row["real_time_factor"] > 0 for row in figures["text"].values())
    ratio = report["short_times_as_fast_as_30_s"]
    assert (
        str(no.value) == f"bench: 1 missed: words.short_times_as_fast is {ratio}, below 1000000.0"
    )
    assert report["sla"]["words.rtf"]["met"]
    compared = report["short_minus_30_s"]
    assert compared["clips"] == 4
    rates = compared["short"]["rate"] - compared["padded"]["rate"]
    assert compared["wer"]["difference"] == pytest.approx(rates, abs=2e-4)
    for text in ("sound to text", "decoder, one token of 8 clips", "int8"):
        assert text in printed.getvalue()
    assert {"processor", "load_at_start"} < {*report["machine"]}


@pytest.mark.parametrize(
    "path",
    ["data/models/whisper/toy/model.safetensors", "data/models/whisper_onnx/toy/decoder.onnx",
     "data/splits/test.jsonl"],
)  # fmt: skip
def test_a_missing_input_is_named(path, project):
    Path(path).unlink()
    with pytest.raises(ValueError, match=f"{path}: no such file; run `make repro`"):
        words.bench_words(busy=True)


def test_clips_that_are_too_short_for_a_sound_are_refused(project):
    Path("params.yaml").write_text(yaml.safe_dump({"bench_words": SECTION | {"piece_s": 9.0}}))
    with pytest.raises(ValueError, match="4 clips give no sound of 9 s or are all above 8 s"):
        words.bench_words(busy=True)


@pytest.mark.parametrize("wrong", [{"clips": 0}, {"tokens": 0}, {"rounds": 0}, {"piece_s": 0.5}])
def test_counts_below_one_are_refused(wrong):
    section = SECTION | {"sla": WordsLimits(1.0, 1.0)} | wrong
    with pytest.raises(ValueError, match="clips, piece_s, tokens and rounds must be at least 1"):
        WordsBenchParams(**section)
