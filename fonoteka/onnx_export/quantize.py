"""Dynamic int8: the weights of matrix products as bytes, their inputs quantised as they come.

Only MatMul: other operators were slower and worse in int8. The scale of an input is found over the
whole batch, so an int8 file's answer depends on the batch's other clips; an fp32 file's does not.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file


@dataclass(frozen=True)
class Int8Params:
    """What an int8 file has to be.

    Attributes:
        max_size_ratio: its bytes over those of the fp32 file, at most.
        max_per_loss: its phone error rate less that of the fp32 file, at most.
    """

    max_size_ratio: float
    max_per_loss: float


def quantize(source: Path, target: Path, max_size_ratio: float, named: Path) -> float:
    """Write the int8 file of an fp32 one and return its share of the other's bytes.

    Weights keep 7 bits and a scale for each column: with 8, processors without VNNI saturate.

    Args:
        source: the fp32 file.
        target: the int8 file.
        max_size_ratio: what is allowed.
        named: where the int8 file will lie; it is only named in errors.

    Raises:
        ValueError: nothing was quantised, or the file is larger than `max_size_ratio` allows.
    """
    with atomic_file(target) as part:
        logging.disable(logging.WARNING)  # it recommends a preprocessing that brings nothing here
        try:
            quantize_dynamic(
                source, part, op_types_to_quantize=["MatMul"], per_channel=True,
                reduce_range=True, weight_type=QuantType.QInt8,
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
