"""Inference of an exported causal network block by block in ONNX Runtime, without torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


class StatefulSession:
    """A session of a file with explicit state, which this object stores between blocks."""

    def __init__(self, session: Any) -> None:
        """Use a session from `fonoteka.onnx_export.session.open_model`."""
        self.session = session
        self.shapes = {
            node.name: node.shape for node in session.get_inputs() if node.name != "frames"
        }
        self.names = [node.name for node in session.get_outputs()]
        self.reset()

    def reset(self) -> None:
        """Set the state to zeros."""
        self.state = {name: np.zeros(shape, np.float32) for name, shape in self.shapes.items()}

    def run(self, block: Array) -> Array:
        """Return the outputs `[T, O]` of a block of steps `[T, I]`, T >= 1; update the state."""
        outputs = self.session.run(self.names, {"frames": block[None]} | self.state)
        named_outputs = dict(zip(self.names, outputs, strict=True))
        self.state = {name: named_outputs[f"next_{name}"] for name in self.shapes}
        return np.asarray(named_outputs["outputs"][0], dtype=np.float32)
