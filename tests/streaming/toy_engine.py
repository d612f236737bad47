"""A streaming recogniser whose phones are written into the samples, for tests without a model.

A frame is 20 ms, and its label is the mean of its samples times 10: 0.1 is the first phone, 0.0 the
blank. The frames need `LOOK_AHEAD` frames of right context, so they are final that much later.
"""

from __future__ import annotations

import numpy as np

from fonoteka.audio.dsp import FRAME_HOP, SAMPLE_RATE_HZ, Signal
from fonoteka.streaming.engine import StreamEngine
from fonoteka.streaming.interfaces import Frames, Posteriors, StreamedPhone

LABELS = ("<blank>", "d", "o", "b", "a", "r", "tʃ")
LOOK_AHEAD = 3
FRAME_S = FRAME_HOP / SAMPLE_RATE_HZ


def spoken(phones: str, frames: int = 4, pause: int = 2) -> Signal:
    """Return samples that the toy recogniser reads as `phones`, which are separated by spaces."""
    labels = [
        label for phone in phones.split() for label in [LABELS.index(phone)] * frames + [0] * pause
    ]
    return np.repeat(np.float32(labels) / np.float32(10), FRAME_HOP)


class LevelSource:
    """Reads the label of each frame, and keeps what is not a whole frame."""

    labels = LABELS
    look_ahead_s = (1 + LOOK_AHEAD) * FRAME_S

    def __init__(self):
        self.pushed = []  # the last chunks, to compare
        self._held = np.zeros(0, dtype=np.float32)

    def push(self, samples):
        self.pushed = [*self.pushed[-9:], samples]
        self._held = np.concatenate([self._held, samples])
        whole = len(self._held) // FRAME_HOP
        final = max(whole - LOOK_AHEAD, 0)
        frames = Frames(self._read(0, final), self._read(final, whole))
        self._held = self._held[final * FRAME_HOP :]
        return frames

    def finish(self):
        final = self._read(0, len(self._held) // FRAME_HOP)
        self._held = np.zeros(0, dtype=np.float32)
        return Frames(final, self._read(0, 0))

    def _read(self, start: int, end: int) -> Posteriors:
        frames = self._held[start * FRAME_HOP : end * FRAME_HOP].reshape(-1, FRAME_HOP)
        index = np.clip(np.rint(frames.mean(axis=1) * 10), 0, len(LABELS) - 1).astype(int)
        rows = np.full((len(index), len(LABELS)), np.log(0.01), dtype=np.float32)
        rows[np.arange(len(index)), index] = np.log(0.94)
        return rows


class ToyDecoder:
    """Joins equal labels; a phone is committed when the next label differs."""

    def __init__(self):
        self._count, self._label, self._start = 0, 0, 0

    def advance(self, final):
        phones = []
        for label in final.argmax(axis=1).tolist():
            if label != self._label:
                phones += self._open_phone()
                self._label, self._start = label, self._count
            self._count += 1
        return phones

    def preview(self, provisional):
        state = self._count, self._label, self._start
        phones = self.advance(provisional) + self._open_phone()
        self._count, self._label, self._start = state
        return phones

    def finish(self):
        phones = self._open_phone()
        self.__init__()
        return phones

    def _open_phone(self):
        if not self._label:
            return []
        times = self._start * FRAME_S, self._count * FRAME_S
        return [StreamedPhone(LABELS[self._label], *times, 0.3 * self._label % 1.0)]


class ToyEndpoints:
    """Ends an utterance with a phone after samples of silence."""

    def __init__(self, silence_s: float = 0.2):
        self._limit, self._silent = round(silence_s * SAMPLE_RATE_HZ), 0

    def push(self, samples, spoken):
        self._silent = 0 if samples.any() else self._silent + len(samples)
        if not spoken or self._silent < self._limit:
            return None
        self._silent = 0
        return "silence"

    def finish(self):
        self._silent = 0


def toy_engine() -> StreamEngine:
    return StreamEngine(LevelSource(), ToyDecoder(), ToyEndpoints())


def symbols(updates) -> str:
    """Return the committed phones of updates, with spaces between."""
    return " ".join(phone.symbol for update in updates for phone in update.committed)
