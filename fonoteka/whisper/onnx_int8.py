"""Dynamic int8 quantisation of an exported Whisper model: weights once, inputs at run time.

Weights have 7 bits and one scale per output. Processors without VNNI add pairs of products of bytes
in 16 bits: 2 x 255 x 63 = 32,130 is below 32,767, so processors with and without VNNI compute the
same; with 8 bits, 2 x 255 x 127 = 64,770 saturates on those without.

The embeddings are in the decoder's file once in int8 too, for its first and its last layer.
onnxruntime's `quantize_dynamic` would store a copy of them for each.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file

Keep = Callable[[str], bool]
"""Whether the matrix product of a node name stays in fp32."""

LARGEST = 63
"""The largest weight in 7 bits, see above."""


PER_LAYER = {"encoder": 6, "decoder": 8}
"""Products with weights: four of each attention and two more; the encoder's file has the keys and
values of the cross-attention, so in the decoder two of that are missing."""


def recipes(path: Path) -> dict[str, Keep]:
    """Return which products of a file stay in fp32, from the smallest file to the largest.

    `all` quantises every product, `inner` all but those of the first and the last layer, and what
    follows the last layer: the cross-attention's keys and values, or the logits. A model of two
    layers has no inner ones.
    """
    graph = onnx.load(str(path)).graph
    weights = {tensor.name for tensor in graph.initializer}
    names = [
        node.name
        for node in graph.node
        if node.op_type in ("MatMul", "Gemm") and node.input[1] in weights
    ]
    is_encoder = graph.input[0].name == "samples"
    size = PER_LAYER["encoder" if is_encoder else "decoder"]
    after = len(graph.output) - 1 if is_encoder else 1
    outer = {*names[:size], *names[-size - after :]}
    result: dict[str, Keep] = {"all": lambda _: False}
    return result if outer.issuperset(names) else result | {"inner": outer.__contains__}


def quantize_file(source: Path, target: Path, keep: Keep = lambda _: False) -> float:
    """Write the int8 file of an fp32 file and return the ratio of their sizes.

    Args:
        source: encoder.onnx or decoder.onnx.
        target: the int8 file; its bytes depend on the source only.
        keep: the matrix products that stay in fp32.

    Raises:
        UserError: no product was quantised.
    """
    model = onnx.load(str(source))
    quantizer = _Quantizer(model.graph, keep)
    quantizer.run()
    if not quantizer.weights:
        raise UserError(
            f"{target}: int8 changed nothing: the file has no matrix product with weights"
        )
    with atomic_file(target) as part:
        onnx.checker.check_model(model)
        onnx.save(model, str(part))
        return part.stat().st_size / source.stat().st_size


def in_7_bits(weights: NDArray[np.float32], axis: int) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return weights as whole numbers of at most 63, and the scale of each output.

    Args:
        weights: a matrix.
        axis: over which inputs are summed; each index of the other axis is an output.

    >>> whole, scales = in_7_bits(np.array([[0.25, 0], [-1, 0]], dtype=np.float32), axis=0)
    >>> whole.tolist(), [round(float(scale), 4) for scale in scales]
    ([[16, 0], [-63, 0]], [0.0159, 1.0])
    """
    largest = np.abs(weights).max(axis=axis, keepdims=True)
    scales = np.where(largest > 0, largest / LARGEST, 1).astype(np.float32)
    whole = np.rint(weights / scales).clip(-LARGEST, LARGEST).astype(np.int8)
    return whole, scales.reshape(-1)


class _Quantizer:
    """Replaces nodes of a graph; equal inputs of several products are quantised once."""

    def __init__(self, graph: Any, keep: Keep) -> None:
        self.graph, self.keep = graph, keep
        self.initializers = {tensor.name: tensor for tensor in graph.initializer}
        self.nodes: list[Any] = []
        self.inputs: set[str] = set()
        self.weights: set[str] = set()

    def run(self) -> None:
        """Replace the nodes and drop the initializers that no node uses after that."""
        tied = {
            node.input[1]
            for node in self.graph.node
            if node.op_type == "Gemm" and not self.keep(node.name)
        }
        for node in self.graph.node:
            if node.op_type == "MatMul" and self._is_quantised(node):
                self._product(node, node.input[1], axis=0)
            elif node.op_type == "Gemm" and node.input[1] in tied:
                self._product(node, node.input[1], axis=1)
            elif node.op_type == "Gather" and node.input[0] in tied:
                self._lookup(node)
            else:
                self.nodes.append(node)
        used = {name for node in self.nodes for name in node.input}
        retained = [tensor for name, tensor in self.initializers.items() if name in used]
        del self.graph.node[:], self.graph.initializer[:]
        self.graph.node.extend(self.nodes)
        self.graph.initializer.extend(retained)

    def _is_quantised(self, node: Any) -> bool:
        return node.input[1] in self.initializers and not self.keep(node.name)

    def _product(self, node: Any, weight: str, axis: int) -> None:
        self._quantise_input(node.input[0])
        self._quantise_weight(weight, axis)
        start, whole = node.output[0], f"{weight}_int8"
        if axis == 1:  # a file has the embeddings as rows, the product needs them as columns
            self._add("Transpose", [whole], f"{whole}_columns", perm=[1, 0])
            whole = f"{whole}_columns"
        data = node.input[0]
        # ONNX Runtime fuses these four nodes to one.
        self._add("MatMulInteger", [f"{data}_uint8", whole, f"{data}_zero"], f"{start}_sum")
        self._add("Cast", [f"{start}_sum"], f"{start}_float", to=onnx.TensorProto.FLOAT)
        self._add("Mul", [f"{data}_scale", f"{weight}_scale"], f"{start}_scale")
        self._add("Mul", [f"{start}_float", f"{start}_scale"], start)

    def _lookup(self, node: Any) -> None:
        weight, tokens, start = node.input[0], node.input[1], node.output[0]
        self._quantise_weight(weight, axis=1)
        self._add("Gather", [f"{weight}_int8", tokens], f"{start}_int8", axis=0)
        self._add("Cast", [f"{start}_int8"], f"{start}_float", to=onnx.TensorProto.FLOAT)
        self._add("Gather", [f"{weight}_scale", tokens], f"{start}_scales", axis=0)
        self._constant("last_axis", np.array([-1]))
        self._add("Unsqueeze", [f"{start}_scales", "last_axis"], f"{start}_columns")
        self._add("Mul", [f"{start}_float", f"{start}_columns"], start)

    def _quantise_input(self, name: str) -> None:
        if name not in self.inputs:
            self.inputs.add(name)
            outputs = [f"{name}_{part}" for part in ("uint8", "scale", "zero")]
            self.nodes.append(
                helper.make_node("DynamicQuantizeLinear", [name], outputs, f"{name}_quantise")
            )

    def _quantise_weight(self, name: str, axis: int) -> None:
        if name not in self.weights:
            self.weights.add(name)
            whole, scales = in_7_bits(numpy_helper.to_array(self.initializers[name]), axis)
            self._constant(f"{name}_int8", whole)
            self._constant(f"{name}_scale", scales)

    def _constant(self, name: str, value: NDArray[Any]) -> None:
        self.initializers[name] = numpy_helper.from_array(value, name)

    def _add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        name = f"{output}_{kind}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name, **attributes))
