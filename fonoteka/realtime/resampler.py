"""The filters with which a host brings 44.1 and 48 kHz to the 16 kHz of the models.

48 to 16 kHz is a linear-phase low-pass filter of which every third output is used. What lies above
`STOP_HZ` is 80 dB down; what lies between 8 kHz and STOP_HZ is mirrored to above PASS_HZ, where
the highest mel band ends. 44.1 kHz is first brought to 48 kHz by a polyphase filter that is short,
because the filter after it removes all that is above STOP_HZ.

Source: J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window function", ISCAS
1974: attenuation, transition width and length of a windowed filter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fonoteka.audio.dsp import SAMPLE_RATE_HZ

Taps = NDArray[np.float64]

HOST_RATES_HZ = (SAMPLE_RATE_HZ, 44_100, 48_000)
PASS_HZ, STOP_HZ = 7_600.0, 8_400.0
STOP_DB = 80.0
DOWN, DOWN_TAPS = 3, 301
"""80 dB over 800 Hz at 48 kHz; the delay of 150 samples is 3.125 ms."""

UP_PHASES, UP_STEP = 160, 147
"""48,000 / 44,100 in lowest terms."""

UP_TAPS = 8
"""Per phase. The first image that falls below STOP_HZ at 48 kHz is at 48 - 8.4 = 39.6 kHz, so the
transition is 32 kHz wide."""

DIGITS = 12
"""Decimals of a tap: 1e-12 is far below the stop band, and the last bits of a processor are cut."""


def down_filter() -> Taps:
    """Return the filter from 48 to 16 kHz, shape `[DOWN_TAPS]`, with a sum of 1."""
    return _low_pass(DOWN_TAPS, (PASS_HZ + STOP_HZ) / 2 / 48_000)


def up_filter() -> Taps:
    """Return the filter from 44.1 to 48 kHz, shape `[UP_PHASES, UP_TAPS]`, the newest tap first.

    The prototype has a delay of 4 samples at 48 kHz; each phase has a sum of about 1.
    """
    taps = UP_PHASES * _low_pass(_UP_LENGTH, 23_600 / (44_100 * UP_PHASES))
    padded = np.concatenate([taps, np.zeros(UP_PHASES * UP_TAPS - len(taps))])
    return np.asarray(np.round(padded, DIGITS).reshape(UP_TAPS, UP_PHASES).T)


_UP_LENGTH = 2 * 4 * UP_STEP + 1


def delay_ms(rate_hz: int) -> float:
    """Return the delay of the resampler in ms.

    >>> [round(delay_ms(rate), 3) for rate in HOST_RATES_HZ]
    [0.0, 3.208, 3.125]
    """
    if rate_hz == SAMPLE_RATE_HZ:
        return 0.0
    samples = (DOWN_TAPS - 1) / 2 + (4 if rate_hz == 44_100 else 0)
    return 1000 * samples / 48_000


def resampled(signal: NDArray[np.float64], rate_hz: int) -> NDArray[np.float64]:
    """Return a signal `[N]` at 16 kHz by the same filters, for comparison with a host.

    Samples before the signal are zeros, and no sample after it is used.

    >>> [len(resampled(np.zeros(441), rate)) for rate in (44_100, 48_000)]
    [160, 147]
    """
    if rate_hz == SAMPLE_RATE_HZ:
        return signal
    at_48k = _to_48k(signal) if rate_hz == 44_100 else signal
    filtered = np.convolve(at_48k, down_filter())[: len(at_48k)]
    return np.asarray(filtered[::DOWN])


def _to_48k(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    count = -(-len(signal) * UP_PHASES // UP_STEP)
    places = np.arange(count) * UP_STEP
    newest, phases = places // UP_PHASES, places % UP_PHASES
    padded = np.concatenate([np.zeros(UP_TAPS - 1), signal])
    samples = padded[newest[:, None] + UP_TAPS - 1 - np.arange(UP_TAPS)]
    return np.asarray((samples * up_filter()[phases]).sum(axis=1))


def _low_pass(length: int, cutoff: float) -> Taps:
    """Return a windowed ideal low-pass filter with a sum of 1; cutoff in cycles per sample."""
    places = np.arange(length) - (length - 1) / 2
    taps = np.sinc(2 * cutoff * places) * np.kaiser(length, 0.1102 * (STOP_DB - 8.7))
    return np.asarray(np.round(taps / taps.sum(), DIGITS))
