"""Upper bound of the values inside a model, for any input up to a given magnitude.

RTNeural's softmax does not subtract the maximum: above 88 the power e^x is infinite in float32 and
the output is NaN; if all inputs are below -104, it divides by 0. A model that stays within the
bound needs no guard on the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.rtneural.conv2d import Conv2dShape
from fonoteka.rtneural.shapes import step_size

Vector = NDArray[np.float64]
SAFE_LOGIT = 80.0
"""e^80 is 6e34: the sum of a thousand is finite in float32, and e^-80 is not denormal."""

DENSE = ("dense", "time-distributed-dense")


def max_abs_logit(document: Mapping[str, Any], max_abs_input: float) -> float | None:
    """Return an upper bound of the absolute input of any softmax in a model.

    Each weight is assumed to meet its worst input, so real inputs stay far below the bound.

    Args:
        document: a document without faults (see validate.py).
        max_abs_input: the largest absolute input.

    Returns:
        The bound; None if there is no softmax.

    >>> dense = {"type": "dense", "activation": "softmax", "shape": [1], "weights": [[[-2]], [3]]}
    >>> max_abs_logit({"in_shape": [1], "layers": [dense]}, 5.0)
    13.0
    """
    bound = np.full(step_size(document["in_shape"]), max_abs_input)
    logits: list[float] = []
    for layer in document["layers"]:
        bound = _propagate(layer, bound)
        has_activation = layer["type"] in (*DENSE, "conv1d", "conv2d", "activation")
        activation = layer.get("activation", "") if has_activation else ""
        if activation == "softmax":
            logits.append(float(bound.max()))
        # These end in [-1, 1]; ELU is at least -1 and grows with its input.
        if activation in ("softmax", "tanh", "sigmoid"):
            bound = np.ones_like(bound)
        elif activation == "elu":
            bound = np.maximum(bound, 1)
    return max(logits, default=None)


def _propagate(layer: Mapping[str, Any], bound: Vector) -> Vector:
    """Return the bound of each output of a layer, before its activation."""
    kind, arrays = layer["type"], [np.abs(np.array(w, float)) for w in layer["weights"]]
    if kind in DENSE:
        return np.asarray(bound @ arrays[0] + (arrays[1] if len(arrays) > 1 else 0))
    if kind == "conv1d":
        kernel = arrays[0].sum(axis=0)  # [I/G][O]
        groups = bound.reshape(-1, len(kernel))
        inputs = np.repeat(groups, kernel.shape[1] // len(groups), axis=0)  # [O][I/G]
        return np.asarray((inputs.T * kernel).sum(axis=0) + arrays[1])
    if kind in ("gru", "lstm"):  # a mean of the old state and a tanh; a tanh times a sigmoid
        return np.ones(layer["shape"][-1])
    if kind == "prelu":
        return np.asarray(bound * np.maximum(arrays[0].ravel(), 1))
    if kind == "conv2d":
        shape = Conv2dShape.from_layer(layer)
        windows = shape.windows(bound.reshape(shape.features, shape.channels))
        return np.asarray(
            np.einsum("fcj,jco->fo", windows, arrays[0].sum(axis=0)) + arrays[1]
        ).ravel()
    if kind in ("batchnorm", "batchnorm2d"):
        scale = 1 / np.sqrt(np.array(layer["weights"][-1], float) + layer["epsilon"])
        gamma, beta = arrays[:2] if len(arrays) == 4 else (1, 0)
        channels = bound.reshape(-1, len(scale))  # one row, or one per feature of planes
        return np.asarray(gamma * scale * (channels + arrays[-2]) + beta).ravel()
    return bound
