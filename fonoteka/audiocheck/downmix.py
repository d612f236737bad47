"""Take one channel of a recording whose channels cancel each other; leave all others as they are.

The mean of the channels is what everything here works on. Where one cable of two is reversed, that
mean is what little the channels do not share: noise, under a right transcript. So the power of the
mean is compared with that of the channels. Channels that share nothing, C of them, have a mean of
1/C of their power, and so have C - 1 silent ones with one that is not. Two with the correlation r
have a mean of (1 + r)/2: less than half of that of unrelated channels only where r is below -0.5.
That is where one channel is taken: at 1/(2C), 6 dB below the channels where there are two.

A constant offset is no sound and does not count. All sums are of integers at 16 bits, so that the
decision is the same on every machine. A delay or a shift of phase between channels colours their
mean and cancels nothing for long; it stays.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fonoteka.audiocheck.levels import FULL_SCALE, Meter, decibels

_BLOCK = 1 << 18  # frames at a time: 2 MiB of 64 bits per channel


class Taken(NamedTuple):
    """A channel that is taken because the mean of all would be next to nothing.

    Attributes:
        channel: its number, from 0 on.
        below_db: how far the power of the mean is below that of the channels; infinity for nothing.
    """

    channel: int
    below_db: float

    def of(self, samples: NDArray[Any]) -> NDArray[Any]:
        """Return that channel, `[T]`, of samples `[T, C]`."""
        return np.ascontiguousarray(samples[:, self.channel])

    def __str__(self) -> str:
        lost = "all is" if math.isinf(self.below_db) else f"{self.below_db:.1f} dB are"
        return f"channels cancel, {lost} lost in their mean: channel {self.channel + 1} is taken"


def taken(samples: NDArray[Any], sample_rate_hz: int) -> Taken | None:
    """Return which channel stands for a recording whose channels cancel, or None: their mean does.

    It is the one whose speech is furthest above its noise, by the inventory's estimate (see
    `levels.snr_db`); of those that are alike the louder one, then the first.

    Args:
        samples: shape `[T]` or `[T, C]`, floats in [-1, 1] or integers of 16 bits.
        sample_rate_hz: rate of the samples.

    >>> tone = np.sin(np.arange(8000) / 9) / 3
    >>> taken(np.stack([tone, tone], 1), 8000) is None
    True
    >>> taken(np.stack([tone / 2, -tone], 1), 8000).channel
    1
    """
    if samples.ndim == 1 or samples.shape[1] == 1 or not len(samples):
        return None
    mean, channels = _powers(samples)
    count = samples.shape[1]
    # Of the sum of the channels and of each: the power of the mean is that of the sum by C squared.
    if 2 * mean >= channels:
        return None
    found = [_quality(_at_16_bits(samples[:, n]), sample_rate_hz) for n in range(count)]
    best = max(range(count), key=lambda n: (*found[n], -n))
    return Taken(best, -decibels(mean / (count * channels)))


def uncancelled(samples: NDArray[Any], sample_rate_hz: int) -> NDArray[Any]:
    """Return the channel that stands for a recording, `[T]`, or all samples where their mean does.

    Args:
        samples: see `taken`.
        sample_rate_hz: rate of the samples.
    """
    one = taken(samples, sample_rate_hz)
    return samples if one is None else one.of(samples)


def _powers(samples: NDArray[Any]) -> tuple[int, int]:
    """Return T squared times the variance of the channels' sum, and of the channels together."""
    count, channels = samples.shape
    first, second = [0] * (channels + 1), [0] * (channels + 1)
    for start in range(0, count, _BLOCK):
        block = _at_16_bits(samples[start : start + _BLOCK]).astype(np.int64)
        columns = [*block.T, block.sum(axis=1)]
        for number, column in enumerate(columns):
            first[number] += int(column.sum())
            second[number] += int(np.dot(column, column))
    variances = [count * s - f * f for f, s in zip(first, second, strict=True)]
    return variances[-1], sum(variances[:-1])


def _at_16_bits(samples: NDArray[Any]) -> NDArray[np.int16]:
    """Return samples as the inventory measures them."""
    if samples.dtype == np.int16:
        return samples
    scaled = np.clip(samples, -1, 1) * np.float32(FULL_SCALE)
    rounded: NDArray[np.int16] = np.minimum(np.rint(scaled), FULL_SCALE - 1).astype(np.int16)
    return rounded


def _quality(channel: NDArray[np.int16], sample_rate_hz: int) -> tuple[float, float]:
    meter = Meter(sample_rate_hz, 1, FULL_SCALE)
    meter.add(np.ascontiguousarray(channel))
    known = meter.snr_db()
    return -math.inf if known is None else known, meter.level_dbfs()
