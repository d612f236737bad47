"""The shipped files run once on each clip, and their outputs are stored unchanged."""

from __future__ import annotations

import shutil
import sys

import numpy as np
import onnx
import pandas as pd
import pytest
import torch
import yaml
from clip_maker import noise, save_clips
from execution_maker import EXECUTION
from onnx import TensorProto, helper

from fonoteka import manifest
from fonoteka.core.files import write_json
from fonoteka.models.heads import MlpShape, TdnnShape, new_head, posteriors
from fonoteka.onnx_export.export import HEAD_AXES, export
from fonoteka.phones import LABELS
from fonoteka.shards import open_arrays, write_arrays
from stages.evaluation import posteriors as stage
from stages.evaluation.posteriors import PosteriorsParams, run

pytestmark = pytest.mark.torch
PARAMS = PosteriorsParams(shards=2)
SHAPES = {
    "tdnn": TdnnShape(6, len(LABELS), 8, (1,), 0.0),
    "mlp": MlpShape(6, len(LABELS), 8, 3, 0.0),
}
FACTS = {"labels": list(LABELS), "name": "toy", "sample_rate_hz": 16_000}
SEGMENTS = [
    ("v0", "valid", "phone", "a", 0.0, 0.1),
    ("t0", "test", "phone", "b", 0.2, 0.3),
    ("t0", "test", "silence", "", 0.0, 0.1),
    ("t0", "test", "phone", "a", 0.0, 0.06),
]


def head_of(kind):
    torch.manual_seed(1)
    return new_head(SHAPES[kind]).eval()


def save_project(folder, kind="tdnn", labels=LABELS):
    """Write a model and all that the stage reads; return its first six arguments."""
    (folder / "model").mkdir(parents=True)
    write_json(folder / "model" / "model.json", {"labels": list(labels), "kind": kind})
    export(head_of(kind), torch.zeros(2, 9, 6), HEAD_AXES, FACTS, folder / "model/head.onnx", 17)
    rng = np.random.default_rng(1)
    clips = {key: rng.standard_normal((25, 6)).astype(np.float32) for key in ("v0", "t0", "t1")}
    (folder / "e").mkdir()
    write_arrays(folder / "e", clips, 2)
    utterances = save_clips(folder / "audio", {key: noise(0.5, n) for n, key in enumerate(clips)})
    manifest.write(folder / "valid.jsonl", utterances[:1])
    manifest.write(folder / "test.jsonl", utterances[1:])
    columns = ["utterance", "part", "kind", "symbol", "start_s", "end_s"]
    pd.DataFrame(SEGMENTS, columns=columns).to_parquet(folder / "s.parquet", index=False)
    names = ("model", "e", "valid.jsonl", "test.jsonl", "s.parquet", "out")
    return [folder / name for name in names]


def run_stage(places):
    """Return the arrays that the stage wrote, and the embeddings."""
    run(*places, None, PARAMS)
    return open_arrays(places[-1]), open_arrays(places[1])


@pytest.mark.parametrize("kind", sorted(SHAPES))
def test_each_clip_has_the_posteriors_of_the_head(kind, tmp_path):
    written, frames = run_stage(save_project(tmp_path, kind))
    assert set(written) == {f"{key}{more}" for key in frames for more in ("", "#segments")}
    for key, clip in frames.items():
        assert np.abs(written[key] - posteriors(head_of(kind), clip)).max() < 1e-5  # float32


def test_a_segment_has_the_peak_of_each_phone_in_the_order_of_the_table(tmp_path):
    written, _ = run_stage(save_project(tmp_path))
    peaks = np.stack([written["t0"][10:15, 1:].max(axis=0), written["t0"][0:3, 1:].max(axis=0)])
    expected = np.exp(peaks) / np.exp(peaks).sum(axis=1, keepdims=True)
    assert np.exp(written["t0#segments"]) == pytest.approx(expected, abs=1e-6)
    assert written["t1#segments"].shape == (0, len(LABELS) - 1)


def test_the_input_of_a_segment_model_is_the_mean_of_its_frames(tmp_path):
    written, frames = run_stage(save_project(tmp_path, "mlp"))
    mean = frames["t0"][10:15].mean(axis=0, keepdims=True)
    alone = np.exp(posteriors(head_of("mlp"), mean)[0, 1:])
    assert np.exp(written["t0#segments"][0]) == pytest.approx(alone / alone.sum(), abs=1e-5)


def test_int8_reads_the_audio_of_the_test_part_alone(tmp_path):
    places = save_project(tmp_path)
    # the loudness of the clip, as every label's score
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    nodes = [
        helper.make_node("ReduceSumSquare", ["x"], ["sum"], keepdims=1),
        helper.make_node("Unsqueeze", ["sum", "two"], ["cube"]),
        helper.make_node("Expand", ["cube", "shape"], ["y"]),
    ]
    held = [
        helper.make_tensor("two", TensorProto.INT64, [1], [2]),
        helper.make_tensor("shape", TensorProto.INT64, [3], [1, 4, len(LABELS)]),
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"labels": "\n".join(LABELS)})
    onnx.save(model, tmp_path / "model" / "model.int8.onnx")
    run(*places, tmp_path / "audio", PARAMS)
    written = open_arrays(places[-1])
    assert {key for key in written if key.endswith("#int8")} == {"t0#int8", "t1#int8"}
    loud = float(np.square(noise(0.5, 1), dtype=np.float64).sum())
    assert written["t0#int8"] == pytest.approx(np.full((4, len(LABELS)), loud), rel=1e-3)  # 16 bits


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[::-1], r"head\.onnx: its labels differ from .*model\.json; export it again"),
        (LABELS[:-1], r"head\.onnx: its labels differ from .*model\.json; export it again"),
    ],
)
def test_a_file_with_other_labels_than_its_description_is_refused(labels, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        run(*save_project(tmp_path, labels=labels), None, PARAMS)
    assert not (tmp_path / "out").exists()


def test_a_file_with_the_labels_of_another_inventory_is_refused(tmp_path, monkeypatch):
    places = save_project(tmp_path)
    monkeypatch.setattr(stage, "LABELS", LABELS[:-1])
    with pytest.raises(ValueError, match=r"its labels differ from the phone inventory"):
        run(*places, None, PARAMS)


def test_posteriors_that_are_not_numbers_are_refused_with_their_clip(tmp_path):
    places = save_project(tmp_path)
    shutil.rmtree(places[1])
    places[1].mkdir()
    clips = {key: np.zeros((25, 6), dtype=np.float32) for key in ("v0", "t0", "t1")}
    clips["t1"][7, 2] = np.nan
    write_arrays(places[1], clips, 2)
    with pytest.raises(ValueError, match=r"t1: posteriors are NaN, first in frame \d"):
        run(*places, None, PARAMS)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("part", ["valid", "test"])
def test_an_empty_part_is_refused(part, tmp_path):
    places = save_project(tmp_path)
    (tmp_path / f"{part}.jsonl").write_text("")
    with pytest.raises(ValueError, match=rf"{part}\.jsonl: no utterance to score"):
        run(*places, None, PARAMS)


def test_the_command_reads_params_and_paths(tmp_path, monkeypatch):
    places = save_project(tmp_path)
    sections = {"posteriors": {"shards": 3}, "execution": EXECUTION}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(sections))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["posteriors", *map(str, places)])
    stage.main()
    assert len(list(places[-1].iterdir())) == 3


def test_a_clip_is_scored_again_only_if_it_or_the_model_changed(tmp_path, monkeypatch):
    places = save_project(tmp_path)
    scored, predict_clip = [], stage.predictions

    def noting(predict, pooled, key, *rest):
        scored.append(key)
        return predict_clip(predict, pooled, key, *rest)

    monkeypatch.setattr(stage, "predictions", noting)
    run(*places, None, PARAMS)
    first = {path.name: path.read_bytes() for path in places[-1].iterdir()}
    assert sorted(scored) == ["t0", "t1", "v0"]
    arrays = {**open_arrays(places[1])}
    write_arrays(places[1], arrays | {"t1": arrays["t1"] + 1}, 2)
    scored.clear()
    run(*places, None, PARAMS)
    assert scored == ["t1"]
    write_arrays(places[1], arrays, 2)
    scored.clear()
    run(*places, None, PARAMS)
    assert scored == []
    assert {path.name: path.read_bytes() for path in places[-1].iterdir()} == first
    export(head_of("mlp"), torch.zeros(2, 9, 6), HEAD_AXES, FACTS, places[0] / "head.onnx", 17)
    run(*places, None, PARAMS)
    assert sorted(scored) == ["t0", "t1", "v0"]
