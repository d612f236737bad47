"""Sound keeps its length, its level and its place in time."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from fonoteka.audio.dsp import (
    SAMPLE_RATE_HZ,
    flac_bytes,
    levelled,
    rms_dbfs,
    speech_bounds,
    to_mono_16k,
)


def sine(hz, seconds=1.0, rate=SAMPLE_RATE_HZ, peak=1.0):
    return (peak * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype("f4")


def test_a_full_scale_sine_is_3_db_under_a_square_wave():
    # the mean of sin^2 is 1/2; float32 samples leave 1e-5 dB of doubt
    assert rms_dbfs(sine(100)) == pytest.approx(10 * np.log10(0.5), abs=1e-4)


def test_digital_silence_has_no_level():
    assert rms_dbfs(np.zeros(9, dtype=np.float32)) == -np.inf


@pytest.mark.parametrize("shape", [(0,), (2, 3)])
def test_a_level_needs_one_channel_of_samples(shape):
    with pytest.raises(ValueError, match=r"expected samples of shape \[T\], T >= 1, found shape"):
        rms_dbfs(np.zeros(shape, dtype=np.float32))


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_resampling_keeps_a_tone_and_its_length(rate):
    result = to_mono_16k(sine(440, rate=rate, peak=0.5), rate)
    assert len(result) == SAMPLE_RATE_HZ
    inner = slice(800, -800)  # 50 ms at the ends, where the filter meets the edge
    # the polyphase filter's ripple in its pass band is below 1 %
    assert np.abs(result - sine(440, peak=0.5))[inner].max() < 0.005


def test_a_tone_above_the_new_nyquist_frequency_is_gone():
    # 10 kHz would come back as 6 kHz; the filter's stop band is 60 dB down
    assert rms_dbfs(to_mono_16k(sine(10_000, rate=48_000), 48_000)[800:-800]) < -60


def test_mono_is_the_mean_of_the_channels():
    stereo = np.stack([np.full(5, 0.5), np.full(5, -0.1)], axis=1).astype(np.float32)
    assert to_mono_16k(stereo, SAMPLE_RATE_HZ) == pytest.approx(np.full(5, 0.2), abs=1e-7)


@pytest.mark.parametrize(("first", "after"), [(0, 160), (4000, 8000), (15_840, 16_000)])
def test_what_is_kept_is_the_sound_and_a_margin(first, after):
    signal = np.zeros(16_000, dtype=np.float32)
    signal[first:after] = 0.1
    bounds = speech_bounds(signal, below_peak_db=40.0, margin_s=0.05)
    assert bounds == (max(0, first - 800), min(16_000, after + 800))


def test_a_frame_counts_as_sound_when_it_is_less_than_the_threshold_under_the_peak():
    signal = np.zeros(1600, dtype=np.float32)
    signal[160:320], signal[1120:1280] = 1.0, 10 ** (-39 / 20)
    assert speech_bounds(signal, 40.0, 0.0) == (160, 1280)
    assert speech_bounds(signal, 38.0, 0.0) == (160, 320)


@pytest.mark.parametrize("length", [1, 100, 159])
def test_a_clip_shorter_than_a_frame_is_kept_whole(length):
    assert speech_bounds(np.ones(length, dtype=np.float32), 40.0, 0.05) == (0, length)


def test_silence_is_not_trimmed():
    assert speech_bounds(np.zeros(1000, dtype=np.float32), 40.0, 0.05) == (0, 1000)


@pytest.mark.parametrize("level", [-40.0, -23.0])
def test_a_clip_gets_the_level_it_is_given(level):
    assert rms_dbfs(levelled(sine(100, peak=0.3), level)) == pytest.approx(level, abs=1e-4)


def test_a_peak_is_never_pushed_above_full_scale():
    click = np.full(16_000, 1e-4, dtype=np.float32)
    click[7] = 0.5
    assert np.abs(levelled(click, -23.0)).max() == pytest.approx(0.98, abs=1e-6)


def test_levelling_leaves_silence_alone():
    assert not levelled(np.zeros(9, dtype=np.float32), -23.0).any()


def test_equal_samples_are_equal_flac_bytes_and_come_back_within_half_a_step():
    signal = sine(440, 0.1, peak=0.9)
    data = flac_bytes(signal)
    assert data == flac_bytes(signal.copy())
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float64")
    # samples are rounded to k / 32767 and read as k / 32768: half a step and the factor
    assert rate == SAMPLE_RATE_HZ
    assert np.abs(samples * 32768 / 32767 - signal).max() <= 0.5 / 32767 + 1e-7


def test_samples_beyond_full_scale_are_clipped_and_do_not_wrap():
    samples, _ = soundfile.read(io.BytesIO(flac_bytes(np.array([1.5, -1.5], dtype="f4"))))
    assert samples.tolist() == [32767 / 32768, -1.0]
