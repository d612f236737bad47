"""Comparison of a model on a sound in blocks, as in a host, with the model on the whole sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError
from fonoteka.onnx_export import stateful_session
from fonoteka.realtime import frontend
from fonoteka.realtime.events import pick_peaks
from fonoteka.realtime.frontend import FrontEnd
from fonoteka.rtneural.interpreter import Network

Array = NDArray[np.float32]

ALLOWED = 1e-5
"""The largest allowed difference of an output, a probability. Sums in another order differ by less
than a tenth of it, weights in a wrong order by at least a hundred times as much."""


def synthetic_sound(seconds: float, seed: int = 1) -> Signal:
    """Return bursts of noise and buzz with resonances and pauses, 16 bits as in a WAV file.

    It is not speech, but it has onsets, pauses, voiced, voiceless, loud and quiet parts as often.

    >>> synthetic_sound(0.5).shape
    (8000,)
    """
    rng = np.random.default_rng(seed)
    length = round(seconds * SAMPLE_RATE_HZ)
    signal = 10 ** (-60 / 20) * rng.standard_normal(length)
    start = 0
    while start < length:
        start += int(rng.uniform(0.02, 0.3) * SAMPLE_RATE_HZ)
        count = min(int(rng.uniform(0.05, 0.4) * SAMPLE_RATE_HZ), length - start)
        if count > 0:
            signal[start : start + count] += _burst(count, rng)
        start += count
    return np.asarray(np.round(np.clip(signal, -1, 1) * 32767) / 32768, dtype=np.float32)


def _burst(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    # Not at the top: the import takes 1.8 CPU s, and a check with a recording does not need it.
    from scipy.signal import lfilter

    source = rng.standard_normal(count)
    if rng.random() < 0.5:  # the pulses of a voice
        source = 0.1 * source
        source[:: int(SAMPLE_RATE_HZ / rng.uniform(80, 250))] += 5
    for low_hz, high_hz in ((250, 900), (900, 3500)):
        turn = 2 * np.pi * rng.uniform(low_hz, high_hz) / SAMPLE_RATE_HZ
        source = lfilter([1.0], [1.0, -2 * 0.96 * np.cos(turn), 0.96**2], source)
    level = 10 ** (rng.uniform(-30, -12) / 20)
    return np.asarray(level * source / source.std() * np.hanning(count))


def run_in_blocks(network: Network, end: FrontEnd, signal: Signal, size: int) -> Array:
    """Return the outputs `[T, O]` of a sound in blocks of `size` samples."""
    network.reset()
    stream, outputs = frontend.StreamingFrontEnd(end), []
    for start in range(0, len(signal), size):
        outputs += [network.forward(frame) for frame in stream.push(signal[start : start + size])]
    return np.array(outputs, dtype=np.float32).reshape(-1, network.outputs)


def run_stepwise(session: Any, frames: Array) -> Array:
    """Return the outputs `[T, O]` of an ONNX file, one frame per call from a reset on."""
    runner = stateful_session.StatefulSession(session)
    return np.concatenate([runner.run(frame[None]) for frame in frames])


def decisions(outputs: Array, event: bool, threshold: float) -> NDArray[np.bool_]:
    """Return the decisions at each hop from outputs `[T, O]`, shape `[T, O]`.

    >>> decisions(np.array([[0.2, 0.7, 0.1]], dtype=np.float32), False, 0.0).tolist()
    [[False, True, False]]
    """
    if outputs.shape[1] == 1 and not event:
        return outputs > threshold
    positive = np.zeros(outputs.shape, dtype=np.bool_)
    if outputs.shape[1] > 1:
        positive[np.arange(len(outputs)), outputs.argmax(axis=1)] = True
    else:
        positive[pick_peaks(outputs[:, 0], threshold)] = True
    return positive


def margins(outputs: Array, event: bool, threshold: float) -> Array:
    """Return the margin of each decision, positive if the decision is positive, shape `[T, O]`.

    >>> margins(np.array([[0.25], [1.0], [0.0]], dtype=np.float32), True, 0.5).tolist()
    [[-0.75], [0.5], [-inf]]
    """
    if outputs.shape[1] > 1:
        second, first = np.sort(outputs, axis=1)[:, -2:].T[:, :, None]
        rival = np.where(outputs == first, second, first)
        return np.asarray(outputs - rival, dtype=np.float32)
    if not event:
        return outputs - np.float32(threshold)
    edge = np.full((1, 1), np.inf, dtype=np.float32)
    before, after = np.concatenate([-edge, outputs[:-1]]), np.concatenate([outputs[1:], edge])
    rivals = (np.full_like(outputs, threshold), before, after)
    return np.asarray(outputs - np.maximum.reduce(rivals), dtype=np.float32)


@dataclass(frozen=True)
class BlockComparison:
    """The result of a comparison of outputs in blocks with those of the whole sound.

    Attributes:
        hops: number of hops.
        error: the largest absolute difference of an output.
        close: hops whose decision differs because two outputs, or an output and the threshold,
            differ by less than rounding.
    """

    hops: int
    error: float
    close: int


def compare_outputs(
    outputs: Array, expected: Array, event: bool, threshold: float
) -> BlockComparison:
    """Compare outputs `[T, O]` and the decisions that follow from them.

    Raises:
        UserError: lengths differ, outputs differ by more than ALLOWED, or decisions differ.
    """
    if outputs.shape != expected.shape:
        raise UserError(
            f"{outputs.shape} outputs in blocks and {expected.shape} of the whole sound"
        )
    error = float(np.abs(outputs - expected).max())
    if not error <= ALLOWED:
        raise UserError(f"max abs error {error:.2e} of the outputs in blocks; allowed is {ALLOWED}")
    differs = decisions(outputs, event, threshold) != decisions(expected, event, threshold)
    close = np.abs(margins(expected, event, threshold)) <= 2 * ALLOWED
    if (differs & ~close).any():
        hop = int((differs & ~close).any(axis=1).argmax())
        raise UserError(
            f"decisions in blocks differ from those of the whole sound, first at hop {hop}"
        )
    return BlockComparison(len(outputs), error, int((differs & close).any(axis=1).sum()))
