"""Change a recording as recordings are changed on their way, and keep it under another name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

Sound = NDArray[np.float64]
Rng = np.random.Generator

SHIFT_S = 0.5  # at most
LEFT_S = 0.3  # of a clip, at least
NOISE_DB = -20.0  # under the clip


@dataclass(frozen=True)
class Changed:
    """A changed clip and how it is kept."""

    samples: Sound
    sample_rate_hz: int
    suffix: str = ".flac"


def _mp3(x: Sound, rate: int, _: Rng) -> Changed:
    return Changed(x, rate, ".mp3")


def _vorbis(x: Sound, rate: int, _: Rng) -> Changed:
    return Changed(x, rate, ".ogg")


def _at_8_khz(x: Sound, rate: int, _: Rng) -> Changed:
    return Changed(_resampled(x, rate, 8000), 8000)


def _through_8_khz(x: Sound, rate: int, _: Rng) -> Changed:
    higher = 16000 if rate == 8000 else rate
    return Changed(_resampled(_resampled(x, rate, 8000), 8000, higher), higher)


def _scaled(x: Sound, rate: int, rng: Rng) -> Changed:
    return Changed(x * 10 ** (rng.uniform(-20, 6) / 20), rate)


def _padded(x: Sound, rate: int, rng: Rng) -> Changed:
    silence = np.zeros(round(rng.uniform(0.05, SHIFT_S) * rate))
    return Changed(np.concatenate([silence, x]), rate)


def _cut(x: Sound, rate: int, rng: Rng) -> Changed:
    gone = _some(x, rate, rng)
    return Changed(x[gone:] if rng.random() < 0.5 else x[: len(x) - gone], rate)


def _trimmed(x: Sound, rate: int, rng: Rng) -> Changed:
    gone = _some(x, rate, rng)
    start = round(gone * rng.uniform(0.2, 0.8))
    return Changed(x[start : len(x) - (gone - start)], rate)


def _noisy(x: Sound, rate: int, rng: Rng) -> Changed:
    level = np.sqrt(np.mean(x * x)) * 10 ** (NOISE_DB / 20)
    return Changed(x + level * rng.standard_normal(len(x)), rate)


def _all_at_once(x: Sound, rate: int, rng: Rng) -> Changed:
    x = _noisy(_trimmed(x, rate, rng).samples, rate, rng).samples
    return Changed(0.6 * x, rate, ".ogg")


KINDS: dict[str, Callable[[Sound, int, Rng], Changed]] = {
    "mp3 64 kbit/s": _mp3,
    "ogg vorbis": _vorbis,
    "kept at 8 kHz": _at_8_khz,
    "through 8 kHz": _through_8_khz,
    "scaled": _scaled,
    "padded": _padded,
    "cut": _cut,
    "trimmed": _trimmed,
    "noise 20 dB below": _noisy,
    "trimmed, noisy, ogg": _all_at_once,
}

# libsndfile has no bit rate but a level between the lowest and the highest of a sample rate's.
MP3_LEVEL = {8000: 0.0, 16000: 0.7, 22050: 0.65, 24000: 0.65, 44100: 0.88, 48000: 0.88}


def changed(kind: str, samples: Sound, sample_rate_hz: int, rng: Rng) -> Changed:
    """Return a clip after one kind of change, no louder than full scale.

    >>> made = changed("cut", np.ones(16000), 16000, np.random.default_rng(1))
    >>> 4800 <= len(made.samples) < 16000
    True
    """
    made = KINDS[kind](samples, sample_rate_hz, rng)
    return Changed(np.clip(made.samples, -1, 1), made.sample_rate_hz, made.suffix)


def _some(x: Sound, rate: int, rng: Rng) -> int:
    """Return how many samples go: up to half a second, as long as enough is left."""
    most = min(SHIFT_S * rate, len(x) - LEFT_S * rate)
    return round(rng.uniform(0.1, 1.0) * max(most, 0))


def _resampled(x: Sound, rate: int, wanted: int) -> Sound:
    common = gcd(rate, wanted)
    return np.asarray(resample_poly(x, wanted // common, rate // common))
