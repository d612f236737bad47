"""Select one channel of a recording whose channels cancel each other.

All later steps work on the mean of the channels. If one of two cables is reversed, the mean keeps
only the little that the channels do not share: noise with a correct transcript. So the power of the
mean is compared with the power of the channels. The mean of C unrelated channels has 1/C of their
power, and so has the mean of one channel with C - 1 silent ones. The mean of two channels with
correlation r has (1 + r)/2 of their power, which is less than half of that only if r < -0.5. The
threshold is 1/(2C): for two channels, a mean 6 dB below them.

A constant offset does not count. All sums are of 16-bit integers, so the decision is the same on
every machine. A delay or a phase shift between channels colours their mean but cancels nothing for
long, so the mean is kept.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fonoteka.audiocheck.levels import FULL_SCALE, LevelMeter, decibels

_BLOCK = 1 << 18  # frames at a time: 2 MiB of 64-bit integers per channel


class ChannelChoice(NamedTuple):
    """The channel that represents a recording because the mean of all channels cancels.

    Attributes:
        channel: its index, from 0.
        below_db: power of the channels relative to their mean, in dB; infinity if the mean is 0.
    """

    channel: int
    below_db: float

    def select(self, samples: NDArray[Any]) -> NDArray[Any]:
        """Return the channel, shape `[T]`, of samples of shape `[T, C]`."""
        return np.ascontiguousarray(samples[:, self.channel])

    def __str__(self) -> str:
        lost = "all is" if math.isinf(self.below_db) else f"{self.below_db:.1f} dB are"
        return f"channels cancel, {lost} lost in their mean: channel {self.channel + 1} is taken"


def choose_channel(samples: NDArray[Any], sample_rate_hz: int) -> ChannelChoice | None:
    """Return the channel that represents a recording if its channels cancel; None if they do not.

    The channel with the highest signal-to-noise ratio wins (see `levels.snr_db`), then the louder
    one, then the first.

    Args:
        samples: shape `[T]` or `[T, C]`, floats in [-1, 1] or integers of 16 bits.
        sample_rate_hz: rate of the samples.

    >>> tone = np.sin(np.arange(8000) / 9) / 3
    >>> choose_channel(np.stack([tone, tone], 1), 8000) is None
    True
    >>> choose_channel(np.stack([tone / 2, -tone], 1), 8000).channel
    1
    """
    if samples.ndim == 1 or samples.shape[1] == 1 or not len(samples):
        return None
    mean, channels = _powers(samples)
    count = samples.shape[1]
    # `mean` is the power of the channels' sum, C squared times that of their mean, so the threshold
    # of 1/(2C) of the channels' mean power is half of `channels`, their total power.
    if 2 * mean >= channels:
        return None
    qualities = [_quality(_at_16_bits(samples[:, n]), sample_rate_hz) for n in range(count)]
    best = max(range(count), key=lambda n: (*qualities[n], -n))
    return ChannelChoice(best, -decibels(mean / (count * channels)))


def select_channel(samples: NDArray[Any], sample_rate_hz: int) -> NDArray[Any]:
    """Return the channel that represents a recording, shape `[T]`, or all samples if none cancel.

    Args:
        samples: see `choose_channel`.
        sample_rate_hz: rate of the samples.
    """
    choice = choose_channel(samples, sample_rate_hz)
    return samples if choice is None else choice.select(samples)


def _powers(samples: NDArray[Any]) -> tuple[int, int]:
    """Return T squared times the variance of the channels' sum, and the sum of their variances."""
    count, channels = samples.shape
    sums, squares = [0] * (channels + 1), [0] * (channels + 1)
    for start in range(0, count, _BLOCK):
        block = _at_16_bits(samples[start : start + _BLOCK]).astype(np.int64)
        columns = [*block.T, block.sum(axis=1)]
        for number, column in enumerate(columns):
            sums[number] += int(column.sum())
            squares[number] += int(np.dot(column, column))
    variances = [count * s - f * f for f, s in zip(sums, squares, strict=True)]
    return variances[-1], sum(variances[:-1])


def _at_16_bits(samples: NDArray[Any]) -> NDArray[np.int16]:
    """Return samples rounded to 16 bits, as `probe` measures them."""
    if samples.dtype == np.int16:
        return samples
    scaled = np.clip(samples, -1, 1) * np.float32(FULL_SCALE)
    rounded: NDArray[np.int16] = np.minimum(np.rint(scaled), FULL_SCALE - 1).astype(np.int16)
    return rounded


def _quality(channel: NDArray[np.int16], sample_rate_hz: int) -> tuple[float, float]:
    meter = LevelMeter(sample_rate_hz, 1, FULL_SCALE)
    meter.add(np.ascontiguousarray(channel))
    snr = meter.snr_db()
    return -math.inf if snr is None else snr, meter.level_dbfs()
