"""Frames of a recogniser with bounded context, one step per chunk, from its ONNX file alone.

Every frame is computed once, from the same numbers however the stream is cut into pieces, so the
final frames do not depend on the pieces.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fonoteka.audio.dsp import FRAME_HOP, SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError
from fonoteka.onnx_export.session import labels_of, open_model
from fonoteka.streaming.interfaces import Frames, Posteriors

KEYS = ("before", "chunk", "step_samples")
"""Numbers in the metadata of a step file; `before` are the samples before a chunk's first frame."""


SHOWN_AHEAD = 1
"""Frames of the look-ahead that are provisional. A later one has less context and changes more:
with one, two and all three of them, 0.02, 0.05 and 0.11 phones per final phone were taken back."""


class StepSource:
    """Runs the step file; the state of one stream is in `self`."""

    def __init__(self, path: Path, shown_ahead: int = SHOWN_AHEAD) -> None:
        """Load a file of the stage `export_stream`.

        Args:
            path: of the file.
            shown_ahead: frames of the look-ahead that are provisional, 0 for none.

        Raises:
            UserError: the file is missing, damaged or not a step file.
        """
        self._session, self._shown_ahead = open_model(path), shown_ahead
        self.labels: tuple[str, ...] = tuple(labels_of(self._session, path))
        entries = self._session.get_modelmeta().custom_metadata_map
        if missing := [key for key in KEYS if key not in entries]:
            raise UserError(f"{path}: no {missing[0]!r} in its metadata; it is not a step file")
        self._before, self._chunk, self._size = (int(entries[key]) for key in KEYS)
        self._states = {
            node.name: np.zeros(node.shape, dtype=np.float32)
            for node in self._session.get_inputs()
            if node.name not in {"samples", "frame"}
        }
        self._nothing: Posteriors = np.zeros((0, len(self.labels)), dtype=np.float32)
        self._reset()

    @property
    def look_ahead_s(self) -> float:
        """The longest time from the start of a frame to the last sample that it depends on."""
        return (self._size - self._before) / SAMPLE_RATE_HZ

    def _reset(self) -> None:
        self._state: dict[str, Any] = self._states
        self._frame = 0  # first frame of the next chunk
        self._samples = 0  # of the stream
        self._pending: Signal = np.zeros(self._before, dtype=np.float32)
        self._ahead = self._nothing

    def push(self, samples: Signal) -> Frames:
        """Return the frames that samples `[N]` at 16 kHz complete; N may be 0."""
        self._samples += len(samples)
        self._pending = np.concatenate([self._pending, samples])
        final = []
        while len(self._pending) >= self._size:
            final.append(self._step())
        return Frames(np.concatenate([self._nothing, *final]), self._ahead)

    def finish(self) -> Frames:
        """Return the last frames of the stream as final, and reset the state."""
        missing = -(-self._samples // FRAME_HOP) - self._frame
        chunks = -(-missing // self._chunk)
        silence = chunks * self._chunk * FRAME_HOP + self._size
        self._pending = np.concatenate([self._pending, np.zeros(silence, dtype=np.float32)])
        final = [self._nothing, *(self._step() for _ in range(chunks))]
        self._reset()
        return Frames(np.concatenate(final)[: max(missing, 0)], self._nothing)

    def _step(self) -> Posteriors:
        """Return the final frames of the next chunk, `[chunk, V]`, and advance by a chunk."""
        inputs = {"samples": self._pending[None, : self._size], "frame": np.array(self._frame)}
        log_probs, ahead, *state = self._session.run(None, inputs | self._state)
        self._state = dict(zip(self._states, state, strict=True))
        self._pending = self._pending[self._chunk * FRAME_HOP :]
        self._frame += self._chunk
        self._ahead = ahead[0, : self._shown_ahead]
        return np.asarray(log_probs[0], dtype=np.float32)
