"""Two waves of one recording match after a shift and a gain; others do not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import sosfilt

from fonoteka.audiocheck.decode import read_sound
from fonoteka.bench.degradations import KINDS, available_kinds, degrade, peak, shelf, write
from fonoteka.bench.synthetic_clips import speech_like
from fonoteka.fingerprint.similarity import RATE_HZ, Match, match, telephone_band
from fonoteka.g2p.espeak import speak

RATE = 22050
OLD = [kind for kind in KINDS if "opus" not in kind and "aac" not in kind and kind != "equalised"]


def copied(kind, clip, folder, seed=4, rate=RATE):
    """Return a changed clip as it comes back from its file; skip without a program for it."""
    if kind not in available_kinds():
        pytest.skip("ffmpeg is not installed")
    copy = degrade(kind, clip.astype(np.float64), rate, np.random.default_rng(seed))
    return read_sound(write(copy, folder / "copy"))


def filtered(clip, *sections):
    return sosfilt(np.array(sections), clip.astype(np.float64))


def compared(first, second, outside_s=0.6):
    return match(telephone_band(first, RATE), telephone_band(second, RATE), outside_s)


@pytest.mark.parametrize("kind", OLD)
def test_a_copy_is_alike(kind, tmp_path):
    clip = speech_like(8, 1.5, RATE)
    copy = copied(kind, clip, tmp_path)
    result = match(telephone_band(clip, RATE), telephone_band(*copy), 0.6)
    assert result.similarity > 0.95


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in OLD])
def test_a_copy_whose_wave_changed_is_known_by_its_bands(kind, tmp_path):
    clip = speech_like(8, 2.0, RATE)
    copy = copied(kind, clip, tmp_path)
    assert match(telephone_band(clip, RATE), telephone_band(*copy), 0.6).is_copy(0.97)


@pytest.mark.parametrize(
    "sections",
    [
        [shelf(200 / RATE, 4.0)],
        [shelf(300 / RATE, -6.0)],
        [shelf(2000 / RATE, 6.0)],
        [peak(1000 / RATE, 6.0)],
        [peak(500 / RATE, -8.0)],
        [shelf(250 / RATE, 4.0), peak(700 / RATE, -4.0), shelf(2500 / RATE, -4.0)],
        [peak(400 / RATE, 4.0), peak(900 / RATE, -4.0), peak(1800 / RATE, 4.0)],
    ],
)
def test_an_equaliser_leaves_bands_coherent(sections):
    clip = speech_like(8, 1.5, RATE)
    result = compared(clip, filtered(clip, *sections))
    assert result.coherence > 0.98  # 1 but for the turn of phase within a band
    assert result.is_copy(0.97)


@pytest.mark.parametrize("sections", [[shelf(300 / RATE, -6.0)], [peak(500 / RATE, -8.0)]])
def test_a_take_stays_a_take_through_an_equaliser(sections):
    clips = [speech_like(seed, 1.0, RATE) for seed in range(6)]
    changed_clips = [filtered(clip, *sections) for clip in clips]
    result = [compared(clips[i], changed_clips[j]) for i in range(6) for j in range(6) if i != j]
    assert max(first.coherence for first in result) < 0.6


@pytest.mark.parametrize("level", [0.1, 0.3, 0.5, 1.0, 1.5])
def test_coherence_under_noise_is_what_the_levels_make_it(level):
    rng = np.random.default_rng(1)
    clean, noise = rng.standard_normal((2, 4 * RATE))
    result = compared(clean, clean + level * noise)
    # |E[x (x + a n)]| / sqrt(E[x x] E[(x + a n)^2]) of white noise, in every band and in all.
    expected = 1 / np.sqrt(1 + level * level)
    assert result.coherence == pytest.approx(expected, abs=0.02)
    assert result.similarity == pytest.approx(expected, abs=0.02)


def test_half_the_bands_upside_down_cost_similarity_and_no_coherence():
    noise = np.random.default_rng(2).standard_normal(2 * RATE_HZ)
    spectrum = np.fft.rfft(noise)
    hz = np.arange(len(spectrum)) / 2
    # Between two bands; a quarter of the energy turns over, so half of the correlation goes.
    turned = np.fft.irfft(np.where(hz > 2690, -1, 1) * spectrum)
    result = match(telephone_band(noise, RATE_HZ), telephone_band(turned, RATE_HZ), 0.6)
    assert result.similarity == pytest.approx(1 - 2 * (3425 - 2690) / 3250, abs=0.03)
    assert result.coherence > 0.98


@pytest.mark.parametrize(
    ("shared_s", "needed"),
    [(0.2, 0.95), (0.5, 0.95), (0.75, 0.9275), (1.0, 0.905), (1.5, 0.86), (9.0, 0.86)],
)
def test_the_shorter_the_more_coherence_is_needed(shared_s, needed):
    assert Match(0.9, 0.0, shared_s, needed + 1e-9).is_copy(0.97)
    assert not Match(0.9, 0.0, shared_s, needed - 1e-9).is_copy(0.97)
    assert Match(0.97, 0.0, shared_s, 0.0).is_copy(0.97)


def test_bands_are_not_compared_where_little_is_shared_or_alike():
    clip = speech_like(8, 0.15, RATE)
    assert compared(clip, clip).similarity > 0.999
    assert compared(clip, clip).coherence == 0.0
    noise = np.random.default_rng(3).standard_normal((2, RATE))
    assert compared(*noise).coherence == 0.0


@pytest.mark.parametrize(("rate", "pitch"), [(150, 50), (158, 50), (150, 57), (142, 44)])
def test_one_sentence_by_two_settings_of_a_synthesiser_is_two_recordings(rate, pitch):
    text = "Vidimo se sutra u gradu."
    first = speak(text, "hr", "Andy", 150, 50, 50)
    voice = "Annie" if (rate, pitch) == (150, 50) else "Andy"
    second = speak(text, "hr", voice, rate, pitch, 50)
    waves = [
        telephone_band(s.samples.astype(np.float64), s.sample_rate_hz) for s in (first, second)
    ]
    assert not match(*waves, 0.6).is_copy(0.97)


def test_another_clip_is_not():
    waves = [telephone_band(speech_like(seed, 1.0, RATE), RATE) for seed in range(8)]
    assert max(match(waves[i], waves[j], 0.6).similarity for i in range(8) for j in range(i)) < 0.7


@pytest.mark.parametrize("samples", [0, 1, 250, 1001, 8000])
def test_the_lag_is_when_the_second_begins_between_samples_too(samples):
    clip = speech_like(8, 1.5, RATE)
    result = match(telephone_band(clip, RATE), telephone_band(clip[samples:], RATE), 0.6)
    # An eighth of a sample at 8 kHz is the step, and the second wave is sampled again.
    assert result.lag_s == pytest.approx(samples / RATE, abs=0.5 / RATE_HZ / 8 + 1e-9)
    assert result.similarity > 0.99


def test_it_does_not_matter_which_is_first():
    first, second = (telephone_band(speech_like(8, s, RATE), RATE) for s in (1.0, 1.3))
    forward, back = match(first, second, 0.6), match(second, first, 0.6)
    assert forward.similarity == pytest.approx(back.similarity, abs=1e-9)
    assert forward.lag_s == pytest.approx(-back.lag_s)


def test_a_wave_upside_down_is_the_same_recording():
    wave = telephone_band(speech_like(8, 1.0, RATE), RATE)
    assert match(wave, -wave, 0.6).similarity == pytest.approx(1.0, abs=1e-9)


def test_a_word_is_not_its_sentence():
    sentence = telephone_band(speech_like(8, 4.0, RATE), RATE)
    word = sentence[12000:20000]
    assert match(sentence, word, 0.6).similarity < 0.7
    assert match(sentence, word, 1.6).similarity > 0.99


def test_silence_around_a_recording_does_not_count():
    wave = telephone_band(speech_like(8, 1.0, RATE), RATE)
    assert match(np.pad(wave, 16000), wave, 0.5).similarity > 0.99


def test_silence_is_like_nothing():
    wave = telephone_band(speech_like(8, 1.0, RATE), RATE)
    assert match(wave, np.zeros(4000), 0.5).similarity == 0.0


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 48000])
def test_every_rate_gives_the_same_wave(rate):
    time = np.arange(rate) / rate
    tone = np.sin(2 * np.pi * 500 * time) * np.hanning(rate)
    time_s = np.arange(RATE_HZ) / RATE_HZ
    wave = telephone_band(tone, rate)
    expected = np.sin(2 * np.pi * 500 * time_s) * np.hanning(RATE_HZ)
    assert np.abs(wave - expected).max() < 0.01  # a Hann window of one sample more or less
