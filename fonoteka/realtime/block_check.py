"""Hear a sound block by block, as a host does, and see that the answers are those of the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError
from fonoteka.onnx_export import stateful_session
from fonoteka.realtime import frontend
from fonoteka.realtime.events import peaks
from fonoteka.realtime.frontend import FrontEnd
from fonoteka.rtneural.interpreter import Network

Array = NDArray[np.float32]

ALLOWED = 1e-5
"""The largest difference of an output, a probability. The same numbers added up in another order
differ by less than a tenth of it; weights in another order by a hundred times as much or more."""


def babble(seconds: float, seed: int = 1) -> Signal:
    """Return bursts of noise and buzz with resonances and pauses, 16 bits as in a WAV file.

    It is no speech, but it begins, ends, is voiced, voiceless, loud and quiet as often.

    >>> babble(0.5).shape
    (8000,)
    """
    rng = np.random.default_rng(seed)
    length = round(seconds * SAMPLE_RATE_HZ)
    heard = 10 ** (-60 / 20) * rng.standard_normal(length)
    at = 0
    while at < length:
        at += int(rng.uniform(0.02, 0.3) * SAMPLE_RATE_HZ)
        count = min(int(rng.uniform(0.05, 0.4) * SAMPLE_RATE_HZ), length - at)
        if count > 0:
            heard[at : at + count] += _burst(count, rng)
        at += count
    return np.asarray(np.round(np.clip(heard, -1, 1) * 32767) / 32768, dtype=np.float32)


def _burst(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    # Not at the top: it takes 1.8 CPU seconds to import, and a sound of one's own needs none of it.
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


def streamed(network: Network, end: FrontEnd, signal: Signal, size: int) -> Array:
    """Return the outputs `[T, O]` of a sound that comes in blocks of `size` samples."""
    network.reset()
    stream, found = frontend.Streamed(end), []
    for at in range(0, len(signal), size):
        found += [network.forward(frame) for frame in stream.push(signal[at : at + size])]
    return np.array(found, dtype=np.float32).reshape(-1, network.outputs)


def stepped(session: Any, frames: Array) -> Array:
    """Return the outputs `[T, O]` of an ONNX file, one frame a call from a reset on."""
    runner = stateful_session.Streamed(session)
    return np.concatenate([runner.run(frame[None]) for frame in frames])


def answers(outputs: Array, event: bool, threshold: float) -> NDArray[np.bool_]:
    """Return which answers are given at each hop, of outputs `[T, O]`, shape `[T, O]`.

    >>> answers(np.array([[0.2, 0.7, 0.1]], dtype=np.float32), False, 0.0).tolist()
    [[False, True, False]]
    """
    given = np.zeros(outputs.shape, dtype=np.bool_)
    if outputs.shape[1] > 1:
        given[np.arange(len(outputs)), outputs.argmax(axis=1)] = True
    elif event:
        given[peaks(outputs[:, 0], threshold)] = True
    else:
        given = outputs > threshold
    return given


def margins(outputs: Array, event: bool, threshold: float) -> Array:
    """Return by how much each answer was given, or was not, shape `[T, O]`.

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
class Compared:
    """A stream beside the whole.

    Attributes:
        hops: of the sound.
        error: the largest difference of an output.
        close: answers that differ where two outputs, or one and its threshold, lay so close that
            the last bits decided.
    """

    hops: int
    error: float
    close: int


def compare(found: Array, wanted: Array, event: bool, threshold: float) -> Compared:
    """Compare outputs `[T, O]` and the answers that they give.

    Raises:
        ValueError: they are of other lengths, differ by more than ALLOWED, or give another answer.
    """
    if found.shape != wanted.shape:
        raise UserError(f"{found.shape} outputs in blocks and {wanted.shape} of the whole")
    error = float(np.abs(found - wanted).max())
    if not error <= ALLOWED:
        raise UserError(f"outputs in blocks are off by {error:.2e}; allowed is {ALLOWED}")
    other = answers(found, event, threshold) != answers(wanted, event, threshold)
    close = np.abs(margins(wanted, event, threshold)) <= 2 * ALLOWED
    if (other & ~close).any():
        hop = int((other & ~close).any(axis=1).argmax())
        raise UserError(f"another answer in blocks than of the whole, first at hop {hop}")
    return Compared(len(found), error, int((other & close).any(axis=1).sum()))
