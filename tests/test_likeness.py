"""Two waves of one recording lie on each other, others don't."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from stages.common.likeness import RATE_HZ, match, telephone_band
from stages.tools.bench_clips import speech_like
from stages.tools.bench_copies import KINDS, MP3_LEVEL, changed

RATE = 22050


def kept(made):
    """Return a changed clip as it comes back from its file."""
    file = io.BytesIO()
    options = {".mp3": {"compression_level": MP3_LEVEL[RATE], "bitrate_mode": "CONSTANT"}}
    name = {".mp3": "MP3", ".ogg": "OGG", ".flac": "FLAC"}[made.suffix]
    more = options.get(made.suffix, {})
    soundfile.write(file, made.samples, made.sample_rate_hz, format=name, **more)
    file.seek(0)
    return soundfile.read(file)


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_is_alike(kind):
    clip = speech_like(8, 1.5, RATE)
    copy = kept(changed(kind, clip.astype(np.float64), RATE, np.random.default_rng(4)))
    found = match(telephone_band(clip, RATE), telephone_band(*copy), 0.6)
    assert found.similarity > 0.95


def test_another_clip_is_not():
    waves = [telephone_band(speech_like(seed, 1.0, RATE), RATE) for seed in range(8)]
    assert max(match(waves[i], waves[j], 0.6).similarity for i in range(8) for j in range(i)) < 0.7


@pytest.mark.parametrize("samples", [0, 1, 250, 1001, 8000])
def test_the_lag_is_when_the_second_begins_between_samples_too(samples):
    clip = speech_like(8, 1.5, RATE)
    found = match(telephone_band(clip, RATE), telephone_band(clip[samples:], RATE), 0.6)
    # An eighth of a sample at 8 kHz is the step, and the second wave's own samples begin anew.
    assert found.lag_s == pytest.approx(samples / RATE, abs=0.5 / RATE_HZ / 8 + 1e-9)
    assert found.similarity > 0.99


def test_it_does_not_matter_which_is_first():
    one, other = (telephone_band(speech_like(8, s, RATE), RATE) for s in (1.0, 1.3))
    there, back = match(one, other, 0.6), match(other, one, 0.6)
    assert there.similarity == pytest.approx(back.similarity, abs=1e-9)
    assert there.lag_s == pytest.approx(-back.lag_s)


def test_a_wave_upside_down_is_the_same_recording():
    wave = telephone_band(speech_like(8, 1.0, RATE), RATE)
    assert match(wave, -wave, 0.6).similarity == pytest.approx(1.0, abs=1e-9)


def test_a_word_is_not_its_sentence():
    sentence = telephone_band(speech_like(8, 4.0, RATE), RATE)
    word = sentence[12000:20000]
    assert match(sentence, word, 0.6).similarity < 0.7
    assert match(sentence, word, 1.6).similarity > 0.99


def test_silence_around_a_recording_is_no_part_of_it():
    wave = telephone_band(speech_like(8, 1.0, RATE), RATE)
    assert match(np.pad(wave, 16000), wave, 0.5).similarity > 0.99


def test_silence_is_like_nothing():
    wave = telephone_band(speech_like(8, 1.0, RATE), RATE)
    assert match(wave, np.zeros(4000), 0.5).similarity == 0.0


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 48000])
def test_every_rate_gives_the_same_wave(rate):
    time = np.arange(rate) / rate
    tone = np.sin(2 * np.pi * 500 * time) * np.hanning(rate)
    there = np.arange(RATE_HZ) / RATE_HZ
    wave = telephone_band(tone, rate)
    expected = np.sin(2 * np.pi * 500 * there) * np.hanning(RATE_HZ)
    assert np.abs(wave - expected).max() < 0.01  # a Hann window of one sample more or less
