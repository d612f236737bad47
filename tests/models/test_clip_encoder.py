"""Each encoder gives one frame per 20 ms, and an exported one computes what `embed` computes."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from clip_maker import noise
from model_maker import save_encoder
from whisper_maker import tiny_whisper

from fonoteka.core.errors import UserError
from fonoteka.core.files import write_json
from fonoteka.models.clip_encoder import load_clip_encoder
from fonoteka.models.provenance import write_provenance
from fonoteka.models.whisper_encoder import ShortEncoder
from fonoteka.onnx_export.export import MODEL_AXES, EndToEndModel, export
from stages.features import whisper_encoder
from stages.features.whisper_encoder import WhisperEncoderParams

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def whisper_folder(tmp_path_factory):
    source = tmp_path_factory.mktemp("whisper") / "base"
    tiny_whisper(source)
    write_provenance(source, "folder")
    whisper_encoder.run(source, source.with_name("encoder"), WhisperEncoderParams(0))
    return source.with_name("encoder")


@pytest.fixture(scope="module")
def exported(whisper_folder):
    path = whisper_folder.with_name("encoder.onnx")
    whole = EndToEndModel(load_clip_encoder(whisper_folder).module, torch.nn.Identity())
    metadata = {"labels": ["a"], "name": "whisper", "sample_rate_hz": 16_000, "max_s": 30}
    export(whole.eval(), torch.zeros(2, 16_000), MODEL_AXES, metadata, path, opset=17)
    return onnxruntime.InferenceSession(path)


@pytest.mark.parametrize("kind", ["wav2vec2", "wavlm"])
def test_an_encoder_of_waveforms_takes_any_length(kind, tmp_path):
    encoder = load_clip_encoder(save_encoder(tmp_path / kind, kind))
    assert encoder.max_samples is None
    assert len(encoder.embed(noise(0.31))) == 16


@pytest.mark.parametrize("samples", [1, 319, 320, 321, 5000, 16_000, 480_000])
def test_whisper_has_one_frame_per_started_20_ms(samples, whisper_folder, exported):
    encoder = load_clip_encoder(whisper_folder)
    signal = noise(30.0)[:samples]
    frames = encoder.embed(signal)
    assert frames.shape == (-(-samples // 320), 32)
    (in_onnx,) = exported.run(None, {"samples": signal[None]})
    assert np.abs(in_onnx[0] - frames).max() < 1e-4


def test_clips_of_one_batch_do_not_change_each_other(whisper_folder, exported):
    encoder = load_clip_encoder(whisper_folder)
    clips = [noise(0.7, seed) * level for seed, level in enumerate((1.0, 0.01, 0.2))]
    (together,) = exported.run(None, {"samples": np.stack(clips)})
    for clip, row in zip(clips, together, strict=True):
        assert np.abs(encoder.embed(clip) - row).max() < 1e-4


def test_a_clip_of_more_than_30_s_is_refused_and_not_cut(whisper_folder, exported):
    encoder = load_clip_encoder(whisper_folder)
    signal = np.zeros(480_001, dtype=np.float32)
    with pytest.raises(UserError, match=r"30\.0 s of sound; Whisper's encoder takes 30 s"):
        encoder.embed(signal)
    with pytest.raises(Exception, match="Reshape"):
        exported.run(None, {"samples": signal[None]})


def test_a_click_changes_the_frame_around_it_most(whisper_folder):
    encoder, signal = load_clip_encoder(whisper_folder), noise(1.0)
    before, lags = encoder.embed(signal), []
    for frame in range(5, 45, 3):
        clicked = signal.copy()
        clicked[320 * frame + 160] += 1.0
        moved = np.linalg.norm(encoder.embed(clicked) - before, axis=1)
        lags.append(int(moved.argmax()) - frame)
    assert np.abs(np.median(lags)) <= 1


def test_the_encoder_is_that_of_the_model_with_its_provenance(whisper_folder):
    assert {path.name for path in whisper_folder.iterdir()} == {
        "config.json", "model.safetensors", "preprocessor_config.json", "provenance.json",
    }  # fmt: skip


def test_the_first_layers_compute_what_they_compute_in_the_whole_encoder(whisper_folder, tmp_path):
    source = whisper_folder.with_name("base")
    whisper_encoder.run(source, tmp_path / "first", WhisperEncoderParams(1))
    first, signal = load_clip_encoder(tmp_path / "first"), noise(0.5)
    whole = load_clip_encoder(whisper_folder).module.encoder
    states = []
    hook = whole.layers[1].register_forward_pre_hook(lambda _, inputs: states.append(inputs[0]))
    with torch.inference_mode():
        ShortEncoder(whole).eval()(torch.from_numpy(signal)[None])
        expected = whole.layer_norm(states[0])[0, :25]
    hook.remove()
    assert len(first.module.encoder.layers) == 1
    assert first.embed(signal) == pytest.approx(expected.numpy(), abs=1e-6)


@pytest.mark.parametrize("layers", [-1, 3])
def test_more_layers_than_the_encoder_has_are_refused(whisper_folder, tmp_path, layers):
    with pytest.raises(UserError, match=f"layers is {layers}, and the encoder of .* has 2"):
        whisper_encoder.run(
            whisper_folder.with_name("base"), tmp_path / "out", WhisperEncoderParams(layers)
        )
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_complete_model_is_refused(tmp_path):
    with pytest.raises(UserError, match="missing; run dvc repro whisper_base"):
        whisper_encoder.run(tmp_path, tmp_path / "out", WhisperEncoderParams(0))


def test_an_unknown_kind_is_refused(tmp_path):
    write_json(tmp_path / "config.json", {"model_type": "bert"})
    with pytest.raises(UserError, match="model_type is 'bert'"):
        load_clip_encoder(tmp_path)
