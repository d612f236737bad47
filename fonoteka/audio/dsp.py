"""Signal processing on arrays: level, mono at 16 kHz, trimming, and deterministic FLAC bytes."""

from __future__ import annotations

import io
from math import gcd

import numpy as np
import soundfile
from numpy.typing import NDArray

from fonoteka.core.errors import UserError

Signal = NDArray[np.float32]

SAMPLE_RATE_HZ = 16_000
FRAMES_PER_SECOND = 50
FRAME_HOP = SAMPLE_RATE_HZ // FRAMES_PER_SECOND
"""Samples between two embeddings: 320, which is 20 ms."""


def rms_dbfs(signal: Signal) -> float:
    """Return the level of a signal in dBFS.

    0 dBFS is a square wave at full scale, so a full-scale sine reads -3.01.

    Args:
        signal: samples in [-1, 1], shape `[T]`, T >= 1.

    Returns:
        Level in dB. Digital silence is `-inf`, so that it differs from a quiet recording.

    Raises:
        ValueError: the signal is empty or not one-dimensional.

    >>> rms_dbfs(np.ones(8, dtype=np.float32))
    0.0
    """
    if signal.ndim != 1 or signal.size == 0:
        raise UserError(f"expected samples of shape [T], T >= 1, found shape {signal.shape}")
    power = float(np.mean(np.square(signal, dtype=np.float64)))
    return float(10 * np.log10(power)) if power > 0 else -float("inf")


def to_mono_16k(samples: NDArray[np.float32], sample_rate_hz: int) -> Signal:
    """Return one channel at 16 kHz: the mean of all channels, resampled by a polyphase filter.

    Args:
        samples: shape `[T]` or `[T, C]`.
        sample_rate_hz: rate of the samples, above 0.

    >>> to_mono_16k(np.zeros((8000, 2), dtype=np.float32), 8000).shape
    (16000,)
    """
    mono = samples.mean(axis=1) if samples.ndim == 2 else samples
    if sample_rate_hz == SAMPLE_RATE_HZ:
        return mono.astype(np.float32)
    # Imported here because it takes 1.8 CPU seconds, and most stages import this module for its
    # constants or for recordings that are at 16 kHz already.
    from scipy.signal import resample_poly

    common = gcd(sample_rate_hz, SAMPLE_RATE_HZ)
    up, down = SAMPLE_RATE_HZ // common, sample_rate_hz // common
    return np.asarray(resample_poly(mono, up, down), dtype=np.float32)


def speech_bounds(signal: Signal, below_peak_db: float, margin_s: float) -> tuple[int, int]:
    """Return the first and the last sample (exclusive) of the speech with a margin.

    A 10 ms frame counts as speech if it is less than `below_peak_db` below the loudest frame. The
    threshold is relative, so a quiet recording is kept. `margin_s` is added on both sides.

    >>> click = np.zeros(16000, dtype=np.float32); click[8000:8160] = 1
    >>> speech_bounds(click, 40.0, 0.05)
    (7200, 8960)
    """
    frame = SAMPLE_RATE_HZ // 100
    count = max(1, len(signal) // frame)
    frames = signal[: count * frame].reshape(count, -1) if len(signal) >= frame else signal[None]
    power = np.mean(np.square(frames, dtype=np.float64), axis=1)
    loud = np.flatnonzero(power > power.max() * 10 ** (-below_peak_db / 10))
    if loud.size == 0:
        return 0, len(signal)
    margin = round(margin_s * SAMPLE_RATE_HZ)
    return max(0, int(loud[0]) * frame - margin), min(
        len(signal), (int(loud[-1]) + 1) * frame + margin
    )


def levelled(signal: Signal, level_dbfs: float, peak: float = 0.98) -> Signal:
    """Return the signal at a given RMS level, or quieter if its peak would exceed `peak`.

    >>> round(rms_dbfs(levelled(np.full(9, 0.5, dtype=np.float32), -20.0)), 3)
    -20.0
    """
    current_dbfs = rms_dbfs(signal)
    if not np.isfinite(current_dbfs):
        return signal
    gain = 10 ** ((level_dbfs - current_dbfs) / 20)
    gain = min(gain, peak / float(np.abs(signal).max()))
    return np.asarray(signal * gain, dtype=np.float32)


def flac_bytes(signal: Signal) -> bytes:
    """Return a 16 kHz signal as 16-bit FLAC. Equal samples give equal bytes."""
    buffer = io.BytesIO()
    pcm = np.clip(np.rint(signal * 32767.0), -32768, 32767).astype(np.int16)
    soundfile.write(buffer, pcm, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()
