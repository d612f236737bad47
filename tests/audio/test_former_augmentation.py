"""Recipes that replace the former sections `augment` of params.yaml give the same samples.

`former` is the code before recipes, kept here in one function. The numbers were computed with it.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

from fonoteka.audio.augment import augment
from fonoteka.audio.recipe import load_recipe

# speed, tilt, band, reverb, noise, lowest and highest SNR; then what was computed: six lengths,
# their levels, and the generator's next number, which shows that as many were drawn.
FORMER = {
    "default": (
        (0.15, 0.5, 0.15, 0.2, 0.4, 10.0, 30.0),
        [2897, 3003, 3058, 3129, 2859, 3046],
        [0.048308599, 0.079598666, 0.080559717, 0.069449485, 0.080511693, 0.078630428],
        0.37588174720118794,
    ),
    "few_voices": (
        (0.25, 0.8, 0.0, 0.4, 0.7, 5.0, 30.0),
        [2837, 3188, 3248, 2502, 2763, 2511],
        [0.086721692, 0.079797009, 0.090047282, 0.087730822, 0.078609025, 0.112356359],
        0.9465802256768356,
    ),
    "few_voices_telephone": (
        (0.25, 0.8, 0.5, 0.4, 0.7, 5.0, 30.0),
        [2837, 2663, 2467, 2673, 2644, 3704],
        [0.041451051, 0.100658693, 0.090743245, 0.099541435, 0.084593313, 0.115997964],
        0.5944618345833689,
    ),
}


def former(signal, numbers, rng):
    speed, tilt, band, reverb, noise, db_min, db_max = numbers
    factor = float(np.exp(rng.uniform(-1, 1) * np.log1p(speed)))
    positions = np.arange(max(1, round(len(signal) / factor))) * factor
    changed = np.asarray(np.interp(positions, np.arange(len(signal)), signal), dtype=np.float32)
    changed = lfilter([1.0, -rng.uniform(-tilt, tilt)], [1.0], changed)
    if rng.random() < reverb:
        decay_s = rng.uniform(0.1, 0.5)
        time = np.arange(round(0.5 * decay_s * 16_000)) / 16_000
        tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / decay_s)
        tail *= rng.uniform(0.1, 0.5) / np.sqrt(np.sum(np.square(tail)))
        tail[0] = 1.0
        changed = np.asarray(fftconvolve(changed, tail)[: len(changed)], dtype=np.float32)
    if rng.random() < noise:
        added = lfilter([1.0], [1.0, -rng.uniform(0.0, 0.95)], rng.standard_normal(len(changed)))
        ratio_db = rng.uniform(db_min, db_max)
        power, noise_power = np.mean(np.square(changed)), np.mean(np.square(added))
        gain = np.sqrt(power / noise_power * 10 ** (-ratio_db / 10))
        changed = changed + np.asarray(added * gain, dtype=np.float32)
    if rng.random() < band:
        cutoff = rng.uniform(3200, 3900)
        changed = sosfilt(butter(6, cutoff, fs=16_000, output="sos"), changed)
    return np.asarray(changed, dtype=np.float32), factor


def clips():
    for seed in range(40):
        yield (0.1 * np.random.default_rng(seed).standard_normal(3000 + seed)).astype(np.float32)


@pytest.mark.parametrize("name", FORMER)
def test_a_recipe_gives_the_bytes_of_the_former_code(name):
    numbers, recipe = FORMER[name][0], load_recipe(name, "name")
    before, now = np.random.default_rng(7), np.random.default_rng(7)
    for signal in clips():
        expected, factor = former(signal, numbers, before)
        copy, speed = augment(signal, recipe, now)
        assert copy.tobytes() == expected.tobytes()
        assert speed == factor
    assert now.bit_generator.state == before.bit_generator.state


@pytest.mark.parametrize("name", FORMER)
def test_a_recipe_gives_what_the_former_code_gave(name):
    _, lengths, levels, after = FORMER[name]
    rng, recipe = np.random.default_rng(7), load_recipe(name, "name")
    copies = [augment(signal, recipe, rng)[0] for signal in clips()]
    assert [len(copy) for copy in copies[:6]] == lengths
    result = [np.sqrt(np.mean(copy.astype(np.float64) ** 2)) for copy in copies[:6]]
    assert result == pytest.approx(levels, rel=1e-6)  # the numbers have seven digits
    assert rng.random() == after
