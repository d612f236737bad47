"""How loud a model can become inside, for any input up to a given one.

RTNeural's softmax subtracts no maximum: past 88 the power e^x is infinite in float32, and what
comes out is no number; where all inputs lie below -104, it divides by 0. What a file can never
reach needs no guard on the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
SAFE_LOGIT = 80.0
"""e^80 is 6e34: a thousand of them add up to less than float32 holds, and e^-80 is no denormal."""

DENSE = ("dense", "time-distributed-dense")


def loudest_logit(document: Mapping[str, Any], loudest_input: float) -> float | None:
    """Return the largest number, without its sign, that can ever come to a softmax.

    Each weight is taken to meet the worst of its inputs, so what is really heard lies far below.

    Args:
        document: a file without faults (see validate.py), without layers on images.
        loudest_input: the largest number, without its sign, among the inputs.

    Returns:
        The bound; None if there is no softmax.

    >>> dense = {"type": "dense", "activation": "softmax", "shape": [1], "weights": [[[-2]], [3]]}
    >>> loudest_logit({"in_shape": [1], "layers": [dense]}, 5.0)
    13.0
    """
    loud = np.full(document["in_shape"][-1], loudest_input)
    found: list[float] = []
    for layer in document["layers"]:
        loud = _through(layer, loud)
        read = layer["type"] in (*DENSE, "conv1d", "activation")
        curve = layer.get("activation", "") if read else ""
        if curve == "softmax":
            found.append(float(loud.max()))
        if curve in ("softmax", "tanh", "sigmoid"):
            loud = np.ones_like(loud)
        elif curve == "elu":
            loud = np.maximum(loud, 1)
    return max(found, default=None)


def _through(layer: Mapping[str, Any], loud: Vector) -> Vector:
    """Return how loud each output of a layer can become, before its activation."""
    kind, arrays = layer["type"], [np.abs(np.array(w, float)) for w in layer["weights"]]
    if kind in DENSE:
        return np.asarray(loud @ arrays[0] + (arrays[1] if len(arrays) > 1 else 0))
    if kind == "conv1d":
        kernel = arrays[0].sum(axis=0)  # [I/G][O]
        groups = loud.reshape(-1, len(kernel))
        heard = np.repeat(groups, kernel.shape[1] // len(groups), axis=0)  # [O][I/G]
        return np.asarray((heard.T * kernel).sum(axis=0) + arrays[1])
    if kind in ("gru", "lstm"):  # a mean of what was before and a tanh; a tanh times a sigmoid
        return np.ones(layer["shape"][-1])
    if kind == "prelu":
        return np.asarray(loud * np.maximum(arrays[0].ravel(), 1))
    if kind == "batchnorm":
        scale = 1 / np.sqrt(np.array(layer["weights"][-1], float) + layer["epsilon"])
        gamma, beta = arrays[:2] if len(arrays) == 4 else (1, 0)
        return np.asarray(gamma * scale * (loud + arrays[-2]) + beta)
    return loud
