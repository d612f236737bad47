"""A changed copy keeps its phones: it is faster, higher, filtered, in a room, in noise, coded."""

from __future__ import annotations

import numpy as np
import pytest
from clip_maker import CHANGED, noise, speed_alone

from fonoteka.audio.augment import augment, faster
from fonoteka.audio.recipe import (
    CODECS,
    KINDS,
    NONE,
    AugmentRecipe,
    Band,
    Codec,
    Gain,
    Noise,
    Pitch,
    Reverb,
    load_recipe,
)

NAMES = ("default", "everything", "few_voices", "pitch", "telephone", "web")


def changed(*changes, seed=0, signal=None):
    signal = noise(0.5) if signal is None else signal
    copy, factor = augment(signal, AugmentRecipe("toy", changes), np.random.default_rng(seed))
    assert factor == 1.0
    return copy


def tone(hertz, seconds=1.0):
    time = np.arange(round(16_000 * seconds)) / 16_000
    return (0.3 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def strongest_hz(signal):
    return np.abs(np.fft.rfft(signal)).argmax() * 16_000 / len(signal)


def speech_band(seconds=1.0):
    """Noise between 300 and 2500 Hz, which each codec keeps."""
    spectrum = np.fft.rfft(noise(seconds))
    hertz = np.fft.rfftfreq(round(16_000 * seconds), 1 / 16_000)
    spectrum[(hertz < 300) | (hertz > 2500)] = 0
    return np.fft.irfft(spectrum).astype(np.float32)


def test_nothing_is_changed_without_a_change():
    copy, factor = augment(noise(0.5), NONE, np.random.default_rng(0))
    assert factor == 1.0
    assert np.array_equal(copy, noise(0.5))


@pytest.mark.parametrize("seed", range(5))
def test_the_speed_stays_in_its_range_and_decides_the_length(seed):
    copy, factor = augment(noise(0.5), speed_alone(0.25), np.random.default_rng(seed))
    assert 1 / 1.25 <= factor <= 1.25
    assert len(copy) == round(8000 / factor)


def test_a_tone_played_faster_is_higher_by_the_same_factor():
    assert strongest_hz(faster(tone(400), 1.25)) == 500.0


@pytest.mark.parametrize("db", [0.0, 20.0])
def test_noise_has_the_ratio_that_was_drawn(db):
    added = changed(Noise("noise", 1.0, (db, db), (0.0, 0.9))) - noise(0.5)
    result = 10 * np.log10(np.mean(noise(0.5) ** 2) / np.mean(added**2))
    assert result == pytest.approx(db, abs=0.01)  # float32 samples


def test_a_telephone_has_nothing_near_8_khz():
    copy = changed(Band("band", 1.0, (3200.0, 3900.0)))
    power = np.abs(np.fft.rfft(copy)) ** 2
    # 7 kHz is 0.84 octaves above 3.9 kHz, at 36 dB an octave of a 6th-order filter: 30 dB
    assert power[3500:].mean() < 1e-3 * power[:1500].mean()


def test_a_room_keeps_the_length_and_the_direct_sound():
    click = np.zeros(8000, dtype=np.float32)
    click[100] = 1.0
    copy = changed(Reverb("reverb", 1.0, (0.1, 0.5), (0.1, 0.5)), signal=click)
    assert len(copy) == 8000
    assert np.argmax(np.abs(copy)) == 100
    assert np.abs(copy[:100]).max() < 1e-6  # no sound before its cause, but the FFT's rounding


@pytest.mark.parametrize("semitones", [-4.0, 3.0])
def test_a_tone_at_another_pitch_has_its_frequency_and_length(semitones):
    copy = changed(Pitch("pitch", 1.0, (semitones, semitones)), signal=tone(440))
    assert len(copy) == 16_000
    # bins of 1 Hz; the stretcher's own bins are broader
    assert strongest_hz(copy) == pytest.approx(440 * 2 ** (semitones / 12), abs=3)


@pytest.mark.parametrize("compression", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("name", CODECS)
def test_a_codec_changes_the_sound_and_neither_its_length_nor_its_place(name, compression):
    signal = speech_band()
    copy = changed(Codec("codec", 1.0, (name,), (compression, compression)), signal=signal)
    assert len(copy) == len(signal)
    assert not np.array_equal(copy, signal)
    spectrum = np.fft.rfft(copy, 32_000) * np.conj(np.fft.rfft(signal, 32_000))
    # The peak of the correlation is where the copy lies on its clip: 1 sample is 0.06 ms.
    assert (np.fft.irfft(spectrum).argmax() + 16_000) % 32_000 - 16_000 == pytest.approx(0, abs=1)


def test_a_codec_keeps_what_is_beyond_full_scale():
    signal = 4 * tone(500)
    copy = changed(Codec("codec", 1.0, ("mu_law",), (0.0, 0.0)), signal=signal)
    # 8 bits at logarithmic steps: 38 dB below the sound; of a tone that is cut, 2 dB
    assert np.mean((copy - signal) ** 2) < 1e-3 * np.mean(signal**2)


def test_a_level_changes_by_what_was_drawn():
    copy = changed(Gain("gain", 1.0, (-6.0, -6.0)))
    assert np.allclose(copy, noise(0.5) * 10 ** (-6 / 20))


def test_a_change_is_made_in_its_share_of_copies():
    gain = Gain("gain", 0.25, (-6.0, -6.0))
    rng = np.random.default_rng(0)
    result = sum(
        not np.array_equal(augment(noise(0.01), AugmentRecipe("toy", (gain,)), rng)[0], noise(0.01))
        for _ in range(400)
    )
    # binomial: 100 of 400 with a deviation of 8.7
    assert 70 < result < 130


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_depends_on_the_generator_alone(name):
    recipe = load_recipe(name, "name")
    np.random.seed(0)  # noqa: NPY002 - the global generator, which must not matter
    copies = [augment(noise(0.5), recipe, np.random.default_rng(s))[0] for s in (1, 1, 2)]
    assert copies[0].tobytes() == copies[1].tobytes()
    assert copies[0].tobytes() != copies[2].tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_silence_stays_silent_and_finite(name):
    for seed in range(4):
        silence = np.zeros(8000, dtype=np.float32)
        copy, _ = augment(silence, load_recipe(name, "name"), np.random.default_rng(seed))
        # GSM makes 18 of 32768 of silence, and the level may double
        assert np.abs(copy).max() <= 36.5 / 32768
    copy, _ = augment(silence, CHANGED, np.random.default_rng(0))
    assert not copy.any()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("samples", [1, 160, 1601])
def test_a_very_short_clip_can_be_changed(name, samples):
    for seed in range(3):
        recipe = load_recipe(name, "name")
        copy, factor = augment(noise(1.0)[:samples], recipe, np.random.default_rng(seed))
        assert len(copy) == max(1, round(samples / factor))
        assert np.isfinite(copy).all()


def test_the_recipes_use_each_kind():
    used = {change.kind for name in NAMES for change in load_recipe(name, "name").changes}
    assert used == {*KINDS}
