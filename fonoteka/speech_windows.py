"""Cut speech out of a recording of any length, in windows that a model can decode.

Speech with short pauses is joined to windows of at most `max_s`, and windows end at pauses. Speech
that lasts longer without a pause is cut where it is quietest. The memory is that of two windows
and a block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError
from fonoteka.speech_gate import Span, SpeechGate

QUIET_S = 0.2  # length of the quietest part, in whose middle speech without a pause is cut
_STEP_S = 0.01  # between two places that are compared


@dataclass(frozen=True)
class WindowParams:
    """How speech is joined.

    Attributes:
        max_s: longest window; Whisper takes 30 s and needs up to 1.5 s of silence after a clip.
        join_s: longest pause within a window.
    """

    max_s: float = 28.0
    join_s: float = 1.0

    def __post_init__(self) -> None:
        if not 2 * QUIET_S <= self.max_s <= 28.5:
            raise UserError(
                f"a window of {self.max_s} s; expected {2 * QUIET_S} to 28.5 s, change max_s"
            )


class SpeechWindow(NamedTuple):
    """A part of a recording with speech.

    Attributes:
        start_s: where it begins in the recording.
        signal: its samples at 16 kHz, `[T]`.
    """

    start_s: float
    signal: Signal

    @property
    def end_s(self) -> float:
        """The place in the recording where it ends."""
        return self.start_s + len(self.signal) / SAMPLE_RATE_HZ


class _Tape:
    """The end of a signal, from the first sample that is still needed."""

    def __init__(self) -> None:
        self.samples: Signal = np.zeros(0, dtype=np.float32)
        self.begin = 0

    def add(self, block: Signal) -> None:
        self.samples = np.concatenate([self.samples, block])

    def forget(self, before: int) -> None:
        count = min(max(before - self.begin, 0), len(self.samples))
        if count:
            self.samples, self.begin = self.samples[count:].copy(), self.begin + count

    def window(self, span: Span) -> SpeechWindow:
        signal = self.samples[span.start - self.begin : span.end - self.begin]
        return SpeechWindow(span.start / SAMPLE_RATE_HZ, signal.copy())


class _Joiner:
    """Joins spans of speech to windows, and cuts those that are too long."""

    def __init__(self, params: WindowParams, tape: _Tape) -> None:
        self.params, self.tape = params, tape
        self.max_samples = round(params.max_s * SAMPLE_RATE_HZ)
        self.joined: Span | None = None

    def add(self, span: Span) -> Iterator[SpeechWindow]:
        """Yield the windows that are complete now."""
        for piece in self._pieces(span):
            joined = self.joined
            if joined and self._fits(joined, piece):
                self.joined = Span(joined.start, piece.end)
                continue
            yield from self.flush()
            self.joined = piece

    def flush(self) -> Iterator[SpeechWindow]:
        """Yield the window that is not complete, if there is one."""
        if self.joined:
            window, self.joined = self.tape.window(self.joined), None
            yield window

    def _fits(self, joined: Span, piece: Span) -> bool:
        pause = piece.start - joined.end
        near = pause <= self.params.join_s * SAMPLE_RATE_HZ
        return near and piece.end - joined.start <= self.max_samples

    def _pieces(self, span: Span) -> Iterator[Span]:
        while span.end - span.start > self.max_samples:
            cut = self.cut_place(span.start)
            yield Span(span.start, cut)
            span = Span(cut, span.end)
        yield span

    def cut_place(self, start: int) -> int:
        """Return the middle of the quietest part in the second half of a longest window."""
        first = start + self.max_samples // 2 - self.tape.begin
        signal = self.tape.samples[first : start + self.max_samples - self.tape.begin]
        return self.tape.begin + first + quietest(signal)


def quietest(signal: Signal) -> int:
    """Return the middle of the quietest 0.2 s of a signal `[T]`, the first if there are several.

    >>> signal = np.ones(16_000, dtype=np.float32)
    >>> signal[8_000:11_200] = 0
    >>> quietest(signal)
    9600
    """
    width, step = round(QUIET_S * SAMPLE_RATE_HZ), round(_STEP_S * SAMPLE_RATE_HZ)
    energy = np.concatenate([[0.0], np.cumsum(np.square(signal, dtype=np.float64))])
    starts = np.arange(0, max(len(signal) - width, 0) + 1, step)
    ends = np.minimum(starts + width, len(signal))
    return int(starts[np.argmin(energy[ends] - energy[starts])]) + min(width, len(signal)) // 2


def speech_windows(
    blocks: Iterable[Signal], gate: SpeechGate, params: WindowParams | None = None
) -> Iterator[SpeechWindow]:
    """Yield the windows of a recording with speech, in their order.

    Args:
        blocks: the recording at 16 kHz, in blocks `[T]`; a block should not exceed some 30 s.
        gate: with no signal in progress.
        params: how speech is joined.
    """
    tape = _Tape()
    joiner = _Joiner(params or WindowParams(), tape)
    for block in blocks:
        tape.add(block)
        for span in gate.push(block):
            yield from joiner.add(span)
        yield from _relieve(joiner, gate)
        needed = [joiner.joined.start] if joiner.joined else []
        # The margin before the next speech may reach back from where the gate has judged.
        margin = round(gate.params.margin_s * SAMPLE_RATE_HZ)
        open_start = gate.open_start
        needed.append(gate.position - margin if open_start is None else open_start)
        tape.forget(min(needed))
    for span in gate.finish():
        yield from joiner.add(span)
    yield from joiner.flush()


def _relieve(joiner: _Joiner, gate: SpeechGate) -> Iterator[SpeechWindow]:
    """Yield the windows that cannot grow any more, because speech or the pause is too long."""
    while (start := gate.open_start) is not None and (gate.position - start > joiner.max_samples):
        cut = joiner.cut_place(start)
        gate.cut(cut)
        yield from joiner.add(Span(start, cut))
    joined = joiner.joined
    earliest = gate.position if gate.open_start is None else gate.open_start
    if joined and earliest - joined.end > joiner.params.join_s * SAMPLE_RATE_HZ:
        yield from joiner.flush()
