"""Conversion of one torch layer to layers of RTNeural, with weights in RTNeural's order.

Layer names and the order of weights are those of Keras:

    dense      kernel [I][O], bias [O]
    conv1d     kernel [K][I / groups][O], the oldest tap first, bias [O]
    lstm       [I][4H], [H][4H], [4H]: input, forget, cell, output; torch's two biases are summed
    gru        [I][3H], [H][3H], [2][3H]: update, reset, candidate; torch has reset first
    batchnorm  gamma, beta, mean, variance: [N] each
    prelu      [1][1][1] or [1][1][N]

Source: the loader of RTNeural, https://github.com/jatinchowdhury18/RTNeural, commit 1fb1f075.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from fonoteka.core.errors import UserError
from fonoteka.rtneural.unsupported import unsupported

Layer = dict[str, Any]


def class_of(module: nn.Module) -> type[nn.Module]:
    """Return the class of a module before its weights were parametrised."""
    return type(module).__bases__[0] if parametrize.is_parametrized(module) else type(module)


def layer_json(
    kind: str, size: int, weights: list[Any], activation: str = "", **more: Any
) -> Layer:
    """Return a layer of `size` outputs.

    A shape has three elements; with four, RTNeural uses the product of the last two.
    """
    start = {"type": kind, "activation": activation, "shape": [None, None, size]}
    return start | more | {"weights": weights}


def require_eval_mode(module: nn.Module, location: str, matters: bool = True) -> None:
    """Refuse a module in training mode if it computes a different result there."""
    if module.training and matters:
        raise UserError(
            f"{location}: it is in training mode and computes a different result there; call eval()"
        )


def to_decimals(
    tensor: Tensor | None, location: str, name: str, zeros: tuple[int, ...] = ()
) -> Any:
    """Return a tensor as nested lists of the shortest decimals that give the same float32.

    Args:
        tensor: of any shape; None means zeros.
        location: the layer, for errors.
        name: the weight, for errors.
        zeros: the shape if there is no tensor.

    Raises:
        UserError: a number is NaN, or not finite in float32.

    >>> to_decimals(torch.tensor([0.1, 1 / 3]), "layer 0", "bias")
    [0.1, 0.33333334]
    """
    if tensor is None:
        return np.zeros(zeros).tolist()
    array = tensor.detach().to("cpu", torch.float32).numpy()
    if indices := np.argwhere(~np.isfinite(array)).tolist():
        reason = (
            f"{name} is not finite in float32 at {len(indices)} of {array.size} places, the first "
            f"{indices[0]}"
        )
        nearest = "the model of the last step at which its loss was finite"
        raise unsupported(location, reason, nearest)
    # str() of a float32 is the shortest decimal that gives the same bits.
    short = np.array([float(str(value)) for value in array.ravel()]).reshape(array.shape)
    assert np.array_equal(short.astype(np.float32), array)
    return short.tolist()


def dense(module: nn.Linear, location: str) -> list[Layer]:
    """Return the layer of a Linear."""
    kernel = to_decimals(module.weight.T, location, "weight")
    bias = to_decimals(module.bias, location, "bias", (module.out_features,))
    return [layer_json("dense", module.out_features, [kernel, bias])]


def conv1d(module: nn.Conv1d, location: str) -> list[Layer]:
    """Return the layer of a Conv1d over past steps."""
    weight = to_decimals(module.weight.permute(2, 1, 0), location, "weight")
    bias = to_decimals(module.bias, location, "bias", (module.out_channels,))
    layer = layer_json(
        "conv1d", module.out_channels, [weight, bias],
        kernel_size=[*module.kernel_size], dilation=[*module.dilation], groups=module.groups,
    )  # fmt: skip
    return [layer]


def recurrent(module: nn.LSTM | nn.GRU, location: str) -> list[Layer]:
    """Return one layer per level of a stacked LSTM or GRU."""
    kind = type(module).__name__
    if module.bidirectional:
        reason = "it is bidirectional, and a stream has no end to start from"
        raise unsupported(location, reason, f"{kind}(bidirectional=False) with more units")
    if module.proj_size:
        reason = f"proj_size is {module.proj_size}, and the format has no projection inside a layer"
        raise unsupported(location, reason, f"{kind}(proj_size=0) and a Linear after it")
    require_eval_mode(module, location, module.dropout > 0 and module.num_layers > 1)
    write = _lstm if isinstance(module, nn.LSTM) else _gru
    parts = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return [
        write(
            module.hidden_size,
            {part: getattr(module, f"{part}_l{level}", None) for part in parts},
            f"{location}, its layer {level}" if module.num_layers > 1 else location,
        )
        for level in range(module.num_layers)
    ]


def _lstm(hidden: int, weights: Mapping[str, Any], location: str) -> Layer:
    kernel, recurrent_kernel = (
        to_decimals(weights[name].T, location, name) for name in ("weight_ih", "weight_hh")
    )
    first, second = weights["bias_ih"], weights["bias_hh"]
    # RTNeural has one bias: both are added before the gates.
    total = None if first is None else first.detach() + second.detach()
    bias = to_decimals(total, location, "bias_ih + bias_hh", (4 * hidden,))
    return layer_json("lstm", hidden, [kernel, recurrent_kernel, bias])


def _gru(hidden: int, weights: Mapping[str, Any], location: str) -> Layer:
    """Keep both biases, because the candidate's second bias is multiplied by the reset gate."""

    def reordered(name: str) -> Any:
        tensor = weights[name]
        if tensor is None:
            return to_decimals(None, location, name, (3 * hidden,))
        reset, update, candidate = tensor.detach().split(hidden)
        return to_decimals(torch.cat([update, reset, candidate]).t(), location, name)

    biases = [reordered("bias_ih"), reordered("bias_hh")]
    return layer_json("gru", hidden, [reordered("weight_ih"), reordered("weight_hh"), biases])


def batchnorm(module: nn.BatchNorm1d | nn.BatchNorm2d, location: str) -> list[Layer]:
    """Return a BatchNorm1d with its running statistics, or the numbers of a BatchNorm2d."""
    mean, variance, size = module.running_mean, module.running_var, module.num_features
    if mean is None or variance is None:
        reason = "it keeps no statistics, and the format only supports fixed ones"
        raise unsupported(location, reason, f"{type(module).__name__}(track_running_stats=True)")
    require_eval_mode(module, location)
    named = {"weight": module.weight if module.affine else torch.ones(size), "bias": module.bias,
             "running_mean": mean, "running_var": variance}  # fmt: skip
    weights = [to_decimals(tensor, location, name, (size,)) for name, tensor in named.items()]
    if min(weights[3]) + module.eps <= 0:
        raise UserError(
            f"{location}: its running_var contains {min(weights[3])}, which with eps "
            f"{module.eps} is not positive; a variance is never negative"
        )
    return [layer_json("batchnorm", size, weights, epsilon=float(module.eps))]


def prelu(module: nn.PReLU, location: str) -> list[Layer]:
    """Return the layer of a PReLU with one slope, or one per feature."""
    slopes = to_decimals(module.weight, location, "weight")
    return [layer_json("prelu", module.num_parameters, [[slopes]])]


def leaky(module: nn.LeakyReLU, location: str) -> list[Layer]:
    """Return a LeakyReLU as a PReLU with one slope."""
    if not math.isfinite(module.negative_slope):
        raise unsupported(location, f"its slope is {module.negative_slope}", "LeakyReLU()")
    return [layer_json("prelu", 1, [[[float(module.negative_slope)]]])]


Writer = Callable[[Any, str], list[Layer]]
WRITERS: Mapping[type[nn.Module], tuple[str, Writer]] = MappingProxyType(
    {
        nn.Linear: ("in_features", dense),
        nn.Conv1d: ("in_channels", conv1d),
        nn.LSTM: ("input_size", recurrent),
        nn.GRU: ("input_size", recurrent),
        nn.BatchNorm1d: ("num_features", batchnorm),
        nn.PReLU: ("num_parameters", prelu),
        nn.LeakyReLU: ("", leaky),
    }
)
"""For each class the attribute with its number of inputs, and the function that converts it."""


def to_layers(module: nn.Module, size: int | None, location: str) -> list[Layer]:
    """Return a module as layers, after `size` features; None: the number is not known yet.

    Raises:
        UserError: the format does not support it, or it expects another number of features.
    """
    attribute, write = WRITERS[class_of(module)]
    expected = getattr(module, attribute) if attribute else size
    is_shared_slope = isinstance(module, nn.PReLU | nn.LeakyReLU) and expected == 1
    if is_shared_slope:
        expected = size
    if expected is None:
        raise UserError(f"{location}: the number of inputs is unknown; pass `inputs`")
    if expected < 1 or size not in (None, expected):
        raise UserError(f"{location}: it expects {expected} features but gets {size}")
    layers = write(module, location)
    if isinstance(module, nn.PReLU | nn.LeakyReLU):
        layers[0]["shape"][-1] = expected
    return layers


def output_size(layers: Sequence[Layer]) -> int:
    """Return the number of outputs per step of the last layer."""
    return int(layers[-1]["shape"][-1])
