"""Measure a clip while it is decoded: peak, level, clipping and signal-to-noise ratio.

All sums are exact sums of 16-bit integers, so equal samples give equal numbers on every machine.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

FULL_SCALE = 32768
_FRAME_S = 0.02
_ROUNDING = 1 / 12  # power of the rounding noise at 16 bits, the lowest possible noise
_QUIET_SHARE = 0.1
_LOUD_FACTOR = 2.0
_NOTHING = np.empty(0, np.int16)


class LevelMeter:
    """Sums over a clip that arrives in blocks of interleaved 16-bit samples."""

    def __init__(self, sample_rate_hz: int, channels: int, ceiling: int) -> None:
        """Start at zero; a sample whose magnitude is `ceiling` or more counts as clipped."""
        self._width = max(1, round(_FRAME_S * sample_rate_hz)) * channels
        self._ceiling = ceiling
        self._rest = _NOTHING
        self._powers: list[npt.NDArray[np.int64]] = []
        self._ones = _ones(self._width)
        self._energy, self._samples, self.clipped, self.peak = 0, 0, 0, 0

    def add(self, block: npt.NDArray[np.int16]) -> None:
        """Add the next samples."""
        peak = max(int(block.max()), -int(block.min()))
        self.peak = max(self.peak, peak)
        if peak >= self._ceiling:
            is_clipped = (block >= self._ceiling) | (block <= -self._ceiling)
            self.clipped += int(np.count_nonzero(is_clipped))
        self._samples += block.size
        if self._rest.size:
            block = np.concatenate((self._rest, block))
        whole = block.size // self._width * self._width
        self._rest = block[whole:].copy() if whole < block.size else _NOTHING
        if whole:
            # A float64 holds the sum of 2**23 squares of 16-bit samples exactly.
            frames = block[:whole].reshape(-1, self._width).astype(np.float64)
            squares = np.vecdot(frames, frames).astype(np.int64)
            sums = (frames @ self._ones).astype(np.int64)
            self._energy += int(squares.sum())
            # Width squared times the variance, so that a constant offset does not count.
            self._powers.append(squares * self._width - sums * sums)

    def level_dbfs(self) -> float:
        """Return the root mean square of all samples in dBFS; silence is -inf."""
        if not self._samples:
            return -math.inf
        energy = self._energy
        if self._rest.size:
            rest = self._rest.astype(np.float64)
            energy += int(np.dot(rest, rest))
        return decibels(energy / self._samples / FULL_SCALE**2)

    def clipped_fraction(self) -> float:
        """Return the share of samples at the ceiling or above, 0 to 1."""
        return self.clipped / self._samples if self._samples else 0.0

    def snr_db(self) -> float | None:
        """Return an estimate of the signal-to-noise ratio in dB, see the function `snr_db`."""
        if not self._powers:
            return None
        powers = self._powers[0] if len(self._powers) == 1 else np.concatenate(self._powers)
        return snr_db(powers / self._width**2)


def snr_db(powers: npt.NDArray[np.float64]) -> float | None:
    """Return an estimate of the signal-to-noise ratio of speech, from the power of short frames.

    Noise is the mean of the quietest tenth of the frames; speech is the mean of the frames with
    more than twice the noise, minus the noise. On bursts of synthetic speech in white noise with
    pauses half of the time, the estimate is within 2 dB of the truth from 5 to 50 dB (it is too
    high, because the quietest frames are slightly below the mean). It is too low for sound without
    a pause of 20 ms and for intermittent noise. The noise is at least the rounding noise of 16
    bits, so digital silence in pauses gives about 100 dB, not infinity.

    Args:
        powers: mean square of frames of 20 ms, in squares of 16-bit steps, shape `[frames]`.

    Returns:
        dB; None if no frame is louder than the noise: noise alone, a steady tone, under two frames.

    >>> round(snr_db(np.repeat([1.0, 101.0], 10)), 2)
    20.0
    >>> snr_db(np.ones(20)) is None
    True
    """
    if powers.size < 2:
        return None
    ordered = np.sort(powers)
    noise = max(_ROUNDING, _mean(ordered[: max(1, round(_QUIET_SHARE * ordered.size))]))
    loud = ordered[np.searchsorted(ordered, _LOUD_FACTOR * noise, side="right") :]
    return decibels((_mean(loud) - noise) / noise) if loud.size else None


@lru_cache(maxsize=8)
def _ones(width: int) -> npt.NDArray[np.float64]:
    return np.ones(width)


def _mean(values: npt.NDArray[np.float64]) -> float:
    """Return the mean, rounded once; numpy's result depends on the processor's vector width."""
    return math.fsum(values.tolist()) / values.size


def decibels(power: float) -> float:
    """Return a ratio of powers in dB; a ratio of 0 is -inf.

    >>> decibels(100.0), decibels(0.0)
    (20.0, -inf)
    """
    return 10 * math.log10(power) if power > 0 else -math.inf
