"""Export of a causal network to an ONNX file with its state as inputs and outputs.

    frames [1, hops, I], state_0, state_1, ...  ->  outputs [1, hops, O], next_state_0, ...

A host starts with zeros, runs the file on each block of one or more hops, and passes the returned
state with the next block. The tracing exporter is used because the newer one writes an LSTM
with the traced length baked in.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from fonoteka.models.causal import Stack
from fonoteka.onnx_export.trace import trace


class _FlatState(nn.Module):
    """A stack with one argument per part of the state, as the tracer needs it."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.stack = stack

    def forward(self, frames: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        outputs, after = self.stack(frames, state)
        return outputs, *after


def export_stack(
    stack: Stack, inputs: int, metadata: Mapping[str, str], path: Path, opset: int
) -> None:
    """Write one file; its bytes depend on the stack only.

    Args:
        stack: in evaluation mode.
        inputs: features per step.
        metadata: the metadata of the file.
        path: the file.
        opset: opset version of the file.
    """
    assert not stack.training
    state = stack.initial_state()
    names = [f"state_{number}" for number in range(len(state))]
    # The tracer resets all modules to the mode of the outermost one.
    module = _FlatState(stack).eval()
    # No shape that the tracer reads depends on the number of hops.
    trace(
        module, (torch.zeros(1, 2, inputs), *state), ["frames", *names],
        ["outputs", *(f"next_{name}" for name in names)],
        {"frames": {1: "hops"}, "outputs": {1: "hops"}}, dict(sorted(metadata.items())), path,
        opset,
    )  # fmt: skip
