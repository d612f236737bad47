"""The ensemble's one file agrees with the mean of its members, and is refused if it does not."""

from __future__ import annotations

import shutil
import sys
from dataclasses import asdict

import numpy as np
import pytest
import torch
import yaml
from clip_maker import noise, save_clips
from model_maker import SIZE, encoder, save_encoder

from fonoteka import manifest
from fonoteka.core.files import read_json, write_json
from fonoteka.models.encoders import embed
from fonoteka.models.heads import MlpShape, TdnnShape, new_head, posteriors, save_head
from fonoteka.onnx_export.quantize import Int8Params
from fonoteka.onnx_export.session import labels_of, open_model, session_posteriors
from fonoteka.phones import LABELS
from fonoteka.shards import write_arrays
from stages.evaluation.ensemble.rover import average
from stages.export import onnx_ensemble as stage
from stages.export.export_pair import OnnxParams
from stages.export.onnx_ensemble import build_ensemble, run

pytestmark = pytest.mark.torch
# In toys the new nodes weigh most.
INT8 = Int8Params(check_clips=64, max_size_ratio=2.0, max_per_loss=1.0)
PARAMS = OnnxParams(17, max_error=1e-4, check_clips=3, batch_sizes=(1, 2), int8=INT8)
WIDTHS = {"inputs": SIZE.hidden, "outputs": len(LABELS), "hidden": 8, "dropout": 0.0}
SHAPES = {"mlp": MlpShape(window=3, **WIDTHS), "wav2vec2_ctc": TdnnShape(dilations=(1,), **WIDTHS),
          "wavlm_ctc": TdnnShape(dilations=(1, 2), **WIDTHS)}  # fmt: skip
KEYS = ("models", "encoder_folders")
ENCODERS = {"mlp": "wav2vec2", "wav2vec2_ctc": "wav2vec2", "wavlm_ctc": "wavlm"}
WEIGHTS = {"mlp": 0.2, "wav2vec2_ctc": 0.3, "wavlm_ctc": 0.5}
CLIPS = {f"c{n}": noise(seconds, n) for n, seconds in enumerate((0.05, 0.4, 1.1))}


def head_of(name):
    torch.manual_seed(len(name))
    return new_head(SHAPES[name]).eval()


def member_mean(signal):
    """Return the mean of the members' posteriors for a clip, each computed in torch."""
    log_probs = [
        posteriors(head_of(name), embed(encoder(kind), signal, True))
        for name, kind in ENCODERS.items()
    ]
    return average(log_probs, list(WEIGHTS.values()))


def save_project(folder):
    """Write what the stage reads."""
    members = []
    for name, kind in ENCODERS.items():
        save_head(folder / "models" / name, head_of(name), SHAPES[name], {"encoder": kind})
        digest = read_json(folder / "models" / name / "model.json")["weights_sha256"]
        members.append({"name": name, "weight": WEIGHTS[name], "encoder": kind,
                        "weights_sha256": digest})  # fmt: skip
    for kind in ("wav2vec2", "wavlm"):
        save_encoder(folder / "encoders" / kind, kind)
    description = {"name": "ensemble", "labels": list(LABELS), "sample_rate_hz": 16_000}
    write_json(folder / "ensemble" / "model.json", description | {"members": members})
    manifest.write(folder / "valid.jsonl", save_clips(folder / "audio", CLIPS))
    shutil.copy(folder / "valid.jsonl", folder / "test.jsonl")
    (folder / "posteriors").mkdir()
    write_arrays(folder / "posteriors", {k: member_mean(x) for k, x in CLIPS.items()}, 2)


def places_in(folder):
    """The arguments of the stage but for the params."""
    return {
        "ensemble": folder / "ensemble", "models": [folder / "models" / name for name in SHAPES],
        "encoder_folders": [folder / "encoders" / name for name in ("wav2vec2", "wavlm")],
        "posteriors": folder / "posteriors", "valid": folder / "valid.jsonl",
        "test": folder / "test.jsonl", "audio": folder / "audio", "report": folder / "r.json",
    }  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with what the stage reads."""
    folder = tmp_path_factory.mktemp("project")
    save_project(folder)
    return folder


@pytest.fixture
def places(project, tmp_path):
    """The arguments for a copy of it, to be worked in."""
    shutil.copytree(project, tmp_path, dirs_exist_ok=True)
    return places_in(tmp_path)


@pytest.fixture(scope="module")
def shipped(project, tmp_path_factory):
    """The arguments of a run that has succeeded."""
    folder = tmp_path_factory.mktemp("ensemble")
    shutil.copytree(project, folder, dirs_exist_ok=True)
    places = places_in(folder)
    run(**places, params=PARAMS)
    return places


@pytest.mark.parametrize("samples", [1, 321, 5_000, 20_000])
def test_one_file_contains_the_mean_of_the_members(samples, shipped):
    signal = noise(2.0, 9)[:samples]
    path = shipped["ensemble"] / "model.onnx"
    result = session_posteriors(open_model(path), signal[None])[0]
    assert (
        np.abs(result - member_mean(signal)).max() < 2e-4
    )  # normalised in float32, not in float64
    assert labels_of(open_model(path), path) == list(LABELS)


def test_an_encoder_that_two_members_share_is_in_the_file_once(shipped):
    description = read_json(shipped["report"])
    assert description["parameters"]["encoder"] == sum(
        p.numel() for name in ("wav2vec2", "wavlm") for p in encoder(name).parameters()
    )
    assert set(description["bytes"]) == {"model", "model_int8"}
    assert description["max_error_below"]["model"] <= 1e-4


def test_a_member_that_was_trained_again_is_refused(places, tmp_path):
    torch.manual_seed(99)
    other = new_head(SHAPES["mlp"])
    save_head(tmp_path / "models" / "mlp", other, SHAPES["mlp"], {"encoder": "wav2vec2"})
    with pytest.raises(
        ValueError, match=r"mlp: not the model that the ensemble's weights were chosen"
    ):
        run(**places, params=PARAMS)
    assert not (tmp_path / "ensemble" / "model.onnx").exists()


def test_posteriors_of_another_ensemble_are_refused(places, tmp_path):
    description = read_json(tmp_path / "ensemble" / "model.json")
    description["members"][0]["weight"], description["members"][2]["weight"] = 0.5, 0.2
    write_json(tmp_path / "ensemble" / "model.json", description)
    with pytest.raises(ValueError, match=r"posteriors: c\d: max abs error .* allowed is 0\.0002"):
        run(**places, params=PARAMS)
    assert not (tmp_path / "r.json").exists()


@pytest.mark.parametrize("lost", ["models", "encoder_folders"])
def test_a_member_or_an_encoder_that_is_not_given_is_named(lost, places, tmp_path):
    members = read_json(tmp_path / "ensemble" / "model.json")["members"]
    signals = {key: places[key][:-1] if key == lost else places[key] for key in KEYS}
    missing = "wavlm_ctc" if lost == "models" else "wavlm"
    with pytest.raises(ValueError, match=rf"the ensemble needs \['{missing}'\], but"):
        build_ensemble(members, **signals)


def test_the_command_reads_params_and_paths(places, tmp_path, monkeypatch):
    values = asdict(PARAMS) | {"batch_sizes": [1]}
    params = {"onnx": values, "compute": {"threads": 1, "device": "cpu"}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(tmp_path)
    words = ["--models", *places["models"], "--encoders", *places["encoder_folders"], "--"]
    words += [places[k] for k in ("ensemble", "posteriors", "valid", "test", "audio", "report")]
    monkeypatch.setattr(sys, "argv", ["onnx_ensemble", *map(str, words)])
    stage.main()
    assert read_json(tmp_path / "r.json")["batch_sizes"] == [1]
