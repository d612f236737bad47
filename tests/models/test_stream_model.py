"""A streaming recogniser is read back bit by bit, and a damaged folder is refused."""

from __future__ import annotations

import shutil

import pytest
import torch
from clip_maker import noise
from stream_model_maker import HEAD, SHAPE, stream_model

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, write_json
from fonoteka.models.stream.stream_model import load_stream_model, save_stream_model

pytestmark = pytest.mark.torch


@pytest.fixture
def folder(tmp_path, tmp_path_factory):
    shutil.copytree(stream_model(tmp_path_factory) / "model", tmp_path / "model")
    return tmp_path / "model"


def test_a_saved_model_computes_the_same_bits(folder, tmp_path, tmp_path_factory):
    step, metadata = load_stream_model(folder)
    config = read_json(folder / "config.json")
    (tmp_path / "again").mkdir()
    whisper = type("Config", (), config)
    save_stream_model(tmp_path / "again", step, HEAD, whisper, {"labels": metadata["labels"]})
    again, _ = load_stream_model(tmp_path / "again")
    samples = torch.from_numpy(noise(0.5))[None]
    with torch.inference_mode():
        assert torch.equal(step.head(step.encoder(samples)), again.head(again.encoder(samples)))
    assert again.encoder.shape == SHAPE


@pytest.mark.parametrize(
    "name", ["config.json", "model.json", "encoder.safetensors", "model.safetensors"]
)
def test_a_missing_file_is_named(name, folder):
    (folder / name).unlink()
    with pytest.raises(UserError, match=f"{name}: no such file"):
        load_stream_model(folder)


def test_changed_weights_are_refused(folder):
    weights = bytearray((folder / "encoder.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "encoder.safetensors").write_bytes(weights)
    with pytest.raises(UserError, match=r"encoder\.safetensors: its SHA-256 is .*names"):
        load_stream_model(folder)


def test_a_model_of_another_kind_is_refused(folder):
    write_json(folder / "model.json", read_json(folder / "model.json") | {"kind": "tdnn"})
    with pytest.raises(UserError, match="kind 'tdnn'; expected 'stream'"):
        load_stream_model(folder)


def test_an_encoder_without_a_shape_is_refused(folder):
    config = read_json(folder / "config.json")
    write_json(folder / "config.json", {k: v for k, v in config.items() if k != "stream"})
    with pytest.raises(UserError, match=r"config\.json: stream: missing"):
        load_stream_model(folder)
