"""Log-mel bands are those of transformers, for clips of any length."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from clip_maker import noise
from transformers import WhisperFeatureExtractor

from fonoteka.models.log_mel import LogMel

BANDS = LogMel()


def of_transformers(signal: np.ndarray) -> np.ndarray:
    extractor = WhisperFeatureExtractor()
    return extractor(signal, sampling_rate=16_000).input_features[0]


@pytest.mark.parametrize("level", [1.0, 1e-3])
def test_30_s_give_the_bands_of_transformers(level):
    signal = np.zeros(480_000, dtype=np.float32)
    signal[: 16_000 * 3] = level * noise(3.0)
    ours = BANDS(torch.from_numpy(signal)[None])[0].numpy()
    assert np.abs(ours - of_transformers(signal)).max() < 1e-4


@pytest.mark.parametrize("samples", [320, 1600, 16_000])
def test_a_short_clip_has_100_frames_per_second(samples):
    bands = BANDS(torch.from_numpy(noise(1.0)[:samples])[None])
    assert bands.shape == (1, 80, samples // 160)
    assert torch.isfinite(bands).all()


def test_a_short_clip_differs_from_a_padded_one_at_its_end_only():
    signal = noise(1.0)
    short = BANDS(torch.from_numpy(signal)[None])[0].numpy()
    assert np.abs(short[:, :98] - of_transformers(signal)[:, :98]).max() < 1e-4


def test_the_floor_of_a_clip_does_not_depend_on_its_batch():
    loud, quiet = torch.from_numpy(noise(1.0)), torch.from_numpy(1e-3 * noise(1.0, 1))
    together = BANDS(torch.stack([loud, quiet]))
    assert torch.allclose(together[1], BANDS(quiet[None])[0], atol=1e-6)


def test_digital_silence_is_finite():
    assert torch.isfinite(BANDS(torch.zeros(1, 1600))).all()
