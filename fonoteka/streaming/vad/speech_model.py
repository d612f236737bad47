"""The scores of this project's model `speech`, one per two hops of its front end, 20 ms."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fonoteka.audio.dsp import Signal
from fonoteka.core.files import read_json
from fonoteka.onnx_export.session import open_model
from fonoteka.onnx_export.stateful_session import StatefulSession
from fonoteka.realtime.frontend import FrontEnd, StreamingFrontEnd
from fonoteka.streaming.vad.interfaces import FrameBuffer, Scores

HOPS = 2
"""Hops per score: a call of the model takes about as long for two hops as for one."""


class SpeechModelScorer:
    """The model `speech` on a stream."""

    def __init__(self, graph: Path, frontend: Path, delay_hops: int = 0) -> None:
        """Load the model.

        Args:
            graph: speech.onnx of the stage export_realtime.
            frontend: frontend.json.
            delay_hops: of its model.json; needed only to compare scores with known times.

        Raises:
            UserError: a file is missing or damaged.
        """
        self._session = StatefulSession(open_model(graph))
        end = FrontEnd.from_json(read_json(frontend))
        self._front = StreamingFrontEnd(end)
        self.frame, self.delay = HOPS * end.params.hop, delay_hops * end.params.hop
        self._frames = FrameBuffer(self.frame)

    def push(self, samples: Signal) -> Scores:
        """Return the mean probability in each frame that samples `[N]` complete, `[M]`."""
        # Two hops per call, always: the last bits of a product depend on the number of its rows.
        blocks = [self._front.push(frame) for frame in self._frames.push(samples)]
        scores = [self._session.run(block).mean() for block in blocks]
        return np.array(scores, dtype=np.float32)

    def reset(self) -> None:
        """Prepare for another stream."""
        self._session.reset()
        self._front.reset()
        self._frames.reset()
