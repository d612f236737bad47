"""Run an exported causal network block by block in ONNX Runtime: nothing of torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


class Streamed:
    """A session of a file with its state in and out, which is kept here."""

    def __init__(self, session: Any) -> None:
        """Take a session, as fonoteka.onnx_export.session.open_model returns one."""
        self.session = session
        self.shapes = {
            given.name: given.shape for given in session.get_inputs() if given.name != "frames"
        }
        self.names = [given.name for given in session.get_outputs()]
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self.state = {name: np.zeros(shape, np.float32) for name, shape in self.shapes.items()}

    def run(self, block: Array) -> Array:
        """Return the outputs `[T, O]` of a block of steps `[T, I]`, T >= 1, and remember them."""
        found = self.session.run(self.names, {"frames": block[None]} | self.state)
        after = dict(zip(self.names, found, strict=True))
        self.state = {name: after[f"next_{name}"] for name in self.shapes}
        return np.asarray(after["outputs"][0], dtype=np.float32)
