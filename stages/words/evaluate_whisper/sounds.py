"""Sounds without a word, for which a recogniser should return no text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.models.determinism import seed_of

Array = NDArray[np.float64]
Maker = Callable[[Any, int], Array]
"""Takes a random generator and a number of samples; returns `[T]` of any level."""

SHORTEST_S, LONGEST_S = 0.5, 5.0
PEAK_DB = (-50.0, -6.0)  # of full scale


def silence(_random: Any, samples: int) -> Array:
    """Return digital silence."""
    return np.zeros(samples)


def white_noise(random: Any, samples: int) -> Array:
    """Return noise of equal power at all frequencies."""
    noise: Array = random.standard_normal(samples)
    return noise


def pink_noise(random: Any, samples: int) -> Array:
    """Return noise whose power falls by 3 dB per octave, as that of rooms and streets does."""
    return _shaped(random, samples, lambda hz: 1 / np.sqrt(np.maximum(hz, 20.0)))


def hum(random: Any, samples: int) -> Array:
    """Return mains hum: 50 or 60 Hz with overtones."""
    partials = [(float(n), 1 / n) for n in range(1, 9)]
    return _partials(random.choice([50.0, 60.0]), partials, samples)


def clicks(random: Any, samples: int) -> Array:
    """Return silence with clicks of 1 ms."""
    signal = np.zeros(samples)
    for start in random.integers(0, samples - 16, size=8):
        signal[start : start + 16] += random.standard_normal(16)
    return signal


def breath(random: Any, samples: int) -> Array:
    """Return noise around 1.5 kHz that swells and fades every 2.5 s."""
    noise = _shaped(random, samples, lambda hz: np.exp(-(np.log((hz + 1) / 1500) ** 2)))
    seconds = np.arange(samples) / SAMPLE_RATE_HZ
    swell = np.sin(2 * np.pi * 0.4 * seconds + random.uniform(0, 2 * np.pi))
    faded: Array = noise * np.maximum(swell, 0)
    return faded


def chords(random: Any, samples: int) -> Array:
    """Return plucked major chords, two per second."""
    half = SAMPLE_RATE_HZ // 2
    decay = np.exp(-3 * (np.arange(samples) % half) / half)
    tones = [(interval * n, n**-1.5) for interval in (1, 1.26, 1.5) for n in range(1, 6)]
    chord: Array = decay * _partials(random.uniform(110, 440), tones, samples)
    return chord


MAKERS: dict[str, Maker] = {
    maker.__name__: maker
    for maker in (silence, white_noise, pink_noise, hum, clicks, breath, chords)
}


def _shaped(random: Any, samples: int, gain: Callable[[Any], Any]) -> Array:
    spectrum = np.fft.rfft(random.standard_normal(samples))
    shaped: Array = np.fft.irfft(
        spectrum * gain(np.fft.rfftfreq(samples, 1 / SAMPLE_RATE_HZ)), samples
    )
    return shaped


def _partials(hz: float, partials: list[tuple[float, float]], samples: int) -> Array:
    seconds = np.arange(samples) / SAMPLE_RATE_HZ
    tones = [weight * np.sin(2 * np.pi * hz * ratio * seconds) for ratio, weight in partials]
    total: Array = np.sum(tones, axis=0)
    return total


def wordless_sounds(count: int, seed: int) -> Iterator[tuple[str, Signal]]:
    """Yield `count` sounds `[T]` at 16 kHz with their kinds, all kinds in turn.

    Each sound depends on the seed and on its number alone.
    """
    kinds = [*MAKERS]
    for number in range(count):
        random = np.random.default_rng(seed_of(seed, "sound", number))
        samples = round(random.uniform(SHORTEST_S, LONGEST_S) * SAMPLE_RATE_HZ)
        sound = MAKERS[kinds[number % len(kinds)]](random, samples)
        peak = 10 ** (random.uniform(*PEAK_DB) / 20)
        loudest = float(np.abs(sound).max()) or 1.0
        yield kinds[number % len(kinds)], (peak * sound / loudest).astype(np.float32)
