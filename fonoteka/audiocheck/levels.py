"""Measure a clip while it is decoded: peak, level, clipping, and how far speech is above noise.

All sums are of integers at 16 bits and exact, so the same sound gives the same numbers anywhere.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

FULL_SCALE = 32768
_FRAME_S = 0.02
_ROUNDING = 1 / 12  # power of the noise of rounding to 16 bits: the least there can be
_QUIET_SHARE = 0.1
_LOUD_FACTOR = 2.0
_NOTHING = np.empty(0, np.int16)


class Meter:
    """Sums over a clip that comes in blocks of interleaved samples at 16 bits."""

    def __init__(self, sample_rate_hz: int, channels: int, ceiling: int) -> None:
        """Begin; a sample whose magnitude is `ceiling` or more counts as clipped."""
        self._width = max(1, round(_FRAME_S * sample_rate_hz)) * channels
        self._ceiling = ceiling
        self._rest = _NOTHING
        self._powers: list[npt.NDArray[np.int64]] = []
        self._ones = _ones(self._width)
        self._energy, self._samples, self.clipped, self.peak = 0, 0, 0, 0

    def add(self, block: npt.NDArray[np.int16]) -> None:
        """Take the next samples."""
        peak = max(int(block.max()), -int(block.min()))
        self.peak = max(self.peak, peak)
        if peak >= self._ceiling:
            over = (block >= self._ceiling) | (block <= -self._ceiling)
            self.clipped += int(np.count_nonzero(over))
        self._samples += block.size
        if self._rest.size:
            block = np.concatenate((self._rest, block))
        whole = block.size // self._width * self._width
        self._rest = block[whole:].copy() if whole < block.size else _NOTHING
        if whole:
            # 2**23 squares of 16 bits can be added in a float before the last bit is lost.
            frames = block[:whole].reshape(-1, self._width).astype(np.float64)
            squares = np.vecdot(frames, frames).astype(np.int64)
            sums = (frames @ self._ones).astype(np.int64)
            self._energy += int(squares.sum())
            # Width squared times the variance: a constant offset is no sound.
            self._powers.append(squares * self._width - sums * sums)

    def level_dbfs(self) -> float:
        """Return the root mean square of all samples in dB of full scale; silence is -inf."""
        if not self._samples:
            return -math.inf
        energy = self._energy
        if self._rest.size:
            rest = self._rest.astype(np.float64)
            energy += int(np.dot(rest, rest))
        return decibels(energy / self._samples / FULL_SCALE**2)

    def clipped_fraction(self) -> float:
        """Return the share of samples at the ceiling or beyond, 0 to 1."""
        return self.clipped / self._samples if self._samples else 0.0

    def snr_db(self) -> float | None:
        """Return an estimate of the signal-to-noise ratio, see the function `snr_db`."""
        if not self._powers:
            return None
        powers = self._powers[0] if len(self._powers) == 1 else np.concatenate(self._powers)
        return snr_db(powers / self._width**2)


def snr_db(powers: npt.NDArray[np.float64]) -> float | None:
    """Estimate how far speech is above the noise under it, from the power of short frames.

    Noise is the mean of the quietest tenth of the frames; speech is the mean of those that hold
    more than twice the noise, less the noise. That is an estimate: on bursts of made speech in
    white noise, half of the time a pause, it is within 2 dB of the truth from 5 to 50 dB (the
    quietest frames are a little under the mean, so it reads high). Sound without a pause of 20 ms
    reads too low, and so does noise that comes and goes. The noise of 16 bits is the least there
    can be, so that a pause of digital silence reads about 100 dB at most, not infinity.

    Args:
        powers: mean square of frames of 20 ms, in squares of 16-bit steps, shape `[frames]`.

    Returns:
        dB, or None where no frame stands out: noise alone, a steady tone, less than two frames.

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
    """Return the mean, rounded once: numpy's depends on how many a processor adds at a time."""
    return math.fsum(values.tolist()) / values.size


def decibels(power: float) -> float:
    """Return a ratio of powers in dB; nothing at all is -inf.

    >>> decibels(100.0), decibels(0.0)
    (20.0, -inf)
    """
    return 10 * math.log10(power) if power > 0 else -math.inf
