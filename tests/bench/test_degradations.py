"""Degradations change as much as they state, and synthetic clips differ from each other."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from fonoteka.bench.degradations import (
    KINDS,
    LEFT_S,
    SHIFT_S,
    DegradedClip,
    degrade,
    peak,
    shelf,
    write,
)
from fonoteka.bench.synthetic_clips import speech_like

RATE = 16000
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def degraded(kind, seconds, seed=1):
    clip = speech_like(seed, seconds, RATE).astype(float)
    return clip, degrade(kind, clip, RATE, np.random.default_rng(seed)).samples


@pytest.mark.parametrize("kind", ["cut", "trimmed"])
@pytest.mark.parametrize("seconds", [0.3, 0.35, 0.6, 2.0])
def test_at_most_half_a_second_is_cut_and_enough_remains(kind, seconds):
    for seed in range(5):
        clip, copy = degraded(kind, seconds, seed)
        assert LEFT_S * RATE - 1 <= len(copy) <= len(clip)
        assert len(clip) - len(copy) <= SHIFT_S * RATE


def test_noise_is_20_db_below_the_clip():
    clip, copy = degraded("noise 20 dB below", 2.0)
    noise = copy - clip
    assert 10 * np.log10(np.mean(clip**2) / np.mean(noise**2)) == pytest.approx(20, abs=0.2)


CODECS = [
    ("mp3 64 kbit/s", 22050, 60, 0.1),
    *(
        pytest.param(f"{codec} {rate} kbit/s", RATE, rate, 0.35, marks=needs_ffmpeg)
        for codec, rate in (("opus", 16), ("opus", 24), ("opus", 32), ("aac", 32))
    ),
]


@pytest.mark.parametrize(("kind", "rate_hz", "kbit_s", "tolerance"), CODECS)
def test_a_codec_has_about_its_bit_rate(kind, rate_hz, kbit_s, tolerance, tmp_path):
    clip = speech_like(1, 10.0, rate_hz).astype(float)
    path = write(degrade(kind, clip, rate_hz, np.random.default_rng(1)), tmp_path / "copy")
    assert 8 * path.stat().st_size / 10.0 == pytest.approx(1000 * kbit_s, rel=tolerance)


@needs_ffmpeg
def test_the_message_of_ffmpeg_is_part_of_the_error(tmp_path):
    copy = DegradedClip(np.zeros(RATE), RATE, ".opus", ("-c:a", "no_such_codec"))
    with pytest.raises(ValueError, match=r"copy.opus: ffmpeg failed: .*no_such_codec"):
        write(copy, tmp_path / "copy")


def gain_db(section, frequency):
    """Return the gain of a filter section at a fraction of the sample rate."""
    z = np.exp(-2j * np.pi * frequency * np.arange(3))
    return 20 * np.log10(np.abs(np.dot(section[:3], z) / np.dot(section[3:], z)))


@pytest.mark.parametrize("db", [-6.0, -4.0, -2.0, 0.0, 3.0, 4.0])
def test_the_filters_of_the_equaliser_have_the_gain_that_is_asked_for(db):
    assert gain_db(peak(0.1, db), 0.1) == pytest.approx(db)
    assert gain_db(peak(0.1, db), 0.0) == pytest.approx(0.0)
    assert gain_db(shelf(0.1, db), 0.0) == pytest.approx(db)
    assert gain_db(shelf(0.1, db), 0.1) == pytest.approx(db / 2)  # at its corner
    assert gain_db(shelf(0.1, db), 0.5) == pytest.approx(0.0)


@pytest.mark.parametrize("seed", range(6))
def test_the_equaliser_changes_the_spectrum_by_at_most_its_three_filters(seed):
    clip, copy = degraded("equalised", 4.0, seed)
    gains = 20 * np.log10(np.abs((np.fft.rfft(copy) / np.fft.rfft(clip))[400:28000]))  # to 7 kHz
    assert 2 < np.ptp(np.convolve(gains, np.ones(200) / 200, "valid")) < 8 + 4 + 1


def test_no_degradation_exceeds_full_scale():
    for kind in KINDS:
        assert np.abs(degraded(kind, 0.5)[1]).max() <= 1, kind


def test_a_synthetic_clip_is_reproducible_and_differs_from_all_others():
    clips = [speech_like(seed, 0.5, 8000) for seed in (1, 2, 1)]
    assert np.array_equal(clips[0], clips[2])
    assert np.abs(np.corrcoef(clips[0], clips[1])[0, 1]) < 0.5
