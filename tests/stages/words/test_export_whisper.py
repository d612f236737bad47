"""The files of a Whisper are written together, and an int8 file only if it decodes well enough."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import whisper_onnx_maker
import yaml
from whisper_onnx_maker import CLIPS, PARAMS, project

from fonoteka.core.files import read_json
from fonoteka.core.params import load
from fonoteka.manifest import read, write
from fonoteka.whisper.decode import recognise
from fonoteka.whisper.onnx_session import PARTS, open_whisper
from stages.words.export_whisper import stage
from stages.words.export_whisper.stage import (
    ExportWhisperParams,
    WhisperInt8Params,
    evenly_spaced,
    run,
)

pytestmark = pytest.mark.torch
TWO = {"all": lambda _: False, "inner": lambda name: "fc2" in name}
FP32 = ["decoder.onnx", "encoder.onnx", "tokenizer.json"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return whisper_onnx_maker.exported(tmp_path_factory)


def test_the_report_contains_sizes_errors_and_word_error_rates(folder):
    report = read_json(folder / "report.json")
    paths = sorted((folder / "onnx").iterdir())
    assert report["bytes"] == {path.name: path.stat().st_size for path in paths}
    assert [*report["bytes"]] == sorted([*FP32, "decoder.int8.onnx", "encoder.int8.onnx"])
    assert (report["clips"], report["batch_sizes"]) == (4, [1, 3])
    assert 0 < report["max_error_below"] <= 1e-4
    for part in ("encoder", "decoder"):
        assert report["int8"][part]["shipped"] == "all"
        assert (
            0 < report["int8"][part]["tried"]["all"]["size_ratio"] < 1
        )  # in a toy the waves of the log-mel weigh most
    model = whisper_onnx_maker.torch_model(folder).model
    assert report["parameters"] == sum(p.numel() for p in model.parameters())


def test_int8_files_that_decode_worse_are_left_out_with_the_reason(tmp_path, monkeypatch):
    rates = {"encoder.int8.onnx": 0.31, "decoder.int8.onnx": 0.304}
    monkeypatch.setattr(stage, "recipes", lambda _: TWO)

    def rate(paths, folder, clips, batch):
        return max(rates.get(path.name, 0.3) for path in paths.values())

    monkeypatch.setattr(stage, "_rate", rate)
    params = replace(PARAMS, int8=WhisperInt8Params(check_clips=2, max_wer_loss=0.005, parts=PARTS))
    run(*project(tmp_path), tmp_path / "onnx", tmp_path / "report.json", params)
    report = read_json(tmp_path / "report.json")
    assert sorted(report["bytes"]) == sorted([*FP32, "decoder.int8.onnx"])
    int8 = report["int8"]
    assert (int8["decoder"]["shipped"], int8["encoder"]["shipped"]) == ("all", None)
    assert [*int8["encoder"]["tried"]] == ["all", "inner"]
    assert int8["encoder"]["reason"].startswith("WER 0.3100 (all), 0.3100 (inner), 0.3000 before; ")
    assert int8["decoder"]["reason"] == ""


def test_a_part_with_a_good_second_recipe_is_shipped_with_it(tmp_path, monkeypatch):
    rates = iter([0.3, 0.4, 0.3, 0.3])
    monkeypatch.setattr(stage, "_rate", lambda *_: next(rates))
    # The tiny model has two layers, so it has no inner ones.
    monkeypatch.setattr(stage, "recipes", lambda _: TWO)
    params = replace(PARAMS, int8=WhisperInt8Params(check_clips=2, max_wer_loss=0.005, parts=PARTS))
    run(*project(tmp_path), tmp_path / "onnx", tmp_path / "report.json", params)
    int8 = read_json(tmp_path / "report.json")["int8"]
    assert (int8["decoder"]["shipped"], int8["encoder"]["shipped"]) == ("inner", "all")
    sizes = [int8["decoder"]["tried"][name]["size_ratio"] for name in ("all", "inner")]
    assert sizes[0] < sizes[1]


def test_nothing_is_written_if_the_files_differ_from_torch(tmp_path):
    params = replace(PARAMS, max_error=1e-12)
    with pytest.raises(ValueError, match=r"onnx: c0: max abs error .* against torch; allowed is"):
        run(*project(tmp_path), tmp_path / "onnx", tmp_path / "report.json", params)
    assert not (tmp_path / "onnx").exists()
    assert not (tmp_path / "report.json").exists()


def test_the_files_decode_what_the_model_decodes(folder):
    signals, languages = [*CLIPS.values()], ["sr"] * len(CLIPS)
    texts = [
        [result.text for result in recognise(model, signals, languages)]
        for model in (whisper_onnx_maker.torch_model(folder), open_whisper(folder / "onnx"))
    ]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("part", ["valid", "test"])
def test_an_empty_part_is_refused(part, tmp_path):
    arguments = project(tmp_path)
    write(tmp_path / f"{part}.jsonl", [])
    with pytest.raises(ValueError, match=rf"{part}\.jsonl: no utterance to check the export with"):
        run(*arguments, tmp_path / "onnx", tmp_path / "report.json", PARAMS)


def test_clips_are_drawn_from_the_shortest_to_the_longest(tmp_path):
    rows = read(project(tmp_path)[1])
    lengths = [u.duration_s for u in evenly_spaced(rows, 3)]
    assert lengths == sorted(lengths)
    assert (lengths[0], lengths[-1]) == (0.1, 0.6)
    assert [u.id for u in evenly_spaced(rows, 9)] == ["c0", "c1", "c2", "c3"]
    assert [u.id for u in evenly_spaced(rows, 1)] == ["c0"]


def test_the_section_of_the_parameters_is_loaded(tmp_path):
    section = {
        "opset": 17, "max_error": 0.001, "check_clips": 24, "batch_sizes": [1, 8],
        "int8": {"check_clips": 48, "max_wer_loss": 0.005, "parts": ["encoder"]},
    }  # fmt: skip
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"export_whisper": section}))
    params = load("export_whisper", ExportWhisperParams, tmp_path / "params.yaml")
    assert (params.batch_sizes, params.int8.max_wer_loss) == ((1, 8), 0.005)


def test_all_recipes_shrink_the_files_that_they_decode(folder):
    exported = open_whisper(folder / "onnx", int8=True)
    results = recognise(exported, [CLIPS["c1"]], ["sr"], batch=1)
    assert np.isfinite(results[0].log_prob)


def test_only_the_named_parts_are_quantised(folder, tmp_path):
    only = replace(PARAMS, int8=replace(PARAMS.int8, parts=("encoder",)))
    inputs = folder / "tiny", folder / "valid.jsonl", folder / "test.jsonl", folder / "audio"
    run(*inputs, tmp_path / "onnx", tmp_path / "report.json", only)
    names = sorted(path.name for path in (tmp_path / "onnx").glob("*.onnx"))
    assert names == ["decoder.onnx", "encoder.int8.onnx", "encoder.onnx"]
    assert "decoder" not in read_json(tmp_path / "report.json")["int8"]


def test_an_unknown_part_is_refused():
    with pytest.raises(ValueError, match="has 'head'; expected encoder or decoder"):
        replace(PARAMS.int8, parts=("encoder", "head"))
