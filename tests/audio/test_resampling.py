"""Resampling in blocks returns what resampling the whole signal returns."""

import numpy as np
import pytest
from clip_maker import noise

from fonoteka.audio.dsp import to_mono_16k
from fonoteka.audio.resampling import blocks_at_16k


def in_blocks(signal, size):
    return [signal[start : start + size] for start in range(0, len(signal), size)]


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("size", [7_001, 100_000])
def test_blocks_at_16k_equal_the_whole_signal_at_16k(rate, size):
    signal = noise(350_123 / 16_000)
    whole = to_mono_16k(signal, rate)
    joined = np.concatenate([*blocks_at_16k(in_blocks(signal, size), rate)])
    assert joined.shape == whole.shape
    # The same filter on the same samples; only the order of additions may differ.
    assert np.abs(joined - whole).max() < 1e-6


@pytest.mark.parametrize("samples", [0, 1, 2, 441, 65_536, 70_001])
def test_short_signals_have_the_length_of_the_whole(samples):
    signal = noise(samples / 16_000)
    joined = [*blocks_at_16k([signal], 44_100)]
    assert sum(map(len, joined)) == (len(to_mono_16k(signal, 44_100)) if samples else 0)


def test_blocks_stay_bounded():
    longest = max(map(len, blocks_at_16k((noise(3.0) for _ in range(40)), 44_100)))
    assert longest < 2 * 16_000 * 3
