"""Degrade a recording as recordings are degraded on their way, and write it as a new file.

Opus and AAC are written by ffmpeg, as sites that publish speech do; see `available_kinds`.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import resample_poly, sosfilt

from fonoteka.core.errors import UserError

Samples = NDArray[np.float64]
Rng = np.random.Generator

SHIFT_S = 0.5  # at most
LEFT_S = 0.3  # of a clip, at least
NOISE_DB = -20.0  # below the clip
GAIN_DB = (2.0, 4.0)  # of each of the three filters of an equaliser, up or down
# libsndfile takes a level between the lowest and the highest bit rate of a sample rate.
MP3_LEVEL = {8000: 0.0, 16000: 0.7, 22050: 0.65, 24000: 0.65, 44100: 0.88, 48000: 0.88}


@dataclass(frozen=True)
class DegradedClip:
    """A degraded clip and its file format.

    Attributes:
        samples: shape `[T]`.
        sample_rate_hz: rate of the samples.
        suffix: of the file.
        encoder: options of ffmpeg; empty if soundfile writes the file.
    """

    samples: Samples
    sample_rate_hz: int
    suffix: str = ".flac"
    encoder: tuple[str, ...] = ()


Degradation = Callable[[Samples, int, Rng], DegradedClip]


def _resample(x: Samples, rate: int, target: int) -> Samples:
    common = gcd(rate, target)
    return np.asarray(resample_poly(x, target // common, rate // common))


def _through_8_khz(x: Samples, rate: int, _: Rng) -> DegradedClip:
    higher = 16000 if rate == 8000 else rate
    return DegradedClip(_resample(_resample(x, rate, 8000), 8000, higher), higher)


def _cut_length(x: Samples, rate: int, rng: Rng) -> int:
    """Return a number of samples to cut: up to half a second, if `LEFT_S` remain."""
    most = min(SHIFT_S * rate, len(x) - LEFT_S * rate)
    return round(rng.uniform(0.1, 1.0) * max(most, 0))


def _padded(x: Samples, rate: int, rng: Rng) -> DegradedClip:
    silence = np.zeros(round(rng.uniform(0.05, SHIFT_S) * rate))
    return DegradedClip(np.concatenate([silence, x]), rate)


def _cut(x: Samples, rate: int, rng: Rng) -> DegradedClip:
    length = _cut_length(x, rate, rng)
    return DegradedClip(x[length:] if rng.random() < 0.5 else x[: len(x) - length], rate)


def _trimmed(x: Samples, rate: int, rng: Rng) -> DegradedClip:
    length = _cut_length(x, rate, rng)
    start = round(length * rng.uniform(0.2, 0.8))
    return DegradedClip(x[start : len(x) - (length - start)], rate)


def _noisy(x: Samples, rate: int, rng: Rng) -> DegradedClip:
    level = np.sqrt(np.mean(x * x)) * 10 ** (NOISE_DB / 20)
    return DegradedClip(x + level * rng.standard_normal(len(x)), rate)


def _trimmed_noisy_ogg(x: Samples, rate: int, rng: Rng) -> DegradedClip:
    x = _noisy(_trimmed(x, rate, rng).samples, rate, rng).samples
    return DegradedClip(0.6 * x, rate, ".ogg")


def _opus(kbit_s: int) -> Degradation:
    options = ("-c:a", "libopus", "-b:a", f"{kbit_s}k")
    return lambda x, rate, _: DegradedClip(x, rate, ".opus", options)


def _aac(x: Samples, rate: int, _: Rng) -> DegradedClip:
    return DegradedClip(x, rate, ".m4a", ("-c:a", "aac", "-b:a", "32k"))


def _equalised(x: Samples, rate: int, rng: Rng) -> DegradedClip:
    """Change the bass, one octave of the middle and the treble by `GAIN_DB` each."""
    gains = rng.uniform(*GAIN_DB, size=3) * rng.choice([-1, 1], size=3)
    middle_hz = np.exp(rng.uniform(np.log(500), np.log(2500)))
    sections = [
        shelf(rng.uniform(100, 300) / rate, gains[0]),
        peak(middle_hz / rate, gains[1]),
        shelf(rng.uniform(2000, 3500) / rate, -gains[2]),  # less below, and more of the whole
    ]
    y = np.asarray(sosfilt(np.array(sections), x * 10 ** (gains[2] / 20)))
    return DegradedClip(y / max(1.0, float(np.abs(y).max())), rate)


def _equalised_then(encode: Degradation) -> Degradation:
    return lambda x, rate, rng: encode(_equalised(x, rate, rng).samples, rate, rng)


def peak(frequency: float, gain_db: float) -> list[float]:
    """Return a filter section that changes about an octave around a frequency.

    Source: Bristow-Johnson, "Cookbook formulae for audio equalizer biquad filter coefficients",
    with Q = 1.

    Args:
        frequency: as a fraction of the sample rate, below 0.5.
        gain_db: at that frequency.
    """
    a, w = 10 ** (gain_db / 40), 2 * np.pi * frequency
    alpha, middle = np.sin(w) / 2, -2 * np.cos(w)
    return _normed([1 + alpha * a, middle, 1 - alpha * a, 1 + alpha / a, middle, 1 - alpha / a])


def shelf(frequency: float, gain_db: float) -> list[float]:
    """Return a filter section that changes all below a frequency; source as in `peak`, slope 1."""
    a, c = 10 ** (gain_db / 40), np.cos(2 * np.pi * frequency)
    slope = np.sqrt(2 * a) * np.sin(2 * np.pi * frequency)
    more, less = a + 1, a - 1
    return _normed([
        a * (more - less * c + slope), 2 * a * (less - more * c), a * (more - less * c - slope),
        more + less * c + slope, -2 * (less + more * c), more + less * c - slope,
    ])  # fmt: skip


def _normed(section: list[float]) -> list[float]:
    return [float(value / section[3]) for value in section]


KINDS: dict[str, Degradation] = {
    "mp3 64 kbit/s": lambda x, rate, _: DegradedClip(x, rate, ".mp3"),
    "ogg vorbis": lambda x, rate, _: DegradedClip(x, rate, ".ogg"),
    "kept at 8 kHz": lambda x, rate, _: DegradedClip(_resample(x, rate, 8000), 8000),
    "through 8 kHz": _through_8_khz,
    "scaled": lambda x, rate, rng: DegradedClip(x * 10 ** (rng.uniform(-20, 6) / 20), rate),
    "padded": _padded,
    "cut": _cut,
    "trimmed": _trimmed,
    "noise 20 dB below": _noisy,
    "trimmed, noisy, ogg": _trimmed_noisy_ogg,
    "opus 16 kbit/s": _opus(16),
    "opus 24 kbit/s": _opus(24),
    "opus 32 kbit/s": _opus(32),
    "aac 32 kbit/s": _aac,
    "equalised": _equalised,
    "equalised, opus 16 kbit/s": _equalised_then(_opus(16)),
    "equalised, opus 24 kbit/s": _equalised_then(_opus(24)),
    "equalised, aac 32 kbit/s": _equalised_then(_aac),
}


def degrade(kind: str, samples: Samples, sample_rate_hz: int, rng: Rng) -> DegradedClip:
    """Return a clip after one kind of degradation, clipped to full scale.

    >>> clip = degrade("cut", np.ones(16000), 16000, np.random.default_rng(1))
    >>> 4800 <= len(clip.samples) < 16000
    True
    """
    clip = KINDS[kind](samples, sample_rate_hz, rng)
    return replace(clip, samples=np.clip(clip.samples, -1, 1))


def available_kinds() -> list[str]:
    """Return the kinds that can be written here: all but Opus and AAC without ffmpeg."""
    ffmpeg = shutil.which("ffmpeg")
    return [kind for kind in KINDS if ffmpeg or not ("opus" in kind or "aac" in kind)]


def write(clip: DegradedClip, stem: Path) -> Path:
    """Write a degraded clip in its format and return the path, `stem` with the suffix.

    Raises:
        UserError: ffmpeg failed; its message is included.
    """
    path, rate = stem.with_name(stem.name + clip.suffix), clip.sample_rate_hz
    if clip.encoder:
        source = ["-f", "f32le", "-ar", str(rate), "-ac", "1", "-i", "-"]
        command = ["ffmpeg", "-nostdin", "-v", "error", *source, *clip.encoder, str(path)]
        data = clip.samples.astype("<f4").tobytes()
        done = subprocess.run(command, input=data, capture_output=True, check=False)
        if done.returncode:
            message = done.stderr.decode(errors="replace").strip()
            raise UserError(f"{path}: ffmpeg failed: {message}")
        return path
    options: dict[str, dict[str, Any]] = {
        ".ogg": {}, ".flac": {"subtype": "PCM_16"},
        ".mp3": {"bitrate_mode": "CONSTANT", "compression_level": MP3_LEVEL.get(rate, 0.7)},
    }  # fmt: skip
    soundfile.write(path, clip.samples, rate, **options[clip.suffix])
    return path
