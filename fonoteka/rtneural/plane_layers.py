"""Conversion of torch layers on planes, `[batch, channels, time, features]`, to RTNeural's layers.

    conv2d       kernel [time][feature][channels][filters], the oldest tap first, bias [filters]
    batchnorm2d  gamma, beta, mean, variance: [channels] each

Torch flattens a plane with the features of a channel together, RTNeural with the channels of a
feature together, so the layer after the planes gets its kernel in another order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import nn

from fonoteka.core.errors import UserError
from fonoteka.rtneural.conv2d import KEYS, feature_padding
from fonoteka.rtneural.layers import Layer, batchnorm, to_decimals
from fonoteka.rtneural.unsupported import unsupported

PLANE_PADS = (nn.ZeroPad2d, nn.ConstantPad2d)


class Planes(NamedTuple):
    """The shape of a step: features by channels."""

    features: int
    channels: int

    @property
    def size(self) -> int:
        """The numbers of a step."""
        return self.features * self.channels


class PlaneZeros(NamedTuple):
    """Zeros that a padding inserts: before and after the features, and before the first step."""

    left: int = 0
    right: int = 0
    steps: int = 0


def plane_zeros(module: Any, location: str) -> PlaneZeros:
    """Return the zeros of a ZeroPad2d or ConstantPad2d."""
    left, right, top, bottom = module.padding
    value = getattr(module, "value", 0.0)
    if value != 0 or bottom or min(left, right, top) < 0:
        reason = (
            f"padding {tuple(module.padding)} with {value:g}; RTNeural has zeros before the first "
            "step, and zeros around the features"
        )
        raise unsupported(location, reason, "ZeroPad2d((left, right, steps, 0))")
    return PlaneZeros(left, right, top)


def conv2d(module: nn.Conv2d, planes: Planes, zeros: PlaneZeros, location: str) -> Layer:
    """Return the layer of a Conv2d over past steps.

    Args:
        module: over `[batch, channels, time, features]`.
        planes: the shape of its input.
        zeros: of a padding before it; those before the first step are checked by the caller.
        location: the layer, for errors.

    Raises:
        UserError: the format does not support it, or the input has another number of channels.
    """
    if module.in_channels != planes.channels:
        raise UserError(
            f"{location}: it expects {module.in_channels} channels but gets {planes.channels}"
        )
    time, feature = module.kernel_size
    left, right = _feature_zeros(module, zeros, location)
    for name, value, nearest in (
        ("groups", module.groups, "groups=1"),
        ("its stride over time", module.stride[0], "stride=(1, s)"),
        ("its dilation over features", module.dilation[1], "dilation=(d, 1)"),
    ):
        if value != 1:
            raise unsupported(location, f"{name} is {value}, and the format has 1", nearest)
    stride, padding = module.stride[1], "same" if left or right else "valid"
    expected = feature_padding(planes.features, feature, stride, padding)
    if (left, right) != expected[:2] or planes.features + left + right < feature:
        same = feature_padding(planes.features, feature, stride, "same")
        reason = f"{left} and {right} zeros around {planes.features} features are not expressible"
        raise unsupported(location, reason, f"0 and 0, or {same.left} and {same.right}")
    sizes = dict(zip(KEYS, (time, feature, module.dilation[0], stride, planes.channels,
                            planes.features, module.out_channels), strict=True))  # fmt: skip
    weight = to_decimals(module.weight.permute(2, 3, 1, 0), location, "weight")
    bias = to_decimals(module.bias, location, "bias", (module.out_channels,))
    return {
        "type": "conv2d", "activation": "",
        "shape": [None, None, expected.outputs, module.out_channels],
        **sizes, "padding": padding, "weights": [weight, bias],
    }  # fmt: skip


def _feature_zeros(module: nn.Conv2d, zeros: PlaneZeros, location: str) -> tuple[int, int]:
    """Return the zeros around the features, those of the module and of a padding before it."""
    padding: Any = module.padding
    if module.padding_mode != "zeros":
        raise unsupported(location, f"padding_mode={module.padding_mode!r}", "zeros")
    if padding == "valid":
        padding = (0, 0)
    elif padding == "same":
        # Torch pads one more zero after the features, as RTNeural does, and time as well.
        history = (module.kernel_size[0] - 1) * module.dilation[0]
        total = (module.kernel_size[1] - 1) * module.dilation[1]
        left, right, padding = total // 2, total - total // 2, (history, 0)
        zeros = PlaneZeros(zeros.left + left, zeros.right + right, zeros.steps)
    if padding[0]:
        reason = f"padding={module.padding!r} over time depends on future steps"
        history = (module.kernel_size[0] - 1) * module.dilation[0]
        raise unsupported(location, reason, f"ZeroPad2d((0, 0, {history}, 0)) and padding=(0, p)")
    return zeros.left + padding[1], zeros.right + padding[1]


def batchnorm2d(module: nn.BatchNorm2d, planes: Planes, location: str) -> Layer:
    """Return a BatchNorm2d with its running statistics."""
    if module.num_features != planes.channels:
        raise UserError(
            f"{location}: it expects {module.num_features} channels but gets {planes.channels}"
        )
    (layer,) = batchnorm(module, location)
    return layer | {
        "type": "batchnorm2d", "shape": [None, None, *planes],
        "num_filters_in": planes.channels, "num_features_in": planes.features,
    }  # fmt: skip


def flattened(layer: Layer, planes: Planes, location: str) -> Layer:
    """Return a layer that reads a plane in RTNeural's order instead of torch's.

    Raises:
        UserError: the layer has no kernel over its inputs whose order can be changed.
    """
    kind, weights = layer["type"], layer["weights"]
    features, channels = planes
    order = [c * features + f for f in range(features) for c in range(channels)]
    if kind in ("dense", "lstm", "gru"):
        kernel = [weights[0][index] for index in order]
    elif kind == "conv1d" and layer["groups"] == 1:
        kernel = [[tap[index] for index in order] for tap in weights[0]]
    elif kind == "prelu" and len(weights[0][0]) == 1:
        return layer
    else:
        raise unsupported(location, "it follows planes of features and channels", "Linear")
    return layer | {"weights": [kernel, *weights[1:]]}


def planes_after(layer: Layer) -> Planes:
    """Return the shape of the outputs of a layer on planes."""
    return Planes(*map(int, layer["shape"][2:]))


def history_of(module: nn.Conv2d) -> int:
    """Return the number of past steps that a Conv2d depends on."""
    return int((module.kernel_size[0] - 1) * module.dilation[0])
