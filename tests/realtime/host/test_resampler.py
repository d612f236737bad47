"""The filters of a host keep speech, remove what would alias, and have the stated delay."""

from __future__ import annotations

import numpy as np
import pytest

from fonoteka.realtime.resampler import (
    HOST_RATES_HZ,
    PASS_HZ,
    STOP_HZ,
    delay_ms,
    down_filter,
    resampled,
    up_filter,
)

RATES = HOST_RATES_HZ[1:]


def gain_db(rate_hz, frequency_hz):
    """Return the level of a sine after the resampler, relative to the level before it."""
    time_s = np.arange(rate_hz // 2) / rate_hz
    output = resampled(np.sin(2 * np.pi * frequency_hz * time_s), rate_hz)[1000:]
    # The window separates the sine from the jump at the ends of the piece.
    window = np.hanning(len(output))
    return 10 * np.log10(2 * np.average(output**2, weights=window) + 1e-15)


@pytest.mark.parametrize("rate_hz", RATES)
def test_the_pass_band_is_flat(rate_hz):
    gains = [gain_db(rate_hz, f) for f in np.linspace(60, PASS_HZ, 40)]
    assert max(map(abs, gains)) < 0.01


@pytest.mark.parametrize("rate_hz", RATES)
def test_what_would_alias_into_a_mel_band_is_78_db_down(rate_hz):
    gains = [gain_db(rate_hz, f) for f in np.linspace(STOP_HZ, rate_hz / 2 - 10, 60)]
    assert max(gains) < -78


def test_the_transition_band_aliases_above_the_highest_mel_band():
    assert 16000 - STOP_HZ >= PASS_HZ


@pytest.mark.parametrize("rate_hz", RATES)
def test_the_delay_is_the_stated_one(rate_hz):
    # A linear-phase filter delays the middle of a pulse by its group delay.
    start_s, width_s = 0.05, 0.002
    time_s = np.arange(rate_hz // 5) / rate_hz
    output = resampled(np.exp(-(((time_s - start_s) / width_s) ** 2)), rate_hz)
    middle_s = np.average(np.arange(len(output)) / 16000, weights=output)
    assert 1000 * (middle_s - start_s) == pytest.approx(delay_ms(rate_hz), abs=0.005)


def test_blocks_of_a_host_have_one_output_per_sixteen_thousandth():
    assert [len(resampled(np.zeros(rate), rate)) for rate in HOST_RATES_HZ] == [16000] * 3
    assert down_filter().sum() == pytest.approx(1, abs=1e-9)
    # Each phase passes a constant: 1.5e-4 is an image 76 dB down.
    assert np.abs(up_filter().sum(axis=1) - 1).max() < 2e-4
