"""Levels have their mathematical values, and noise is distinguished from speech."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from fonoteka.audiocheck.levels import LevelMeter

RATE = 16000


def measured(signal, channels=1, blocks=1, ceiling=32767):
    meter = LevelMeter(RATE, channels, ceiling)
    for block in np.array_split(np.rint(np.clip(signal, -32768, 32767)).astype(np.int16), blocks):
        meter.add(block)
    return meter


def voice(seconds, rng, pause=0.5):
    """Harmonics of a voice that rises and falls, in bursts of a syllable's length."""
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(130 + 30 * np.sin(2 * np.pi * 0.7 * time)) / RATE
    sound = sum(np.sin(n * phase + rng.uniform(0, 6)) / n for n in range(1, 20))
    syllables = np.repeat(rng.random(len(time) // 3200 + 1) > pause, 3200)[: len(time)]
    syllables[:3200], syllables[3200:6400] = False, True
    return sound * syllables, syllables


def test_a_sine_is_three_decibels_under_its_peak():
    meter = measured(16384 * np.sin(2 * np.pi * 250 * np.arange(RATE) / RATE))
    assert meter.peak == 16384
    assert meter.level_dbfs() == pytest.approx(20 * math.log10(0.5 / math.sqrt(2)), abs=1e-3)
    assert meter.snr_db() is None


@pytest.mark.parametrize("channels", [1, 2])
def test_blocks_of_any_size_give_the_same_numbers(channels):
    signal = 3000 * np.random.default_rng(0).standard_normal(2 * 7777)
    whole, parts = measured(signal, channels), measured(signal, channels, 13)
    assert (whole.peak, whole.level_dbfs()) == (parts.peak, parts.level_dbfs())
    assert whole.snr_db() == parts.snr_db()


def test_silence_has_no_level_and_a_constant_offset_does_not_count_as_noise():
    assert measured(np.zeros(RATE)).level_dbfs() == -math.inf
    sound, _ = voice(4.0, np.random.default_rng(0))
    noise = 30 * np.random.default_rng(1).standard_normal(sound.size)
    truth, off = measured(2000 * sound + noise), measured(2000 * sound + noise + 3000)
    assert truth.snr_db() == pytest.approx(off.snr_db(), abs=0.1)


def test_clipping_counts_samples_at_full_scale():
    signal = np.array([0, 32767, -32768, 32766, -32767, 5, 5, 5])
    assert measured(signal).clipped_fraction() == 3 / 8


@cache
def voice_and_noise(seed):
    """A voice and white noise of its power, both the same at every ratio that is tested."""
    rng = np.random.default_rng(seed)
    sound, speaking = voice(3.0 + seed, rng)
    return sound, rng.standard_normal(sound.size) * np.sqrt(np.mean(sound[speaking] ** 2))


@pytest.mark.parametrize("truth_db", [5, 10, 20, 30, 40, 50])
def test_the_estimate_of_noise_is_within_two_decibels_on_made_speech(truth_db):
    """As its docstring says: half of the time a pause, white noise, 3 s and more."""
    errors = []
    for seed in range(8):
        sound, noise = voice_and_noise(seed)
        mixed = sound + noise / 10 ** (truth_db / 20)
        errors.append(measured(4000 * mixed).snr_db() - truth_db)
    assert max(map(abs, errors)) < 2


def test_a_pause_of_digital_silence_reads_high_and_not_infinite():
    sound, _ = voice(4.0, np.random.default_rng(0))
    assert 70 < measured(8000 * sound).snr_db() < 105
