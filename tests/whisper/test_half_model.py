"""Half a model is one sentence that names its folder, whichever half is missing."""

from __future__ import annotations

import json
import shutil

import pytest
from safetensors.numpy import load_file, save_file
from whisper_maker import tiny_whisper

from fonoteka.core.errors import UserError
from fonoteka.whisper.model_folder import open_model_folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return tiny_whisper(tmp_path_factory.mktemp("whole") / "model")


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "model")


def refused(folder, message):
    with pytest.raises(UserError, match=message) as error:
        open_model_folder(folder)
    assert str(error.value).startswith(str(folder))


@pytest.mark.parametrize(
    "name", ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json"]
)
def test_a_file_that_is_missing_is_named(name, folder):
    (folder / name).unlink()
    refused(folder, rf"{name}: missing; expected the folder of a Whisper model")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_half_of_a_file_is_refused(name, share, folder):
    path = folder / name
    path.write_bytes(path.read_bytes()[: round(share * path.stat().st_size)])
    refused(folder, "no Whisper model to load: ")


def test_half_of_the_weights_are_not_filled_with_random_numbers(folder):
    path = folder / "model.safetensors"
    weights = load_file(path)
    save_file({name: weights[name] for name in sorted(weights)[::2]}, path, {"format": "pt"})
    refused(folder, r"a model without 'model\.\S+'; expected a complete one")


def test_weights_of_another_size_are_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"d_model": 64}))
    refused(folder, "no Whisper model to load: ")
