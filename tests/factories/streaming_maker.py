"""Updates of streams, and toy models for them: the level of a sample names its phone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.streaming.interfaces import Frames, Posteriors, StreamedPhone, StreamUpdate

LABELS = ("", "d", "a")
FRAME = 320
LEVELS = (0.0, 0.25, 0.5)
"""The level of a frame's samples names its label."""


def phone(symbol: str, start_s: float, end_s: float | None = None) -> StreamedPhone:
    """Return a phone of 100 ms, or with the given end."""
    return StreamedPhone(symbol, start_s, start_s + 0.1 if end_s is None else end_s, 0.9)


def update(
    audio_s: float,
    committed: Sequence[StreamedPhone] = (),
    provisional: Sequence[StreamedPhone] = (),
) -> StreamUpdate:
    """Return an update."""
    return StreamUpdate(audio_s, tuple(committed), tuple(provisional))


@st.composite
def random_updates(draw: st.DrawFn, symbols: str = "abcd") -> list[StreamUpdate]:
    """Draw the updates of a finished stream; a chunk has 40 ms and a phone 10 ms."""
    short = st.lists(st.sampled_from(symbols), max_size=4)
    pairs = draw(st.lists(st.tuples(short, short), min_size=1, max_size=12))
    updates, count = [], 0
    for number, (committed, provisional) in enumerate(pairs):
        tail = [] if number + 1 == len(pairs) else provisional
        phones = [
            phone(symbol, 0.01 * (count + n), 0.01 * (count + n + 1))
            for n, symbol in enumerate([*committed, *tail])
        ]
        updates.append(
            update(0.04 * (number + 1), phones[: len(committed)], phones[len(committed) :])
        )
        count += len(committed)
    return updates


class ToyEngine:
    """Commits known phones some time after their end, and shows them before.

    Args:
        phones: symbol, start and end in seconds, in order.
        delay_s: from the end of a phone to its commit.
    """

    def __init__(self, phones: Sequence[tuple[str, float, float]], delay_s: float = 0.0) -> None:
        self.phones = [StreamedPhone(symbol, start, end, 0.9) for symbol, start, end in phones]
        self.delay_s = delay_s
        self.reset()

    def reset(self) -> None:
        """Return to the start of a stream."""
        self.samples, self.count = 0, 0

    def feed(self, samples: Signal) -> StreamUpdate:
        """Return the phones whose delay is over, and those that have begun."""
        self.samples += len(samples)
        audio_s = self.samples / SAMPLE_RATE_HZ
        done = sum(phone.end_s + self.delay_s <= audio_s + 1e-9 for phone in self.phones)
        begun = sum(phone.start_s < audio_s for phone in self.phones)
        committed = tuple(self.phones[self.count : done])
        self.count = done
        return StreamUpdate(audio_s, committed, tuple(self.phones[done : max(done, begun)]))

    def finish(self) -> StreamUpdate:
        """Return all other phones as committed, and reset the state."""
        update = StreamUpdate(self.samples / SAMPLE_RATE_HZ, tuple(self.phones[self.count :]), ())
        self.reset()
        return update


def posteriors_of(signal: Signal) -> Posteriors:
    """Return log posteriors `[T, 3]` of whole frames by their level, `LEVELS`."""
    frames = signal[: len(signal) // FRAME * FRAME].reshape(-1, FRAME)
    distances = np.abs(np.abs(frames).mean(axis=1, keepdims=True) - np.array(LEVELS))
    scores = -40.0 * distances
    log_probs = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    return np.asarray(log_probs, dtype=np.float32)


class ToySource:
    """A `FrameSource` of `posteriors_of`; every whole frame is final at once."""

    labels = LABELS
    look_ahead_s = 0.02

    def __init__(self) -> None:
        self.rest: Signal = np.zeros(0, np.float32)

    def push(self, samples: Signal) -> Frames:
        """Return the whole frames."""
        self.rest = np.concatenate([self.rest, samples])
        log_probs = posteriors_of(self.rest)
        self.rest = self.rest[len(log_probs) * FRAME :]
        return Frames(log_probs, log_probs[:0])

    def finish(self) -> Frames:
        """Return nothing: a part of a frame has no label."""
        self.rest = self.rest[:0]
        return Frames(posteriors_of(self.rest), posteriors_of(self.rest))


class SourceEngine:
    """The engine of a source: a phone is committed when its frames are over."""

    def __init__(self, source: ToySource) -> None:
        self.source = source
        self.reset()

    def reset(self) -> None:
        """Return to the start of a stream."""
        self.best: list[int] = []
        self.samples = self.count = 0

    def feed(self, samples: Signal) -> StreamUpdate:
        """Return the phones whose run is over, and the one of the open run."""
        self.samples += len(samples)
        self.best += self.source.push(samples).final.argmax(axis=1).tolist()
        phones = self.runs()
        open_run = bool(self.best and self.best[-1])
        done = phones[self.count : len(phones) - open_run]
        self.count += len(done)
        return StreamUpdate(self.samples / SAMPLE_RATE_HZ, tuple(done), tuple(phones[self.count :]))

    def finish(self) -> StreamUpdate:
        """Return the open run as committed, and reset the state."""
        self.source.finish()
        update = StreamUpdate(self.samples / SAMPLE_RATE_HZ, tuple(self.runs()[self.count :]), ())
        self.reset()
        return update

    def runs(self) -> list[StreamedPhone]:
        """Return the phone of each run of frames."""
        edges = np.flatnonzero(np.diff(self.best, prepend=-1, append=-1)).tolist()
        return [
            StreamedPhone(LABELS[self.best[a]], a * 0.02, b * 0.02, 0.9)
            for a, b in pairwise(edges)
            if self.best[a]
        ]
