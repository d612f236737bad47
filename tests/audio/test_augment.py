"""A changed copy keeps its phones: it is faster or slower, filtered, in a room, in noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from clip_maker import CHANGED, UNCHANGED, noise

from fonoteka.audio.augment import augment, faster


def changed(seed=0, signal=None, **params):
    signal = noise(0.5) if signal is None else signal
    return augment(signal, replace(UNCHANGED, **params), np.random.default_rng(seed))


def test_nothing_is_changed_where_nothing_may_change():
    copy, factor = changed()
    assert factor == 1.0
    assert np.array_equal(copy, noise(0.5))


@pytest.mark.parametrize("seed", range(5))
def test_the_speed_stays_in_its_range_and_decides_the_length(seed):
    copy, factor = changed(seed, speed=0.25)
    assert 1 / 1.25 <= factor <= 1.25
    assert len(copy) == round(8000 / factor)


def test_a_tone_played_faster_is_higher_by_the_same_factor():
    tone = np.sin(2 * np.pi * 400 * np.arange(16_000) / 16_000).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(faster(tone, 1.25)))
    assert spectrum.argmax() * 16_000 / 12_800 == 500.0


@pytest.mark.parametrize("db", [0.0, 20.0])
def test_noise_has_the_ratio_that_was_drawn(db):
    signal = noise(0.5)
    copy, _ = changed(noise_probability=1.0, noise_db_min=db, noise_db_max=db)
    added = copy - signal
    result = 10 * np.log10(np.mean(signal**2) / np.mean(added**2))
    assert result == pytest.approx(db, abs=0.01)  # float32 samples


def test_a_telephone_has_nothing_near_8_khz():
    copy, _ = changed(band_probability=1.0)
    power = np.abs(np.fft.rfft(copy)) ** 2
    # 7 kHz is 0.84 octaves above 3.9 kHz, at 36 dB an octave of a 6th-order filter: 30 dB
    assert power[3500:].mean() < 1e-3 * power[:1500].mean()


def test_a_room_keeps_the_length_and_the_direct_sound():
    click = np.zeros(8000, dtype=np.float32)
    click[100] = 1.0
    copy, _ = changed(signal=click, reverb_probability=1.0)
    assert len(copy) == 8000
    assert np.argmax(np.abs(copy)) == 100
    assert np.abs(copy[:100]).max() < 1e-6  # no sound before its cause, but the FFT's rounding


def test_a_copy_depends_on_the_generator_alone():
    copies = [augment(noise(0.5), CHANGED, np.random.default_rng(s))[0] for s in (1, 1, 2)]
    assert np.array_equal(copies[0], copies[1])
    assert len(copies[0]) != len(copies[2])


def test_silence_stays_silent_and_finite():
    copy, _ = augment(np.zeros(8000, dtype=np.float32), CHANGED, np.random.default_rng(0))
    assert not copy.any()
