"""The schema of each layer type in a file for RTNeural: sizes, keys and shapes of weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fonoteka.rtneural.shapes import (
    Diagnostic,
    LayerInput,
    check_shape,
    format_shape,
    is_positive_integer,
    shape_of,
)

SMALLEST = 2.0**-149
"""The smallest float32 above 0."""

ACTIVATIONS = frozenset({"tanh", "relu", "sigmoid", "softmax", "elu"})
MATRIX = "RTNeural throws, or fills with zeros and is silently wrong"
VECTOR = "RTNeural reads past its end, or ignores the rest"


def _dense(layer: Any, inputs: LayerInput, size: int | None) -> Iterator[Diagnostic]:
    weights = layer["weights"]
    if len(weights) not in (1, 2):
        yield Diagnostic("", f"weights must be [kernel, bias], found {len(weights)} arrays")
    elif inputs.size and size:
        source = f"the {inputs} and the shape's {size} outputs"
        yield from check_shape(weights[0], "kernel", (inputs.size, size), source, MATRIX)
        if len(weights) == 2:
            yield from check_shape(weights[1], "bias", (size,), f"{size} outputs", VECTOR)
        else:
            yield Diagnostic("", "there is no bias; RTNeural uses zeros", fault=False)


def _recurrent(
    gates: int, biases: tuple[int, ...], parts: str
) -> Callable[..., Iterator[Diagnostic]]:
    def check(layer: Any, inputs: LayerInput, size: int | None) -> Iterator[Diagnostic]:
        weights = layer["weights"]
        if len(weights) != 3:
            effect = "throws" if len(weights) < 3 else "ignores the rest: add up torch's two biases"
            yield Diagnostic(
                "", f"weights must be {parts}, found {len(weights)} arrays; RTNeural {effect}"
            )  # fmt: skip
        elif inputs.size and size:
            kernel, recurrent_kernel, bias = weights
            source = f"the {inputs} and the shape's {size} units of {gates} gates"
            yield from check_shape(kernel, "kernel", (inputs.size, gates * size), source, MATRIX)
            yield from check_shape(
                recurrent_kernel, "recurrent kernel", (size, gates * size), source, MATRIX
            )
            effect = "RTNeural throws, reads past its end or is silently wrong"
            yield from check_shape(bias, "bias", (*biases, gates * size), source, effect)

    return check


def _last(layer: Any, key: str) -> tuple[int, list[Diagnostic]]:
    """Return the number of a key, which may be in a list, and diagnostics; 0 if absent."""
    value = layer.get(key)
    number = value[-1] if isinstance(value, list) and value else value
    if is_positive_integer(number):
        return int(number), []
    shown, effect = "no such key", "throws"
    if key in layer:
        shown, effect = repr(value), "throws or runs with garbage"
    message = f"{key} must be a whole number of at least 1, found {shown}; RTNeural {effect}"
    return 0, [Diagnostic("", message)]


def _conv1d(layer: Any, inputs: LayerInput, size: int | None) -> Iterator[Diagnostic]:
    kernel, kernel_faults = _last(layer, "kernel_size")
    dilation, dilation_faults = _last(layer, "dilation")
    groups, group_faults = _last({"groups": 1} | layer, "groups")
    yield from [*kernel_faults, *dilation_faults, *group_faults]
    weights = layer["weights"]
    if len(weights) != 2:
        effect = "throws" if len(weights) < 2 else "ignores the rest"
        yield Diagnostic(
            "", f"weights must be [kernel, bias], found {len(weights)}; RTNeural {effect}"
        )
    elif inputs.size and size and kernel and dilation and groups:
        if inputs.size % groups or size % groups:
            message = f"{groups} groups do not divide the {inputs} and the shape's {size} outputs"
            yield Diagnostic("", f"{message}; RTNeural throws or is silently wrong")
            return
        source = (
            f"kernel_size {kernel}, the {inputs}, {groups} groups and the shape's {size} outputs"
        )
        yield from check_shape(
            weights[0], "kernel", (kernel, inputs.size // groups, size), source, MATRIX
        )
        yield from check_shape(weights[1], "bias", (size,), f"{size} outputs", VECTOR)


def _statistics(layer: Any, count: int) -> Iterator[Diagnostic]:
    """Yield diagnostics for a normalisation of `count` features."""
    epsilon, weights = layer.get("epsilon"), layer["weights"]
    # Checked first: the sum with the variance below needs a number.
    try:
        usable = shape_of(epsilon) == ()
    except ValueError:
        usable = False
    if not usable:
        shown = "no such key" if "epsilon" not in layer else repr(epsilon)
        effect = "throws or runs with garbage" if "epsilon" in layer else "throws"
        yield Diagnostic("", f"epsilon must be a float32 number, found {shown}; RTNeural {effect}")
    if len(weights) not in (2, 4):
        yield Diagnostic(
            "", "weights must be [gamma, beta, mean, variance] or [mean, variance], found "
            f"{len(weights)} arrays; RTNeural uses the first two as mean and variance",
        )  # fmt: skip
        return
    names = ("gamma", "beta", "mean", "variance")[-len(weights) :]
    effect = "RTNeural writes past its memory or does not set the rest"
    faults = [
        fault
        for name, array in zip(names, weights, strict=True)
        for fault in check_shape(array, name, (count,), f"{count} features", effect)
    ]
    yield from faults
    if usable and not faults and min(weights[-1]) + epsilon < SMALLEST:
        message = f"variance {min(weights[-1])} with epsilon {epsilon} is not positive"
        yield Diagnostic("", f"{message}; RTNeural gives NaN")


def _batchnorm(layer: Any, inputs: LayerInput, size: int | None) -> Iterator[Diagnostic]:
    if size and inputs.size:
        yield from _same_size(inputs, size)
        yield from _statistics(layer, inputs.size)


def _same_size(
    inputs: LayerInput, size: int, effect: str = "uses the latter"
) -> Iterator[Diagnostic]:
    if inputs.size != size:
        yield Diagnostic(
            "", f"shape declares {size} outputs, but the layer gets {inputs}; RTNeural {effect}"
        )


def _prelu(layer: Any, inputs: LayerInput, size: int | None) -> Iterator[Diagnostic]:
    if size and inputs.size:
        yield from _same_size(inputs, size)
        try:
            shape = shape_of(layer["weights"])
        except ValueError as error:
            yield Diagnostic("", f"slopes: {error}; RTNeural throws")
            return
        if shape not in ((1, 1, 1), (1, 1, inputs.size)):
            message = f"weights are {format_shape(shape)}, but must be 1 x 1 x 1 or"
            yield Diagnostic(
                "", f"{message} 1 x 1 x {inputs.size}: RTNeural throws, writes past its memory or "
                "uses 0 for the rest",
            )  # fmt: skip


def _activation(layer: Any, inputs: LayerInput, size: int | None) -> Iterator[Diagnostic]:
    if size and inputs.size:
        effect = "reads past its end" if size > inputs.size else "cuts the rest off"
        yield from _same_size(inputs, size, effect)
    if layer["weights"]:
        yield Diagnostic("", "RTNeural ignores the weights of an activation", fault=False)


def _check_planes(inputs: LayerInput, count: int) -> Iterator[Diagnostic]:
    if inputs.size and count and inputs.size != count:
        message = f"num_features_in x num_filters_in is {count}, but the layer gets {inputs}"
        yield Diagnostic("", f"{message}; RTNeural reads past its end or ignores some")


def _conv2d(layer: Any, inputs: LayerInput, _size: int | None) -> Iterator[Diagnostic]:
    numbers = {key: _last(layer, key) for key in CONV2D[:-1]}
    yield from [diagnostic for _, diagnostics in numbers.values() for diagnostic in diagnostics]
    padding = layer.get("padding")
    # RTNeural compares with "valid" alone, so a misspelling is computed as "same".
    if padding not in ("valid", "same"):
        effect = "throws" if not isinstance(padding, str) else "uses 'same'"
        yield Diagnostic(
            "", f"padding must be 'valid' or 'same', found {padding!r}; RTNeural {effect}"
        )
        return
    if len(layer["weights"]) != 2:
        yield Diagnostic(
            "", f"weights must be [kernel, bias], found {len(layer['weights'])}; RTNeural throws"
        )  # fmt: skip
        return
    if not all(number for number, _ in numbers.values()) or len(layer["shape"]) != 4:
        return
    time, width, _, stride, channels, features, filters = [n for n, _ in numbers.values()]
    yield from _check_planes(inputs, channels * features)
    # Number of kernel positions along the features, rounded up to whole strides.
    positions = features - width + 1 if padding == "valid" else features
    expected = [-(-positions // stride), filters]
    if layer["shape"][2:] != expected:
        message = f"shape ends in {layer['shape'][2:]}, but its other keys give {expected}"
        yield Diagnostic("", f"{message}; RTNeural loads no model")
    kernel, bias = layer["weights"]
    source = "the kernel sizes and the numbers of filters"
    yield from check_shape(kernel, "kernel", (time, width, channels, filters), source, MATRIX)
    yield from check_shape(bias, "bias", (filters,), f"{filters} filters", VECTOR)


def _batchnorm2d(layer: Any, inputs: LayerInput, size: int | None) -> Iterator[Diagnostic]:
    (channels, channel_faults), (features, feature_faults) = (_last(layer, key) for key in PLANES)
    yield from [*channel_faults, *feature_faults]
    yield from _check_planes(inputs, channels * features)
    if size and inputs.size:
        yield from _same_size(inputs, size)
    if channels:
        yield from _statistics(layer, channels)


@dataclass(frozen=True)
class LayerSchema:
    """The keys of one layer type and the check of its values.

    Attributes:
        check: yields diagnostics, given the layer, its inputs and its number of outputs.
        keys: the keys of this type alone.
        activated: whether RTNeural reads its activation.
        planes: whether its shape has a feature and a channel axis; None: it may have them.
    """

    check: Callable[[Any, LayerInput, int | None], Iterator[Diagnostic]]
    keys: tuple[str, ...] = ()
    activated: bool = False
    planes: bool | None = False


PLANES = ("num_filters_in", "num_features_in")
CONV2D = ("kernel_size_time", "kernel_size_feature", "dilation", "strides", *PLANES,
          "num_filters_out", "padding")  # fmt: skip
LAYER_SCHEMAS: Mapping[str, LayerSchema] = MappingProxyType(
    {
        "dense": LayerSchema(_dense, activated=True),
        "time-distributed-dense": LayerSchema(_dense, activated=True),
        "conv1d": LayerSchema(_conv1d, ("kernel_size", "dilation", "groups"), activated=True),
        "lstm": LayerSchema(_recurrent(4, (), "[kernel, recurrent kernel, bias]")),
        "gru": LayerSchema(_recurrent(3, (2,), "[kernel, recurrent kernel, the two biases]")),
        "prelu": LayerSchema(_prelu),
        "batchnorm": LayerSchema(_batchnorm, ("epsilon",)),
        "activation": LayerSchema(_activation, activated=True, planes=None),
        "conv2d": LayerSchema(_conv2d, CONV2D, activated=True, planes=True),
        "batchnorm2d": LayerSchema(_batchnorm2d, ("epsilon", *PLANES), planes=True),
    }
)
