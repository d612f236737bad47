"""The scores of silero-vad, one per 32 ms."""

from __future__ import annotations

import numpy as np

from fonoteka.audio.dsp import Signal
from fonoteka.silero import CHUNK, SileroModel
from fonoteka.streaming.vad.interfaces import FrameBuffer, Scores


class SileroScorer:
    """silero-vad on a stream.

    Unlike `fonoteka.speech_gate`, which may look ahead, it does not read the first half second
    twice, so a noise that begins with the stream can be speech at first.
    """

    frame, delay = CHUNK, 0

    def __init__(self) -> None:
        """Load the model.

        Raises:
            UserError: the package silero-vad is not installed.
        """
        self._model = SileroModel()
        self._frames = FrameBuffer(CHUNK)

    def push(self, samples: Signal) -> Scores:
        """Return the probabilities of the frames that samples `[N]` complete, `[M]`."""
        # One by one: the last bits of a product depend on the number of its rows.
        scores = [self._model.probabilities(frame[None]) for frame in self._frames.push(samples)]
        return np.concatenate([np.zeros(0, np.float32), *scores])

    def reset(self) -> None:
        """Prepare for another stream."""
        self._model.reset()
        self._frames.reset()
