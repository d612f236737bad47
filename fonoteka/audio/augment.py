"""Augment recordings: vary what differs between speakers, microphones and rooms.

Each change is drawn independently. All of them keep the phones; only speed moves them in time, so
it is drawn first and returned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal


@dataclass(frozen=True)
class AugmentParams:
    """Ranges and probabilities of the changes.

    Attributes:
        speed: largest relative change of speed, pitch and formants together; 0 for no change.
        tilt: largest coefficient of a first-order filter that tilts the spectrum up or down.
        band_probability: share of copies that lose everything above about 3.5 kHz (a telephone).
        reverb_probability: share of copies put in a small room.
        noise_probability: share of copies with noise.
        noise_db_min: lowest signal-to-noise ratio in dB.
        noise_db_max: highest signal-to-noise ratio in dB.
    """

    speed: float
    tilt: float
    band_probability: float
    reverb_probability: float
    noise_probability: float
    noise_db_min: float
    noise_db_max: float


def augment(
    signal: Signal, params: AugmentParams, rng: np.random.Generator
) -> tuple[Signal, float]:
    """Return an augmented copy of a clip and its speed relative to the clip.

    Args:
        signal: samples at 16 kHz, shape `[T]`.
        params: ranges and probabilities.
        rng: the only source of randomness.
    """
    factor = float(np.exp(rng.uniform(-1, 1) * np.log1p(params.speed)))
    changed = faster(signal, factor)
    tilt = rng.uniform(-params.tilt, params.tilt)
    changed = lfilter([1.0, -tilt], [1.0], changed)
    if rng.random() < params.reverb_probability:
        changed = _in_a_room(changed, rng)
    if rng.random() < params.noise_probability:
        changed = changed + _noise(changed, rng, params)
    if rng.random() < params.band_probability:
        cutoff = rng.uniform(3200, 3900)
        changed = sosfilt(butter(6, cutoff, fs=SAMPLE_RATE_HZ, output="sos"), changed)
    return np.asarray(changed, dtype=np.float32), factor


def faster(signal: Signal, factor: float) -> Signal:
    """Return the signal played `factor` times faster, which also scales pitch and formants.

    Linear interpolation slightly attenuates high frequencies, which is harmless in augmentation.

    >>> faster(np.zeros(100, dtype=np.float32), 2.0).shape
    (50,)
    """
    count = max(1, round(len(signal) / factor))
    positions = np.arange(count) * factor
    return np.asarray(np.interp(positions, np.arange(len(signal)), signal), dtype=np.float32)


def _in_a_room(signal: Signal, rng: np.random.Generator) -> Signal:
    """Return the signal with a reverberation tail that decays by 60 dB within 0.1 to 0.5 s."""
    decay_s = rng.uniform(0.1, 0.5)
    time = np.arange(round(0.5 * decay_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / decay_s)
    tail *= rng.uniform(0.1, 0.5) / np.sqrt(np.sum(np.square(tail)))
    tail[0] = 1.0
    return np.asarray(fftconvolve(signal, tail)[: len(signal)], dtype=np.float32)


def _noise(signal: Signal, rng: np.random.Generator, params: AugmentParams) -> Signal:
    """Return noise between white and brown at a random signal-to-noise ratio."""
    noise = lfilter([1.0], [1.0, -rng.uniform(0.0, 0.95)], rng.standard_normal(len(signal)))
    ratio_db = rng.uniform(params.noise_db_min, params.noise_db_max)
    power, noise_power = np.mean(np.square(signal)), np.mean(np.square(noise))
    gain = np.sqrt(power / noise_power * 10 ** (-ratio_db / 10))
    return np.asarray(noise * gain, dtype=np.float32)
