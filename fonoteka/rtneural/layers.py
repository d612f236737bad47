"""Write one torch layer as layers of RTNeural, its weights in RTNeural's order.

The names of the layers and the order of the weights are Keras's:

    dense      kernel [I][O], bias [O]
    conv1d     kernel [K][I / groups][O], the oldest tap first, bias [O]
    lstm       [I][4H], [H][4H], [4H]: input, forget, cell, output; torch's two biases are one
    gru        [I][3H], [H][3H], [2][3H]: update, reset, candidate, where torch has reset first
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
from fonoteka.rtneural.unsupported import refused

Layer = dict[str, Any]


def kind_of(module: nn.Module) -> type[nn.Module]:
    """Return a module's class: the one it had before its weights were parametrised."""
    return type(module).__bases__[0] if parametrize.is_parametrized(module) else type(module)


def layer_of(kind: str, size: int, weights: list[Any], activation: str = "", **more: Any) -> Layer:
    """Return a layer of `size` outputs.

    A shape has three elements: of four, RTNeural takes the product of the last two.
    """
    start = {"type": kind, "activation": activation, "shape": [None, None, size]}
    return start | more | {"weights": weights}


def settled(module: nn.Module, where: str, matters: bool = True) -> None:
    """Refuse a module that computes another thing in training, while it is in training mode."""
    if module.training and matters:
        raise UserError(f"{where}: it is in training mode and computes another thing; call eval()")


def numbers(tensor: Tensor | None, where: str, name: str, zeros: tuple[int, ...] = ()) -> Any:
    """Return a tensor as nested lists of short decimals that are its float32 values to the bit.

    Args:
        tensor: of any shape; None stands for zeros.
        where: the layer, for errors.
        name: the weight, for errors.
        zeros: the shape where there is no tensor.

    Raises:
        ValueError: a number is none, or none that float32 holds.

    >>> numbers(torch.tensor([0.1, 1 / 3]), "layer 0", "bias")
    [0.1, 0.33333334]
    """
    if tensor is None:
        return np.zeros(zeros).tolist()
    array = tensor.detach().to("cpu", torch.float32).numpy()
    if wrong := np.argwhere(~np.isfinite(array)).tolist():
        why = f"{name} is not finite in float32 at {len(wrong)} of {array.size} places, the first "
        nearest = "the model of the last step at which its loss was finite"
        raise refused(where, f"{why}{wrong[0]}", nearest)
    short = np.array([float(str(value)) for value in array.ravel()]).reshape(array.shape)
    assert np.array_equal(short.astype(np.float32), array)
    return short.tolist()


def dense(module: nn.Linear, where: str) -> list[Layer]:
    """Return a Linear."""
    kernel = numbers(module.weight.T, where, "weight")
    bias = numbers(module.bias, where, "bias", (module.out_features,))
    return [layer_of("dense", module.out_features, [kernel, bias])]


def conv1d(module: nn.Conv1d, where: str) -> list[Layer]:
    """Return a Conv1d over what it has heard so far."""
    weight = numbers(module.weight.permute(2, 1, 0), where, "weight")
    bias = numbers(module.bias, where, "bias", (module.out_channels,))
    layer = layer_of(
        "conv1d", module.out_channels, [weight, bias],
        kernel_size=[*module.kernel_size], dilation=[*module.dilation], groups=module.groups,
    )  # fmt: skip
    return [layer]


def recurrent(module: nn.LSTM | nn.GRU, where: str) -> list[Layer]:
    """Return a layer for each of a stacked LSTM or GRU."""
    kind = type(module).__name__
    if module.bidirectional:
        why = "it is bidirectional, and a stream has no end to come back from"
        raise refused(where, why, f"{kind}(bidirectional=False) with more units")
    if module.proj_size:
        why = f"proj_size is {module.proj_size}, and the format has no projection inside a layer"
        raise refused(where, why, f"{kind}(proj_size=0) and a Linear after it")
    settled(module, where, module.dropout > 0 and module.num_layers > 1)
    write = _lstm if isinstance(module, nn.LSTM) else _gru
    parts = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return [
        write(
            module.hidden_size,
            {part: getattr(module, f"{part}_l{level}", None) for part in parts},
            f"{where}, its layer {level}" if module.num_layers > 1 else where,
        )
        for level in range(module.num_layers)
    ]


def _lstm(hidden: int, found: Mapping[str, Any], where: str) -> Layer:
    into, own = (numbers(found[name].T, where, name) for name in ("weight_ih", "weight_hh"))
    one, other = found["bias_ih"], found["bias_hh"]
    both = None if one is None else one.detach() + other.detach()
    bias = numbers(both, where, "bias_ih + bias_hh", (4 * hidden,))
    return layer_of("lstm", hidden, [into, own, bias])


def _gru(hidden: int, found: Mapping[str, Any], where: str) -> Layer:
    """The two biases stay apart: the candidate's second one goes through the reset gate."""

    def ordered(name: str) -> Any:
        tensor = found[name]
        if tensor is None:
            return numbers(None, where, name, (3 * hidden,))
        reset, update, candidate = tensor.detach().split(hidden)
        return numbers(torch.cat([update, reset, candidate]).t(), where, name)

    biases = [ordered("bias_ih"), ordered("bias_hh")]
    return layer_of("gru", hidden, [ordered("weight_ih"), ordered("weight_hh"), biases])


def batchnorm(module: nn.BatchNorm1d, where: str) -> list[Layer]:
    """Return a BatchNorm1d with its running statistics."""
    mean, variance, size = module.running_mean, module.running_var, module.num_features
    if mean is None or variance is None:
        why = "it keeps no statistics, and the format normalises by fixed ones"
        raise refused(where, why, "BatchNorm1d(track_running_stats=True)")
    settled(module, where)
    named = {"weight": module.weight if module.affine else torch.ones(size), "bias": module.bias,
             "running_mean": mean, "running_var": variance}  # fmt: skip
    weights = [numbers(tensor, where, name, (size,)) for name, tensor in named.items()]
    if min(weights[3]) + module.eps <= 0:
        raise UserError(
            f"{where}: its running_var holds {min(weights[3])}, which with eps {module.eps} has no "
            "root; a variance is not below 0"
        )
    return [layer_of("batchnorm", size, weights, epsilon=float(module.eps))]


def prelu(module: nn.PReLU, where: str) -> list[Layer]:
    """Return a PReLU of one slope or one for each feature."""
    slopes = numbers(module.weight, where, "weight")
    return [layer_of("prelu", module.num_parameters, [[slopes]])]


def leaky(module: nn.LeakyReLU, where: str) -> list[Layer]:
    """Return a LeakyReLU as a PReLU of one slope."""
    if not math.isfinite(module.negative_slope):
        raise refused(where, f"its slope is {module.negative_slope}", "LeakyReLU()")
    return [layer_of("prelu", 1, [[[float(module.negative_slope)]]])]


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
"""For each class the attribute that says how many inputs it takes, and what writes it."""


def written(module: nn.Module, size: int | None, where: str) -> list[Layer]:
    """Return a module as layers, after `size` features; None: nothing said yet how many.

    Raises:
        ValueError: the format cannot say it, or it takes another number of features.
    """
    attribute, write = WRITERS[kind_of(module)]
    wanted = getattr(module, attribute) if attribute else size
    one_for_all = isinstance(module, nn.PReLU | nn.LeakyReLU) and wanted == 1
    if one_for_all:
        wanted = size
    if wanted is None:
        raise UserError(f"{where}: nothing says how many inputs there are; give `inputs`")
    if wanted < 1 or size not in (None, wanted):
        raise UserError(f"{where}: it takes {wanted} features and is given {size}")
    layers = write(module, where)
    if isinstance(module, nn.PReLU | nn.LeakyReLU):
        layers[0]["shape"][-1] = wanted
    return layers


def outputs_of(layers: Sequence[Layer]) -> int:
    """Return how many numbers a step the last of some layers gives."""
    return int(layers[-1]["shape"][-1])
