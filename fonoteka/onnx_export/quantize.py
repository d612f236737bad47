"""Dynamic int8 quantisation: weights of matrix products as bytes, inputs quantised at run time.

Only MatMul: other operators were slower and less accurate in int8. An input scale is computed over
the whole batch, so the outputs of an int8 file depend on the other clips of a batch.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file


@dataclass(frozen=True)
class Int8Params:
    """Limits for an int8 file.

    Attributes:
        check_clips: of the validation part, which the phone error rates are of.
        fp32_nodes: parts of names of the matrix products that stay in fp32.
        max_size_ratio: the maximum ratio of its bytes to those of the fp32 file.
        max_per_loss: the maximum increase of the phone error rate over the fp32 file.
    """

    check_clips: int
    fp32_nodes: tuple[str, ...]
    max_size_ratio: float
    max_per_loss: float


def quantize(
    source: Path, target: Path, max_size_ratio: float, named: Path, fp32_nodes: Iterable[str] = ()
) -> float:
    """Write the int8 file of an fp32 file and return the ratio of their sizes.

    Weights have 7 bits and one scale per column: with 8 bits, processors without VNNI saturate.

    Args:
        source: the fp32 file.
        target: the int8 file.
        max_size_ratio: the largest allowed ratio.
        named: the final path of the int8 file, for errors only.
        fp32_nodes: parts of names, for example `layers.4/fc2`; the products of such nodes stay in
            fp32. A part that no node has is allowed, because models differ.

    Raises:
        UserError: nothing was quantised, or the file is larger than `max_size_ratio` allows.
    """
    with atomic_file(target) as part:
        logging.disable(logging.WARNING)  # it recommends a preprocessing that has no effect here
        try:
            quantize_dynamic(
                source, part, op_types_to_quantize=["MatMul"], per_channel=True,
                reduce_range=True, weight_type=QuantType.QInt8,
                nodes_to_exclude=_names_with(source, fp32_nodes),
            )  # fmt: skip
        finally:
            logging.disable(logging.NOTSET)
        model, before = onnx.load(str(part)), onnx.load(str(source), load_external_data=False)
        if not any(node.op_type == "MatMulInteger" for node in model.graph.node):
            raise UserError(f"{named}: int8 changed nothing: there is no MatMul with weights")
        onnx.helper.set_model_props(model, {p.key: p.value for p in before.metadata_props})
        onnx.save(model, str(part))
        ratio = part.stat().st_size / source.stat().st_size
        if ratio > max_size_ratio:
            raise UserError(
                f"{named}: int8 has {ratio:.0%} of the bytes of fp32; at most {max_size_ratio:.0%} "
                "is allowed (onnx.int8.max_size_ratio in params.yaml)"
            )
    return ratio


def _names_with(path: Path, parts: Iterable[str]) -> list[str]:
    """Return the names of a file's nodes that contain one of the parts."""
    wanted = tuple(parts)
    if not wanted:
        return []
    graph = onnx.load(str(path), load_external_data=False).graph
    return [node.name for node in graph.node if any(part in node.name for part in wanted)]
