"""Change a recording as recordings are changed on their way, and keep it under another name.

Opus and AAC are written by ffmpeg, as sites that people fetch speech from do it. Without ffmpeg
those kinds can't be made, see `possible`.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import resample_poly, sosfilt

from fonoteka.core.errors import UserError

Sound = NDArray[np.float64]
Rng = np.random.Generator

SHIFT_S = 0.5  # at most
LEFT_S = 0.3  # of a clip, at least
NOISE_DB = -20.0  # under the clip
GAIN_DB = (2.0, 4.0)  # of each of an equaliser's three filters, up or down
AAC = ("-c:a", "aac", "-b:a", "32k")


@dataclass(frozen=True)
class Changed:
    """A changed clip and how it is kept.

    Attributes:
        samples: shape `[T]`.
        sample_rate_hz: rate of the samples.
        suffix: of the file.
        encoder: ffmpeg's options; none if soundfile writes the file.
    """

    samples: Sound
    sample_rate_hz: int
    suffix: str = ".flac"
    encoder: tuple[str, ...] = ()


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


def _opus(x: Sound, rate: int, _: Rng, kbit_s: int) -> Changed:
    return Changed(x, rate, ".opus", ("-c:a", "libopus", "-b:a", f"{kbit_s}k"))


def _aac(x: Sound, rate: int, _: Rng) -> Changed:
    return Changed(x, rate, ".m4a", AAC)


def _equalised(x: Sound, rate: int, rng: Rng) -> Changed:
    """Turn the bass, one octave of the middle and the treble up or down, each by `GAIN_DB`."""
    gains = rng.uniform(*GAIN_DB, size=3) * rng.choice([-1, 1], size=3)
    middle_hz = np.exp(rng.uniform(np.log(500), np.log(2500)))
    sections = [
        shelf(rng.uniform(100, 300) / rate, gains[0]),
        peak(middle_hz / rate, gains[1]),
        shelf(rng.uniform(2000, 3500) / rate, -gains[2]),
    ]
    y = np.asarray(sosfilt(np.array(sections), x * 10 ** (gains[2] / 20)))
    return Changed(y / max(1.0, float(np.abs(y).max())), rate)


def peak(frequency: float, gain_db: float) -> list[float]:
    """Return a filter's section that lifts an octave or so around a frequency.

    Source: Bristow-Johnson, "Cookbook formulae for audio equalizer biquad filter coefficients",
    with Q = 1.

    Args:
        frequency: of the sample rate, below 0.5.
        gain_db: at that frequency.
    """
    a, w = 10 ** (gain_db / 40), 2 * np.pi * frequency
    alpha, middle = np.sin(w) / 2, -2 * np.cos(w)
    return _normed([1 + alpha * a, middle, 1 - alpha * a, 1 + alpha / a, middle, 1 - alpha / a])


def shelf(frequency: float, gain_db: float) -> list[float]:
    """Return a filter's section that lifts all below a frequency; `peak` has the source; slope 1.

    Less of it and as much more of the whole is a lift of all that is above.
    """
    a, c = 10 ** (gain_db / 40), np.cos(2 * np.pi * frequency)
    slope = np.sqrt(2 * a) * np.sin(2 * np.pi * frequency)
    more, less = a + 1, a - 1
    return _normed([
        a * (more - less * c + slope), 2 * a * (less - more * c), a * (more - less * c - slope),
        more + less * c + slope, -2 * (less + more * c), more + less * c - slope,
    ])  # fmt: skip


def _normed(section: list[float]) -> list[float]:
    return [float(value / section[3]) for value in section]


def _then(x: Sound, rate: int, rng: Rng, encode: Callable[[Sound, int, Rng], Changed]) -> Changed:
    return encode(_equalised(x, rate, rng).samples, rate, rng)


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
    "opus 16 kbit/s": partial(_opus, kbit_s=16),
    "opus 24 kbit/s": partial(_opus, kbit_s=24),
    "opus 32 kbit/s": partial(_opus, kbit_s=32),
    "aac 32 kbit/s": _aac,
    "equalised": _equalised,
    "equalised, opus 16 kbit/s": partial(_then, encode=partial(_opus, kbit_s=16)),
    "equalised, opus 24 kbit/s": partial(_then, encode=partial(_opus, kbit_s=24)),
    "equalised, aac 32 kbit/s": partial(_then, encode=_aac),
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
    return replace(made, samples=np.clip(made.samples, -1, 1))


def possible() -> list[str]:
    """Return the kinds that can be made here: without ffmpeg none of Opus and AAC."""
    ffmpeg = shutil.which("ffmpeg")
    return [kind for kind in KINDS if ffmpeg or not ("opus" in kind or "aac" in kind)]


def write(copy: Changed, stem: Path) -> Path:
    """Write a changed clip as its kind is kept, and return the path with the kind's suffix.

    Raises:
        ValueError: ffmpeg failed; its message is included.
    """
    path = stem.with_name(stem.name + copy.suffix)
    rate = copy.sample_rate_hz
    if not copy.encoder:
        options: dict[str, Any] = {} if copy.suffix == ".ogg" else {"subtype": "PCM_16"}
        if copy.suffix == ".mp3":
            level = MP3_LEVEL.get(rate, 0.7)
            options = {"bitrate_mode": "CONSTANT", "compression_level": level}
        soundfile.write(path, copy.samples, rate, **options)
        return path
    given = ["-f", "f32le", "-ar", str(rate), "-ac", "1", "-i", "-"]
    command = ["ffmpeg", "-nostdin", "-v", "error", *given, *copy.encoder, str(path)]
    sound = copy.samples.astype("<f4").tobytes()
    done = subprocess.run(command, input=sound, capture_output=True, check=False)
    if done.returncode:
        raise UserError(f"{path}: ffmpeg failed: {done.stderr.decode(errors='replace').strip()}")
    return path


def _some(x: Sound, rate: int, rng: Rng) -> int:
    """Return how many samples go: up to half a second, as long as enough is left."""
    most = min(SHIFT_S * rate, len(x) - LEFT_S * rate)
    return round(rng.uniform(0.1, 1.0) * max(most, 0))


def _resampled(x: Sound, rate: int, wanted: int) -> Sound:
    common = gcd(rate, wanted)
    return np.asarray(resample_poly(x, wanted // common, rate // common))
