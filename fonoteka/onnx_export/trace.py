"""Write an ONNX file of a torch module by tracing; its bytes depend on the module only."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from fonoteka.core.files import atomic_file

Axes = Mapping[str, Mapping[int, str]]
"""Names of inputs and outputs, each with the names of its dynamic axes."""


def trace(
    module: nn.Module, example: tuple[Tensor, ...], inputs: Sequence[str], outputs: Sequence[str],
    axes: Axes, properties: Mapping[str, str], path: Path, opset: int,
) -> None:  # fmt: skip
    """Write one file.

    Args:
        module: in evaluation mode.
        example: the inputs; the axes in `axes` may have other sizes later.
        inputs: their names.
        outputs: names of the outputs.
        axes: which axes are dynamic.
        properties: the metadata of the file, in this order.
        path: the file.
        opset: opset version of the file.
    """
    with atomic_file(path) as part:
        with warnings.catch_warnings():
            # The tracer warns about every shape it reads; the callers' checks use other shapes.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module, example, str(part), dynamo=False, opset_version=opset,
                input_names=list(inputs), output_names=list(outputs),
                dynamic_axes={name: dict(names) for name, names in axes.items()},
            )  # fmt: skip
        model = onnx.load(str(part))
        onnx.helper.set_model_props(model, dict(properties))
        onnx.checker.check_model(model)
        onnx.save(model, str(part))
