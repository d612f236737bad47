"""Whether two clips hold the same recording: their waveforms, laid over each other.

Speech below 3.4 kHz keeps its waveform through mp3 and Vorbis, through 8 kHz, noise and gain; two
takes of one word, by one voice, never have the same one. So correlation says it plainly: copies
read 0.98 and more, takes 0.3 and rarely 0.8; the likest two takes of 3,000 real ones read 0.961. A
codec that sends parameters instead of a waveform (telephones below 8 kbit/s) keeps nothing to
compare and is not recognised.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray

from stages.common.fast_length import fast_length

Wave = NDArray[np.float64]

RATE_HZ = 8000
LOW_HZ, HIGH_HZ = 200.0, 3400.0
MIN_SHARED_S = 0.2  # less than a syllable is alike by chance
_EDGE_HZ = 50.0  # over which the band's ends fade
_SOME, _MOST, _REST = 0.05, 0.5, 0.05  # of a clip's energy
_LEAST = 0.75  # of a clip shorter than that
_FINER, _REACH = 8, 16  # steps of a sample; samples of the interpolation to either side


@dataclass(frozen=True)
class Match:
    """How two clips lie on each other best.

    Attributes:
        similarity: correlation where both are, 0 to 1; 0 where they can't lie on each other.
        lag_s: when the second one begins, on the first one's clock.
        shared_s: how long both are there.
    """

    similarity: float
    lag_s: float
    shared_s: float


def telephone_band(samples: NDArray[np.floating], sample_rate_hz: int) -> Wave:
    """Return one channel at 8 kHz, between 200 and 3400 Hz, as loud as full scale lets it be.

    One Fourier transform there and a shorter one back filter and resample exactly, so that every
    rate gives the same wave.

    Args:
        samples: shape `[T]` or `[T, C]`, T >= 1.
        sample_rate_hz: rate of the samples.

    >>> telephone_band(np.zeros((22050, 2)), 22050).shape
    (8000,)
    """
    mono = samples.mean(axis=1) if samples.ndim == 2 else samples
    common = gcd(sample_rate_hz, RATE_HZ)
    here, there = sample_rate_hz // common, RATE_HZ // common
    spare = sample_rate_hz // 10  # the transform is circular; this keeps the end off the start
    parts = fast_length(-(-(len(mono) + spare) // here))
    spectrum = np.fft.rfft(mono.astype(np.float64), parts * here)
    hz = np.arange(len(spectrum)) * sample_rate_hz / (parts * here)
    spectrum *= np.clip((hz - LOW_HZ) / _EDGE_HZ + 1, 0, 1)
    spectrum *= np.clip((HIGH_HZ - hz) / _EDGE_HZ + 1, 0, 1)
    bins = parts * there // 2 + 1
    wave = np.fft.irfft(spectrum[:bins], parts * there)[: -(-len(mono) * there // here)]
    peak = float(np.abs(wave).max())
    return np.asarray(wave / peak if peak else wave)


def match(first: Wave, second: Wave, max_outside_s: float) -> Match:
    """Return how two waves of `telephone_band` lie on each other best.

    Only such places count where each clip is inside the other but for `max_outside_s` at either
    end and for what is as good as silent: a word is not its sentence.

    Args:
        first: shape `[T]`.
        second: shape `[U]`.
        max_outside_s: seconds, 0 or more.

    >>> noise = telephone_band(np.random.default_rng(1).standard_normal(8000), 8000)
    >>> match(noise, -0.5 * noise[800:], 0.5)
    Match(similarity=1.0, lag_s=0.1, shared_s=0.9)
    """
    size = fast_length(len(first) + len(second))
    correlation = np.fft.irfft(np.fft.rfft(first, size) * np.conj(np.fft.rfft(second, size)), size)
    lags = np.arange(1 - len(second), len(first))
    begin, end = np.maximum(lags, 0), np.minimum(lags + len(second), len(first))
    outside = round(max_outside_s * RATE_HZ)
    inside, kept, wide = [], [], []
    for wave, start, stop in ((first, begin, end), (second, begin - lags, end - lags)):
        energy = np.concatenate([[0.0], np.cumsum(wave * wave)])
        total = max(energy[-1], np.finfo(np.float64).tiny)
        inside.append(energy[stop] - energy[start])
        kept.append(inside[-1] / total)
        first_near = np.maximum(start - outside, 0)
        last_near = np.minimum(stop + outside, len(wave))
        wide.append((energy[last_near] - energy[first_near]) / total)
    allowed = (
        (end - begin >= min(MIN_SHARED_S * RATE_HZ, _LEAST * len(first), _LEAST * len(second)))
        & (np.minimum(*kept) >= _SOME)
        & (np.maximum(*kept) >= _MOST)
        & (np.minimum(*wide) >= 1 - _REST)
    )
    norm = np.sqrt(np.where(allowed, inside[0] * inside[1], 1.0))
    scores = np.where(allowed, np.abs(correlation[lags]) / norm, 0.0)
    best = int(scores.argmax())
    if not scores[best] > 0:
        return Match(0.0, 0.0, 0.0)
    peak, lag = _refined(correlation, int(lags[best]))
    shared_s = float(end[best] - begin[best]) / RATE_HZ
    return Match(min(1.0, peak / float(norm[best])), lag / RATE_HZ, shared_s)


def _refined(correlation: Wave, lag: int) -> tuple[float, float]:
    """Return the largest magnitude around a lag, between samples too, and where it is.

    A shift by half a sample would cost a tenth of the correlation at 3 kHz. The correlation is as
    band-limited as the waves are, so a windowed sinc tells its values between.
    """
    around = np.arange(-_REACH, _REACH + 1)
    steps = np.arange(-_FINER, _FINER + 1) / _FINER
    apart = steps[:, None] - around
    weights = np.sinc(apart) * np.cos(np.clip(apart / (_REACH + 1), -1, 1) * np.pi / 2)
    values = np.abs(weights @ correlation[(lag + around) % len(correlation)])
    best = int(values.argmax())
    return float(values[best]), lag + float(steps[best])
