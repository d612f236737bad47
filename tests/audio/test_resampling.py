"""Resampling in blocks returns what resampling the whole signal returns."""

import numpy as np
import pytest
from clip_maker import noise

from fonoteka.audio.dsp import to_mono_16k
from fonoteka.audio.resampling import Resampler, blocks_at_16k
from fonoteka.core.errors import UserError


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


@pytest.mark.parametrize(
    ("rate", "delay_samples"), [(8_000, 10), (22_050, 441 + 14), (44_100, 441 + 28), (48_000, 33)]
)
def test_short_blocks_are_resampled_at_once_and_equal_the_whole(rate, delay_samples):
    signal = noise(2.0)
    arrived, returned, latest = 0, 0, 0
    joined = []

    def arriving():
        nonlocal arrived, latest
        for block in in_blocks(signal, rate // 25):
            latest = max(latest, arrived - returned * rate / 16_000)
            arrived += len(block)
            yield block

    for block in blocks_at_16k(arriving(), rate, shortest=1):
        joined.append(block)
        returned += len(block)
    assert np.abs(np.concatenate(joined) - to_mono_16k(signal, rate)).max() < 1e-6
    assert latest <= delay_samples


def test_samples_before_a_failure_are_returned_before_it_is_raised():
    signal = noise(0.5)

    def failing():
        yield signal
        raise UserError("the cable is cut")

    joined = []
    with pytest.raises(UserError, match="the cable is cut"):
        joined.extend(blocks_at_16k(failing(), 48_000))
    assert np.array_equal(np.concatenate(joined), to_mono_16k(signal, 48_000))


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_a_resampler_begins_another_signal_after_its_end(rate):
    resampler = Resampler(rate, shortest=1)
    for seed in (1, 2):
        signal = noise(0.2, seed)
        parts = [resampler.push(block) for block in in_blocks(signal, 17)]
        joined = np.concatenate([*parts, resampler.finish()])
        assert np.abs(joined - to_mono_16k(signal, rate)).max() < 1e-6
