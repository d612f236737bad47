"""Exported files agree with torch on clips of every length, or are not written."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace

import numpy as np
import onnx_maker
import pytest
import torch
import yaml
from clip_maker import noise
from model_maker import SIZE, encoder
from onnx_maker import CLIPS, PARAMS, SHAPES, export_project, project

from fonoteka import manifest
from fonoteka.core.files import read_json
from fonoteka.models.clip_encoder import EncoderModule
from fonoteka.models.encoders import embed, feature_extractor, frame_count, load_encoder
from fonoteka.models.heads import load_head, posteriors
from fonoteka.onnx_export.export import HEAD_AXES, EndToEndModel, check_parity
from fonoteka.onnx_export.session import labels_of, open_model, session_posteriors
from fonoteka.phones import LABELS
from stages.export import export_pair
from stages.export import onnx as stage
from stages.export.export_pair import ExportSpec, check_int8
from stages.export.onnx import run

pytestmark = pytest.mark.torch
FILES = ["head.int8.onnx", "head.onnx", "model.int8.onnx", "model.onnx"]


@pytest.fixture(scope="module", params=sorted(SHAPES))
def shipped(request, tmp_path_factory):
    """A folder with the exported model, and its head and encoder in torch."""
    folder = onnx_maker.shipped(tmp_path_factory, request.param)
    kind = "wavlm" if request.param.startswith("wavlm") else "wav2vec2"
    head, _ = load_head(folder / "model")
    return folder, head, load_encoder(folder / "encoder", kind)


@pytest.mark.parametrize("samples", [1, 319, 320, 321, 1180, 4000, 16_000, 31_111])
def test_the_end_to_end_model_agrees_with_torch_on_any_length(samples, shipped):
    folder, head, encoder_in_torch = shipped
    signal = noise(2.0, 9)[:samples]
    ours = session_posteriors(open_model(folder / "out" / "model.onnx"), signal[None])[0]
    theirs = posteriors(head, embed(encoder_in_torch, signal, normalised=True))
    assert ours.shape == theirs.shape == (frame_count(samples), len(LABELS))
    # float32 sums in another order; a clip of one sample has only its rounding left to normalise
    assert np.abs(ours - theirs).max() < 1e-4


@pytest.mark.parametrize("frames", [1, 2, 59, 60, 61, 300])
def test_the_head_agrees_with_torch_on_any_length(frames, shipped):
    folder, head, _ = shipped
    embeddings = np.random.default_rng(0).standard_normal((frames, SIZE.hidden)).astype(np.float32)
    ours = session_posteriors(open_model(folder / "out" / "head.onnx"), embeddings[None])[0]
    assert np.abs(ours - posteriors(head, embeddings)).max() < 1e-5  # float32


def test_a_head_reads_batches(shipped):
    folder, head, _ = shipped
    batch = np.random.default_rng(0).standard_normal((3, 20, SIZE.hidden)).astype(np.float32)
    result = open_model(folder / "out" / "head.onnx").run(None, {"embeddings": batch})[0]
    with torch.inference_mode():
        assert np.abs(result - head(torch.from_numpy(batch)).numpy()).max() < 1e-5  # float32


def test_the_end_to_end_model_reads_batches_of_one_length(shipped):
    folder, head, encoder_in_torch = shipped
    clips = np.stack([noise(0.7, seed) for seed in range(3)])
    result = session_posteriors(open_model(folder / "out" / "model.onnx"), clips)
    for clip, ours in zip(clips, result, strict=True):
        theirs = posteriors(head, embed(encoder_in_torch, clip, normalised=True))
        assert np.abs(ours - theirs).max() < 1e-4  # float32 sums in another order


@pytest.mark.parametrize("file", FILES)
def test_a_file_carries_its_labels_and_its_rate(file, shipped):
    path = shipped[0] / "out" / file
    session = open_model(path)
    assert labels_of(session, path) == list(LABELS)
    assert session.get_modelmeta().custom_metadata_map["sample_rate_hz"] == "16000"


def test_the_report_counts_bytes_and_parameters(shipped):
    folder, head, encoder_in_torch = shipped
    report = read_json(folder / "report.json")
    for name in ("head", "model"):
        assert report["bytes"][name] == (folder / "out" / f"{name}.onnx").stat().st_size
        assert report["max_error_below"][name] <= 1e-4
        small = (folder / "out" / f"{name}.int8.onnx").stat().st_size
        assert report["bytes"][f"{name}_int8"] == small
        ratio = small / report["bytes"][name]
        assert report["int8"][name]["size_ratio"] == pytest.approx(ratio, abs=5e-4)  # 3 decimals
        assert {"valid_per_fp32", "valid_per_int8"} < set(report["int8"][name])
    assert (report["clips"], report["batch_sizes"]) == (4, [1, 3])
    assert report["parameters"] == {
        "head": sum(p.numel() for p in head.parameters()),
        "encoder": sum(p.numel() for p in encoder_in_torch.parameters()),
    }


def test_the_bytes_do_not_depend_on_the_folder(tmp_path, monkeypatch):
    files = []
    for name in ("first_place", "second_place"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        out = export_project(tmp_path / name, "wavlm_ctc")
        files.append({p.name: p.read_bytes() for p in out.iterdir()})
    assert files[0] == files[1]
    assert sorted(files[0]) == FILES
    for data in files[0].values():
        assert not any(word in data for word in (b"first_place", b"site-packages", b".py"))


@pytest.mark.parametrize("wrong", ["head", "model"])
def test_nothing_is_written_unless_both_files_are_proven(wrong, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    for name in FILES:
        (tmp_path / "out" / name).write_bytes(b"earlier")

    def prove_or_refuse(path, *rest):
        if path.stem == wrong:
            raise ValueError(f"{path}: planted")
        return check_parity(path, *rest)

    monkeypatch.setattr(export_pair, "check_parity", prove_or_refuse)
    with pytest.raises(ValueError, match=rf"out/{wrong}\.onnx: planted"):
        export_project(tmp_path, "mlp")
    files = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    assert files == dict.fromkeys(FILES, b"earlier")
    assert not (tmp_path / "report.json").exists()


def test_an_encoder_that_does_not_normalise_is_exported_so(tmp_path):
    whole = EndToEndModel(EncoderModule(encoder(), False), torch.nn.Identity())
    extractor = feature_extractor()
    assert extractor.do_normalize
    signal = noise(0.3)
    with torch.inference_mode():
        result = whole(torch.from_numpy(signal)[None])[0].numpy()
    assert np.array_equal(result, embed(encoder(), signal, normalised=False))


def test_an_int8_file_with_a_higher_error_rate_is_refused(shipped, tmp_path):
    folder, head, _ = shipped
    utterances = manifest.read(folder / "valid.jsonl")
    inputs = {u.id: embed(encoder(), CLIPS[u.id], True) for u in utterances}
    file = folder / "out" / "head.onnx"
    expected = {u.id: posteriors(head, inputs[u.id]) for u in utterances}
    spec = ExportSpec(head, HEAD_AXES, torch.zeros(1), inputs, True, expected)
    same = check_int8(file, file, utterances, spec, max_loss=0.0)
    assert same["valid_per_fp32"] == same["valid_per_int8"]
    with pytest.raises(ValueError, match=r"h\.onnx: PER \d.*, in fp32 \d.*; at most -0\.1 worse"):
        check_int8(file, tmp_path / "h.onnx", utterances, spec, max_loss=-0.1)


@pytest.mark.parametrize("part", ["valid", "test"])
def test_without_clips_there_is_no_proof(part, tmp_path):
    places = project(tmp_path, "mlp")
    (tmp_path / f"{part}.jsonl").write_text("")
    with pytest.raises(ValueError, match=rf"{part}\.jsonl: no utterance to check the export with"):
        run(*places, tmp_path / "out", tmp_path / "report.json", PARAMS)


def test_the_command_reads_params_and_paths(tmp_path, monkeypatch):
    places = project(tmp_path, "mlp")
    params = {
        "onnx": asdict(replace(PARAMS, check_clips=1)),
        "compute": {"threads": 1, "device": "cpu"},
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["onnx", *map(str, places), "out", "report.json"])
    stage.main()
    assert read_json(tmp_path / "report.json")["clips"] == 1
