"""An encoder processes each clip alone and gives one frame per 20 ms, aligned with time."""

from __future__ import annotations

import json

import numpy as np
import pytest
from clip_maker import noise
from model_maker import SIZE, encoder, save_encoder

from fonoteka.models.encoders import (
    MODELS,
    embed,
    feature_extractor,
    filterbank,
    frame_count,
    load_encoder,
    new_encoder,
    pad_for_frames,
    receptive_field,
    zero_mean_unit_variance,
)

pytestmark = pytest.mark.torch
BOTH = pytest.mark.parametrize("name", sorted(MODELS))


def test_the_receptive_field_is_1180_samples():
    # 400, and 15 more of the second kernel 20 apart, and 3 more of the third 160 apart
    assert receptive_field(encoder()) == 400 + 15 * 20 + 3 * 160


@BOTH
@pytest.mark.parametrize("samples", [1, 2, 319, 320, 321, 640, 641, 1179, 1180, 5000, 16_000])
def test_a_clip_has_one_frame_per_started_20_ms(name, samples):
    frames = embed(encoder(name), noise(1.0)[:samples], normalised=True)
    assert frames.shape == (-(-samples // 320), SIZE.hidden)
    assert frames.dtype == np.float32
    assert len(frames) == frame_count(samples)
    assert np.isfinite(frames).all()


@BOTH
def test_a_click_changes_the_frame_around_it_most(name):
    model, signal = encoder(name), noise(1.0)
    before = embed(model, signal, normalised=False)
    lags = []
    for frame in range(5, 45, 3):
        clicked = signal.copy()
        clicked[320 * frame + 160] += 1.0
        moved = np.linalg.norm(embed(model, clicked, normalised=False) - before, axis=1)
        lags.append(int(moved.argmax()) - frame)
    # the random kernels of the convolutions weigh their three frames as they like
    assert np.median(lags) == 0
    assert np.abs(lags).max() <= 1


@BOTH
def test_earlier_clips_change_no_bit(name):
    model = encoder(name)
    alone = embed(model, noise(0.7, 1), normalised=True)
    for seconds in (0.1, 1.3, 0.7):
        embed(model, noise(seconds, 2), normalised=True)
    assert np.array_equal(embed(model, noise(0.7, 1), normalised=True), alone)


def test_padding_depends_on_the_receptive_field_alone():
    for length in (1, 500, 16_000):
        padded = pad_for_frames(np.ones(length, dtype=np.float32), 1180)
        assert (padded[:430].any(), padded[430], len(padded)) == (False, 1, length + 1179)


def test_a_normalised_clip_has_mean_0_and_variance_1():
    normalised = zero_mean_unit_variance(noise(1.0) * 3 + 0.5)
    assert normalised.mean() == pytest.approx(0, abs=1e-6)  # float32 sums
    assert normalised.var() == pytest.approx(1, abs=1e-4)  # the floor is 1e-7 of a variance of 0.09
    assert np.array_equal(zero_mean_unit_variance(np.zeros(9, dtype=np.float32)), np.zeros(9))


def test_our_normalisation_equals_that_of_the_extractor():
    signal = noise(0.5)
    theirs = feature_extractor()(signal, sampling_rate=16_000)["input_values"][0]
    assert np.abs(zero_mean_unit_variance(signal) - theirs).max() < 1e-5  # they sum in float32


def test_the_filterbank_rises_from_60_hz_to_7600_hz_in_pairs_a_quarter_period_apart():
    bank = filterbank(16, 400).numpy()
    assert np.linalg.norm(bank, axis=1) == pytest.approx(np.ones(16), abs=1e-5)
    peaks = np.abs(np.fft.rfft(bank, 16_000, axis=1)).argmax(axis=1)
    # 400 samples tell frequencies 40 Hz apart, and a window moves its peak by less
    assert peaks[0] == pytest.approx(60, abs=40)
    assert peaks[-1] == pytest.approx(7600, abs=40)
    assert (np.diff(peaks[::2]) > 0).all()
    # sine and cosine in one window are orthogonal, except at 60 Hz with its few periods
    assert np.abs((bank[2::2] * bank[3::2]).sum(axis=1)).max() < 0.02


@BOTH
def test_a_saved_encoder_gives_the_same_embeddings(name, tmp_path):
    folder = save_encoder(tmp_path / "e", name)
    before = embed(encoder(name), noise(0.3), normalised=True)
    assert np.array_equal(embed(load_encoder(folder, name), noise(0.3), normalised=True), before)
    assert feature_extractor(folder).do_normalize


def test_an_encoder_of_the_other_class_is_refused(tmp_path):
    folder = save_encoder(tmp_path / "e", "wavlm")
    with pytest.raises(ValueError, match="of type 'wavlm'; expected a complete wav2vec2"):
        load_encoder(folder, "wav2vec2")


def test_an_encoder_without_some_of_its_weights_is_refused(tmp_path):
    folder = save_encoder(tmp_path / "e")
    config = json.loads((folder / "config.json").read_text()) | {"num_hidden_layers": 2}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        ValueError, match=r"without 'encoder\.layers\.1\..*expected a complete wav2"
    ):
        load_encoder(folder, "wav2vec2")


@pytest.mark.parametrize("size", [0, 100, -50])
def test_a_truncated_encoder_is_refused(size, tmp_path):
    weights = save_encoder(tmp_path / "e") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:size])
    with pytest.raises(ValueError, match="no wav2vec2 encoder to load"):
        load_encoder(tmp_path / "e", "wav2vec2")


def test_a_missing_encoder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no wavlm encoder to load"):
        load_encoder(tmp_path, "wavlm")


def test_an_encoder_of_another_frame_rate_is_refused(tmp_path):
    other = new_encoder("wav2vec2", SIZE)
    other.config.conv_stride = (20, 8, 4)
    other.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="one frame per 640 samples; expected 320"):
        load_encoder(tmp_path, "wav2vec2")


def test_the_kind_of_an_encoder_is_read_from_its_folder(tmp_path):
    assert load_encoder(save_encoder(tmp_path / "e", "wavlm")).config.model_type == "wavlm"
    with pytest.raises(ValueError, match=r"config\.json: no such file; expected the folder of an"):
        load_encoder(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match=r"'bert'; expected one of \['wav2vec2', 'wavlm'\]"):
        load_encoder(tmp_path)
