"""Frames of a recogniser with unbounded context: its window is recomputed after every hop.

Each pass computes all frames of the window, and later samples can change any of them. A policy
decides which frames are final:

- `hold-n`: all but the last n frames of the pass;
- `agree-n`: the first frames whose best label was the same in n passes one after the other: this
  is LocalAgreement on frames in place of words, see `fonoteka.streaming.local_agreement`.

Neither is exact: the stream can differ from the model's output for the whole recording.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fonoteka.audio.dsp import FRAME_HOP, FRAMES_PER_SECOND, Signal
from fonoteka.core.errors import UserError
from fonoteka.onnx_export.session import labels_of, open_model, session_posteriors
from fonoteka.streaming.interfaces import Frames, Posteriors
from fonoteka.streaming.local_agreement import agreed_count

_POLICY = re.compile(r"(hold|agree)-([1-9][0-9]?)")


@dataclass(frozen=True)
class WindowPolicy:
    """When a frame of a recomputed window is final.

    Attributes:
        name: `hold-n` or `agree-n`, n from 1 to 99: frames, or passes.
        hop_frames: frames of 20 ms between two passes.
        context_s: what is kept before the first frame that is not final.
    """

    name: str
    hop_frames: int = 8
    context_s: float = 3.0

    def __post_init__(self) -> None:
        if not _POLICY.fullmatch(self.name):
            raise UserError(
                f"policy {self.name!r}: a model with unbounded context needs hold-N or agree-N, "
                "N from 1 to 99, for example hold-16"
            )
        if self.hop_frames < 1 or self.context_s <= 0:
            raise UserError(
                f"policy {self.name!r}: expected hop_frames of at least 1 and context_s above 0, "
                f"found {self.hop_frames} and {self.context_s}"
            )

    @property
    def kind(self) -> str:
        """`hold` or `agree`."""
        return self.name.split("-")[0]

    @property
    def number(self) -> int:
        """Frames that are held back, or passes that agree."""
        return int(self.name.split("-")[1])


class WindowSource:
    """Runs the whole-path ONNX file of any recogniser; the state of one stream is in `self`."""

    def __init__(self, path: Path, policy: WindowPolicy) -> None:
        """Load a model.

        Raises:
            UserError: the file is missing, damaged or has no labels.
        """
        self._session = open_model(path)
        self.labels: tuple[str, ...] = tuple(labels_of(self._session, path))
        self.policy = policy
        self._hop = policy.hop_frames * FRAME_HOP
        self._context = round(policy.context_s * FRAMES_PER_SECOND)
        self._nothing: Posteriors = np.zeros((0, len(self.labels)), dtype=np.float32)
        self._reset()

    @property
    def look_ahead_s(self) -> float:
        """The longest wait that the policy asks for, if the passes agree at once."""
        number, hop = self.policy.number, self.policy.hop_frames
        frames = number + hop if self.policy.kind == "hold" else number * hop
        return frames / FRAMES_PER_SECOND

    def _reset(self) -> None:
        self._window: Signal = np.zeros(0, dtype=np.float32)
        self._pending: Signal = np.zeros(0, dtype=np.float32)
        self._final = 0  # frames of the window that are final
        self._ahead = self._nothing
        # The best labels of the last passes, from the first frame that is not final.
        self._passes: deque[NDArray[np.int64]] = deque(maxlen=self.policy.number)

    def push(self, samples: Signal) -> Frames:
        """Return the frames that samples `[N]` at 16 kHz make final; N may be 0."""
        self._pending = np.concatenate([self._pending, samples])
        final = [self._nothing]
        while len(self._pending) >= self._hop:
            self._window = np.concatenate([self._window, self._pending[: self._hop]])
            self._pending = self._pending[self._hop :]
            frames = session_posteriors(self._session, self._window[None])[0][self._final :]
            count = self._final_count(frames)
            final.append(frames[:count])
            self._ahead = frames[count:]
            self._advance(count)
        return Frames(np.concatenate(final), self._ahead)

    def finish(self) -> Frames:
        """Return the last frames of the stream as final, and reset the state."""
        window = np.concatenate([self._window, self._pending])
        frames = self._nothing
        if len(window) > self._final * FRAME_HOP:
            frames = session_posteriors(self._session, window[None])[0][self._final :]
        self._reset()
        return Frames(frames, self._nothing)

    def _final_count(self, frames: Posteriors) -> int:
        if self.policy.kind == "hold":
            return max(0, len(frames) - self.policy.number)
        self._passes.append(frames.argmax(-1))
        if len(self._passes) < self.policy.number:
            return 0
        return agreed_count([labels.tolist() for labels in self._passes])

    def _advance(self, count: int) -> None:
        """Count frames as final, and drop what lies before the context."""
        self._passes = deque((labels[count:] for labels in self._passes), self._passes.maxlen)
        self._final += count
        if (dropped := self._final - self._context) > 0:
            self._window = self._window[dropped * FRAME_HOP :]
            self._final -= dropped
