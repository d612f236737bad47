"""A print stays what it is through what happens to recordings, and tells one from another."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import resample_poly

from fonoteka.bench.degradations import degrade
from fonoteka.bench.synthetic_clips import speech_like
from fonoteka.fingerprint.fingerprint import DETAIL_BITS, SIZE, band_energy, fingerprint

RATE = 16000


def shared(first: np.ndarray, second: np.ndarray) -> int:
    """How many codes of two prints are equal in their high bits."""
    return len(np.intersect1d(first >> np.uint64(DETAIL_BITS), second >> np.uint64(DETAIL_BITS)))


@pytest.mark.parametrize(
    "kind",
    ["through 8 kHz", "kept at 8 kHz", "scaled", "padded", "cut", "trimmed", "noise 20 dB below"],
)
def test_a_changed_copy_shares_many_codes(kind):
    clip = speech_like(3, 2.0, RATE)
    copy = degrade(kind, clip.astype(np.float64), RATE, np.random.default_rng(1))
    copied = fingerprint(copy.samples.astype(np.float32), copy.sample_rate_hz)
    assert shared(fingerprint(clip, RATE), copied) >= 6  # of 48; two or three make a proposal


def test_two_clips_share_next_to_nothing():
    prints = [fingerprint(speech_like(seed, 2.0, RATE), RATE) for seed in range(12)]
    counts = [shared(prints[i], prints[j]) for i in range(12) for j in range(i)]
    assert max(counts) <= 3


def test_gain_by_a_power_of_two_changes_no_code():
    # Powers of two scale floating-point numbers without rounding: levels are relative throughout.
    clip = speech_like(3, 1.0, RATE)
    assert np.array_equal(fingerprint(clip / 4, RATE), fingerprint(clip, RATE))


def test_codes_ascend_and_none_has_the_high_bits_of_another():
    codes = fingerprint(speech_like(5, 3.0, RATE), RATE)
    assert len(codes) == SIZE
    assert (np.diff((codes >> np.uint64(DETAIL_BITS)).astype(np.int64)) > 0).all()


def test_the_fingerprint_of_channels_is_that_of_their_mean():
    clip = speech_like(5, 1.0, RATE)
    both = np.stack([clip, clip], axis=1)
    assert np.array_equal(fingerprint(both, RATE), fingerprint(clip, RATE))


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(10), np.zeros(RATE)])
def test_silence_has_no_print(samples):
    assert fingerprint(samples.astype(np.float32), RATE).size == 0
    assert fingerprint(np.zeros(len(samples), dtype=np.int16), RATE).size == 0


def test_a_clip_shorter_than_a_patch_has_a_fingerprint():
    assert fingerprint(speech_like(5, 0.1, RATE), RATE).size > 0


def test_a_rate_without_the_bands_is_refused():
    with pytest.raises(ValueError, match="needs a sample rate of 4600 Hz or more, found 4000"):
        fingerprint(np.ones(4000, dtype=np.float32), 4000)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
def test_a_tone_has_its_energy_in_one_place_whatever_the_rate(rate):
    tone = np.sin(2 * np.pi * 1050 * np.arange(rate) / rate).astype(np.float32)
    energy = band_energy(tone, rate).sum(axis=0)
    assert energy.argmax() == 9  # the triangle around 1050 Hz of 16 from 200 to 2100 Hz in mel
    assert energy[[0, 1, 2, 3, 4, 5, 13, 14, 15]].max() < 1e-3 * energy.max()


def test_frequencies_above_the_bands_are_not_folded_into_them():
    rate = 44100  # is analysed at 4900 Hz, where 6000 Hz would fold to 1100 Hz
    time = np.arange(rate) / rate
    low, high = (np.sin(2 * np.pi * hz * time).astype(np.float32) for hz in (1100, 6000))
    inside = slice(5, -5)  # to switch a tone on makes a click, which has all frequencies
    assert band_energy(high, rate)[inside].max() < 1e-4 * band_energy(low, rate)[inside].max()


def test_there_are_fifty_frames_per_second_at_any_rate():
    for rate in (8000, 11025, 16000, 22050, 48000):
        clip = resample_poly(speech_like(1, 2.0, RATE), rate, RATE).astype(np.float32)
        assert abs(len(band_energy(clip, rate)) - 102) <= 1  # 2 s and a window of 32 ms


@pytest.mark.parametrize("late_s", [0.003, 0.010, 0.0171])
def test_frames_move_with_the_sound(late_s):
    clip = speech_like(3, 2.0, RATE)
    late = np.concatenate([np.zeros(round(late_s * RATE), dtype=np.float32), clip])
    assert shared(fingerprint(clip, RATE), fingerprint(late, RATE)) >= 40  # of 48


def test_a_fingerprint_is_the_same_at_any_scale_of_samples():
    clip = np.rint(speech_like(3, 1.0, RATE) * 20000).astype(np.int16)
    assert np.array_equal(fingerprint(clip, RATE), fingerprint(clip / np.float32(32768), RATE))
