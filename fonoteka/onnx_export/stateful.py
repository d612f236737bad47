"""Write a causal network as an ONNX file that takes its state in and gives it back.

    frames [1, hops, I], state_0, state_1, ...  ->  outputs [1, hops, O], next_state_0, ...

A host starts with zeros, hands each block of one hop or more to the file, and gives the state it
gets back with the next block. The tracing exporter is used because the newer one writes an LSTM
with the traced length baked in.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from fonoteka.core.files import atomic_file
from fonoteka.models.causal import Stack


class _Open(nn.Module):
    """A stack whose state is one argument a part, as the tracer wants it."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.stack = stack

    def forward(self, frames: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        outputs, after = self.stack(frames, state)
        return outputs, *after


def export_stack(
    stack: Stack, inputs: int, facts: Mapping[str, str], path: Path, opset: int
) -> None:
    """Write one file; its bytes depend on the stack alone.

    Args:
        stack: in evaluation mode.
        inputs: features a step.
        facts: for the file's metadata.
        path: the file.
        opset: of the file.
    """
    assert not stack.training
    state = stack.initial_state()
    names = [f"state_{number}" for number in range(len(state))]
    # The tracer puts all modules back into the mode of the outermost one.
    opened = _Open(stack).eval()
    with atomic_file(path) as part:
        with warnings.catch_warnings():
            # The tracer warns of every shape it reads; none of them depends on the hops.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                opened, (torch.zeros(1, 2, inputs), *state), str(part), dynamo=False,
                opset_version=opset, input_names=["frames", *names],
                output_names=["outputs", *(f"next_{name}" for name in names)],
                dynamic_axes={"frames": {1: "hops"}, "outputs": {1: "hops"}},
            )  # fmt: skip
        model = onnx.load(str(part))
        onnx.helper.set_model_props(model, dict(sorted(facts.items())))
        onnx.checker.check_model(model)
        onnx.save(model, str(part))
