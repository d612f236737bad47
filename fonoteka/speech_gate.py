"""Find speech in a signal of any length with silero-vad.

Whisper writes words for silence and noise, so only what passes this gate is decoded. One CPU
second is enough for five minutes of sound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError
from fonoteka.silero import CHUNK, SileroModel

_LEAD_CHUNKS = 16
"""The model sees the first half second backwards before it judges the signal. Else the sudden start
of a recording is speech to it: hum passed in 17 of 57 recordings, and with the lead in none."""

_CHUNKS_AT_ONCE = 512  # 16 s: the memory of a call is some MiB


@dataclass(frozen=True)
class SpeechGateParams:
    """What counts as speech.

    Attributes:
        threshold: speech begins at this probability.
        release: speech ends below this probability.
        min_speech_s: shorter speech does not count; 0.06 is two chunks. Before the lead was added,
            16 of 250 spoken digits of 0.2 to 0.6 s were missed with it, and 58 with 0.25, the
            default of silero-vad.
        min_pause_s: a shorter pause belongs to the speech around it.
        margin_s: kept before and after speech; at most `min_pause_s`.
    """

    threshold: float = 0.5
    release: float = 0.35
    min_speech_s: float = 0.06
    min_pause_s: float = 0.3
    margin_s: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.release <= self.threshold < 1:
            raise UserError(
                f"speech_gate: expected 0 < release <= threshold < 1, found release "
                f"{self.release} and threshold {self.threshold}; change them"
            )
        if not 0 <= self.margin_s <= self.min_pause_s:
            raise UserError(
                f"speech_gate: margin_s must lie in 0 to min_pause_s, {self.min_pause_s}, found "
                f"{self.margin_s}; change it"
            )


class Span(NamedTuple):
    """A part of a signal: its first sample, and the one after its last."""

    start: int
    end: int


class SpeechGate:
    """Finds the speech of one signal after the other; `finish` ends a signal.

    The memory does not grow with the signal.
    """

    def __init__(self, params: SpeechGateParams | None = None) -> None:
        """Load the model.

        Raises:
            UserError: the package silero-vad is not installed.
        """
        self.params = params or SpeechGateParams()
        self._model = SileroModel()
        self._reset()

    def _reset(self) -> None:
        self._model.reset()
        self._rest: Signal = np.zeros(0, dtype=np.float32)
        self._led = False
        self._position = 0  # of the next chunk, in samples
        self._start: int | None = None  # of the speech that lasts
        self._pause: int | None = None  # start of the pause after it, if there is one
        self._last_end = 0

    @property
    def open_start(self) -> int | None:
        """The first sample of the speech that lasts at the end of what was pushed, with margin."""
        return None if self._start is None else self._with_margin(self._start)

    @property
    def position(self) -> int:
        """The number of samples that have been judged."""
        return self._position

    def cut(self, sample: int) -> None:
        """Let the speech that lasts begin at `sample`; what is before it was taken already.

        Raises:
            ValueError: no speech lasts, or it begins after `sample`.
        """
        if self._start is None or sample < self._start:
            raise ValueError(f"no speech lasts at sample {sample}")
        self._start = self._last_end = sample

    def push(self, signal: Signal) -> list[Span]:
        """Return the speech that has ended in the signal so far and was not returned before.

        Args:
            signal: the next samples at 16 kHz, `[T]`.
        """
        samples = np.concatenate([self._rest, np.asarray(signal, dtype=np.float32)])
        if not self._led and len(samples) < _LEAD_CHUNKS * CHUNK:
            self._rest = samples
            return []
        self._lead(samples)
        whole = len(samples) // CHUNK * CHUNK
        self._rest = samples[whole:].copy()
        return self._judge(samples[:whole])

    def finish(self) -> list[Span]:
        """Return the rest of the speech, and prepare for another signal."""
        length = self._position + len(self._rest)
        self._lead(self._rest)
        spans = self._judge(np.pad(self._rest, (0, -len(self._rest) % CHUNK)))
        if self._start is not None:
            spans += self._ended(length if self._pause is None else self._pause)
        self._reset()
        return [Span(start, min(end, length)) for start, end in spans]

    def _lead(self, samples: Signal) -> None:
        """Let the model see the start of the signal backwards, once."""
        if not self._led:
            length = min(len(samples) // CHUNK, _LEAD_CHUNKS) * CHUNK
            list(self._probabilities(samples[:length][::-1]))
            self._led = True

    def _judge(self, samples: Signal) -> list[Span]:
        spans = []
        for probability in self._probabilities(samples):
            spans += self._advance(float(probability))
            self._position += CHUNK
        return spans

    def _probabilities(self, samples: Signal) -> Iterator[np.float32]:
        chunks = samples.reshape(-1, CHUNK)
        for begin in range(0, len(chunks), _CHUNKS_AT_ONCE):
            yield from self._model.probabilities(chunks[begin : begin + _CHUNKS_AT_ONCE])

    def _advance(self, probability: float) -> list[Span]:
        """Take the probability of the chunk at the current position; return speech that ended."""
        if probability >= self.params.threshold:
            self._pause = None
            if self._start is None:
                self._start = self._position
        elif probability < self.params.release and self._start is not None:
            if self._pause is None:
                self._pause = self._position
            # The chunk itself is part of the pause, so the margin after the speech is behind us.
            if self._position + CHUNK - self._pause >= self.params.min_pause_s * SAMPLE_RATE_HZ:
                return self._ended(self._pause)
        return []

    def _ended(self, end: int) -> list[Span]:
        assert self._start is not None
        start, self._start, self._pause = self._start, None, None
        cut_before = start == self._last_end > 0  # then it is the rest of longer speech
        if end - start < self.params.min_speech_s * SAMPLE_RATE_HZ and not cut_before:
            return []
        span = Span(self._with_margin(start), end + round(self.params.margin_s * SAMPLE_RATE_HZ))
        self._last_end = span.end
        return [span]

    def _with_margin(self, start: int) -> int:
        return max(start - round(self.params.margin_s * SAMPLE_RATE_HZ), self._last_end, 0)


def speech_spans(gate: SpeechGate, blocks: Iterable[Signal]) -> list[Span]:
    """Return the speech of a signal in samples at 16 kHz.

    Args:
        gate: with no signal in progress.
        blocks: the signal `[T]` in blocks of any lengths.
    """
    spans: list[Span] = []
    for block in blocks:
        spans += gate.push(block)
    return spans + gate.finish()
