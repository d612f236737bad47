"""Signals as a microphone records them: clips with pauses around them, a noise, a level."""

from __future__ import annotations

from typing import Any

import numpy as np

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal

_TAPS = 64
"""The colour of a noise is a one-pole filter, cut here: scipy's would take 1.8 s to import."""


def pause(random: np.random.Generator, shortest_s: float, longest_s: float) -> Signal:
    """Return digital silence `[N]` at 16 kHz of a random length."""
    samples = round(random.uniform(shortest_s, longest_s) * SAMPLE_RATE_HZ)
    return np.zeros(samples, dtype=np.float32)


class JoinedClips:
    """Clips `[T]` at 16 kHz one after the other, with a pause before each and at the end."""

    def __init__(self, first: Signal) -> None:
        """Begin with a pause `[N]`."""
        self._pieces, self.length = [first], len(first)

    def add(self, clip: Signal, after: Signal) -> float:
        """Add a clip and the pause after it; return the second in which the clip starts."""
        start_s = self.length / SAMPLE_RATE_HZ
        self._pieces += [clip, after]
        self.length += len(clip) + len(after)
        return start_s

    @property
    def samples(self) -> Signal:
        """The whole signal `[length]`."""
        return np.concatenate(self._pieces)


def coloured_noise(random: np.random.Generator, samples: int) -> Any:
    """Return noise `[samples]` of any level whose power falls towards high frequencies.

    How much it falls is random: from white noise to a pole at 0.95.
    """
    tilt = random.uniform(0, 0.95) ** np.arange(_TAPS)
    return np.convolve(random.standard_normal(samples + _TAPS - 1), tilt, "valid")


def recorded(signal: Signal, noise: Any, below_db: float, gain_db: float) -> Signal:
    """Return a signal with a noise, at another level; what exceeds full scale is cut off.

    Args:
        signal: clips and digital silence, `[N]`.
        noise: of any level, `[N]`.
        below_db: level of the noise, below that of the clips.
        gain_db: of the sum.
    """
    loud = signal[signal != 0]
    level = float(np.sqrt(np.mean(np.square(loud, dtype=np.float64)))) if loud.size else 1.0
    scaled = noise * (level * 10 ** (-below_db / 20) / max(float(noise.std()), 1e-12))
    return np.asarray(np.clip((signal + scaled) * 10 ** (gain_db / 20), -1, 1), dtype=np.float32)
