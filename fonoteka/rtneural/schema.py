"""What each layer of a file for RTNeural must hold: sizes, keys, and the shapes of its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fonoteka.rtneural.shapes import Fed, Said, by, extent, fits, whole

SMALLEST = 2.0**-149
"""Above 0 there is no smaller float32."""

ACTIVATIONS = frozenset({"tanh", "relu", "sigmoid", "softmax", "elu"})
MATRIX = "RTNeural throws, or fills with zeros and is silently wrong"
VECTOR = "RTNeural reads past its end, or leaves the rest out"


def _dense(layer: Any, fed: Fed, size: int | None) -> Iterator[Said]:
    weights = layer["weights"]
    if len(weights) not in (1, 2):
        yield Said("", f"weights must be [kernel, bias], found {len(weights)} arrays")
    elif fed.size and size:
        why = f"the {fed} and the shape's {size} outputs"
        yield from fits(weights[0], "kernel", (fed.size, size), why, MATRIX)
        if len(weights) == 2:
            yield from fits(weights[1], "bias", (size,), f"{size} outputs", VECTOR)
        else:
            yield Said("", "there is no bias; RTNeural takes zeros", fault=False)


def _recurrent(gates: int, biases: tuple[int, ...], parts: str) -> Callable[..., Iterator[Said]]:
    def check(layer: Any, fed: Fed, size: int | None) -> Iterator[Said]:
        weights = layer["weights"]
        if len(weights) != 3:
            does = "throws" if len(weights) < 3 else "ignores the rest: add up torch's two biases"
            yield Said(
                "", f"weights must be {parts}, found {len(weights)} arrays; RTNeural {does}"
            )  # fmt: skip
        elif fed.size and size:
            into, own, bias = weights
            why = f"the {fed} and the shape's {size} units of {gates} gates"
            yield from fits(into, "kernel", (fed.size, gates * size), why, MATRIX)
            yield from fits(own, "recurrent kernel", (size, gates * size), why, MATRIX)
            does = "RTNeural throws, reads past its end or is silently wrong"
            yield from fits(bias, "bias", (*biases, gates * size), why, does)

    return check


def _last(layer: Any, key: str) -> tuple[int, list[Said]]:
    """Return a key's number, which may stand in a list, and what is wrong with it; 0: no number."""
    value = layer.get(key)
    plain = value[-1] if isinstance(value, list) and value else value
    if whole(plain):
        return int(plain), []
    found, does = (
        ("no such key", "throws")
        if key not in layer
        else (repr(value), "throws or runs with garbage")
    )
    message = f"{key} must be a whole number of at least 1, found {found}; RTNeural {does}"
    return 0, [Said("", message)]


def _conv1d(layer: Any, fed: Fed, size: int | None) -> Iterator[Said]:
    kernel, wrong = _last(layer, "kernel_size")
    dilation, wrong_too = _last(layer, "dilation")
    groups, wrong_as_well = _last({"groups": 1} | layer, "groups")
    yield from [*wrong, *wrong_too, *wrong_as_well]
    weights = layer["weights"]
    if len(weights) != 2:
        does = "throws" if len(weights) < 2 else "ignores the rest"
        yield Said("", f"weights must be [kernel, bias], found {len(weights)}; RTNeural {does}")
    elif fed.size and size and kernel and dilation and groups:
        if fed.size % groups or size % groups:
            message = f"{groups} groups do not divide the {fed} and the shape's {size} outputs"
            yield Said("", f"{message}; RTNeural throws or is silently wrong")
            return
        why = f"kernel_size {kernel}, the {fed}, {groups} groups and the shape's {size} outputs"
        yield from fits(weights[0], "kernel", (kernel, fed.size // groups, size), why, MATRIX)
        yield from fits(weights[1], "bias", (size,), f"{size} outputs", VECTOR)


def _statistics(layer: Any, count: int) -> Iterator[Said]:
    """Yield what is wrong with a normalisation of `count` features."""
    epsilon, weights = layer.get("epsilon"), layer["weights"]
    try:
        usable = extent(epsilon) == ()
    except ValueError:
        usable = False
    if not usable:
        found = "no such key" if "epsilon" not in layer else repr(epsilon)
        does = "throws or runs with garbage" if "epsilon" in layer else "throws"
        yield Said("", f"epsilon must be a number of float32, found {found}; RTNeural {does}")
    if len(weights) not in (2, 4):
        yield Said(
            "", "weights must be [gamma, beta, mean, variance] or [mean, variance], found "
            f"{len(weights)} arrays; RTNeural takes the first two for mean and variance",
        )  # fmt: skip
        return
    names = ("gamma", "beta", "mean", "variance")[-len(weights) :]
    does = "RTNeural writes past its memory or leaves the rest unset"
    said = [
        found
        for name, array in zip(names, weights, strict=True)
        for found in fits(array, name, (count,), f"{count} features", does)
    ]
    yield from said
    if usable and not said and min(weights[-1]) + epsilon < SMALLEST:
        message = f"variance {min(weights[-1])} with epsilon {epsilon} has no root"
        yield Said("", f"{message}; RTNeural gives NaN")


def _batchnorm(layer: Any, fed: Fed, size: int | None) -> Iterator[Said]:
    if size and fed.size:
        yield from _same(fed, size)
        yield from _statistics(layer, fed.size)


def _same(fed: Fed, size: int, does: str = "takes the latter") -> Iterator[Said]:
    if fed.size != size:
        yield Said("", f"shape says {size} outputs, but it is given {fed}; RTNeural {does}")


def _prelu(layer: Any, fed: Fed, size: int | None) -> Iterator[Said]:
    if size and fed.size:
        yield from _same(fed, size)
        try:
            found = extent(layer["weights"])
        except ValueError as error:
            yield Said("", f"slopes: {error}; RTNeural throws")
            return
        if found not in ((1, 1, 1), (1, 1, fed.size)):
            yield Said(
                "", f"weights are {by(found)}, but must be 1 x 1 x 1 or 1 x 1 x {fed.size}: "
                "RTNeural throws, writes past its memory or takes 0 for the rest",
            )  # fmt: skip


def _curve(layer: Any, fed: Fed, size: int | None) -> Iterator[Said]:
    if size and fed.size:
        does = "reads past its end" if size > fed.size else "cuts the rest off"
        yield from _same(fed, size, does)
    if layer["weights"]:
        yield Said("", "RTNeural ignores the weights of an activation", fault=False)


def _planes(fed: Fed, count: int) -> Iterator[Said]:
    if fed.size and count and fed.size != count:
        message = f"num_features_in x num_filters_in is {count}, but it is given {fed}"
        yield Said("", f"{message}; RTNeural reads past its end or leaves some out")


def _conv2d(layer: Any, fed: Fed, _size: int | None) -> Iterator[Said]:
    found = {key: _last(layer, key) for key in CONV2D[:-1]}
    yield from [said for _, wrong in found.values() for said in wrong]
    padding = layer.get("padding")
    if padding not in ("valid", "same"):
        does = "throws" if not isinstance(padding, str) else "takes it for 'same'"
        yield Said("", f"padding must be 'valid' or 'same', found {padding!r}; RTNeural {does}")
        return
    if len(layer["weights"]) != 2:
        yield Said(
            "", f"weights must be [kernel, bias], found {len(layer['weights'])}; RTNeural throws"
        )  # fmt: skip
        return
    if not all(number for number, _ in found.values()) or len(layer["shape"]) != 4:
        return
    time, wide, _, stride, channels, features, filters = [n for n, _ in found.values()]
    yield from _planes(fed, channels * features)
    left = features - wide + 1 if padding == "valid" else features
    wanted = [-(-left // stride), filters]
    if layer["shape"][2:] != wanted:
        message = f"shape ends in {layer['shape'][2:]}, but its other keys make {wanted}"
        yield Said("", f"{message}; RTNeural gives no model")
    kernel, bias = layer["weights"]
    why = "the kernel sizes and the numbers of filters"
    yield from fits(kernel, "kernel", (time, wide, channels, filters), why, MATRIX)
    yield from fits(bias, "bias", (filters,), f"{filters} filters", VECTOR)


def _batchnorm2d(layer: Any, fed: Fed, size: int | None) -> Iterator[Said]:
    (channels, wrong), (features, wrong_too) = (_last(layer, key) for key in PLANES)
    yield from [*wrong, *wrong_too]
    yield from _planes(fed, channels * features)
    if size and fed.size:
        yield from _same(fed, size)
    if channels:
        yield from _statistics(layer, channels)


@dataclass(frozen=True)
class Rule:
    """What RTNeural reads of a type of layer.

    Attributes:
        check: yields what is wrong, given the layer, what feeds it and its outputs.
        keys: that are its own.
        activated: whether RTNeural reads its activation.
        planes: whether its shape has features and channels.
    """

    check: Callable[[Any, Fed, int | None], Iterator[Said]]
    keys: tuple[str, ...] = ()
    activated: bool = False
    planes: bool = False


PLANES = ("num_filters_in", "num_features_in")
CONV2D = ("kernel_size_time", "kernel_size_feature", "dilation", "strides", *PLANES,
          "num_filters_out", "padding")  # fmt: skip
RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "dense": Rule(_dense, activated=True),
        "time-distributed-dense": Rule(_dense, activated=True),
        "conv1d": Rule(_conv1d, ("kernel_size", "dilation", "groups"), activated=True),
        "lstm": Rule(_recurrent(4, (), "[kernel, recurrent kernel, bias]")),
        "gru": Rule(_recurrent(3, (2,), "[kernel, recurrent kernel, the two biases]")),
        "prelu": Rule(_prelu),
        "batchnorm": Rule(_batchnorm, ("epsilon",)),
        "activation": Rule(_curve, activated=True),
        "conv2d": Rule(_conv2d, CONV2D, activated=True, planes=True),
        "batchnorm2d": Rule(_batchnorm2d, ("epsilon", *PLANES), planes=True),
    }
)
