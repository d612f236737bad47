"""Cost and receptive field of a model for RTNeural, and its C++ type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.rtneural.conv2d import Conv2dShape
from fonoteka.rtneural.shapes import step_size

ACTIVATION_TYPES: Mapping[str, str] = MappingProxyType(
    {"elu": "ELuActivationT", "relu": "ReLuActivationT", "sigmoid": "SigmoidActivationT",
     "softmax": "SoftmaxActivationT", "tanh": "TanhActivationT"}
)  # fmt: skip
EXPONENTIAL = frozenset(ACTIVATION_TYPES) - {"relu"}
DENSE = ("dense", "time-distributed-dense")


@dataclass(frozen=True)
class ModelCost:
    """Sizes of a model per step. The names are keys of the published package.

    Attributes:
        inputs: number of inputs.
        outputs: number of outputs.
        parameters: numbers in the file; an LSTM has one bias here and two in torch, and a module
            that runs twice is in the file twice.
        macs: multiply-accumulate operations per step, single multiplications included; a module
            that runs twice counts twice.
        exponentials: evaluations of tanh, sigmoid or exp per step, each about ten multiplications.
        state_size: numbers of the state that is carried from one step to the next.
        receptive_steps: receptive field in steps, with the current step; None: unlimited.
    """

    inputs: int
    outputs: int
    parameters: int
    macs: int
    exponentials: int
    state_size: int
    receptive_steps: int | None

    @property
    def weight_bytes(self) -> int:
        """Size of the parameters in bytes, as float32."""
        return 4 * self.parameters

    @property
    def warm_up_steps(self) -> int | None:
        """Number of first outputs that depend on the zeros before the first step; None: all.

        The influence of the initial state of a recurrent layer fades at a rate that depends on its
        input, so it is measured: see `parity.settling_steps`.
        """
        return None if self.receptive_steps is None else self.receptive_steps - 1


@dataclass(frozen=True)
class _Layer:
    """A layer of a document with its number of inputs, which the document does not repeat."""

    json: Mapping[str, Any]
    inputs: int

    @property
    def kind(self) -> str:
        return str(self.json["type"])

    @property
    def outputs(self) -> int:
        return step_size(self.json["shape"])

    @property
    def activation(self) -> str:
        """The activation that RTNeural runs after it, or the layer itself if it is one."""
        activated = (*DENSE, "conv1d", "conv2d", "activation")
        return str(self.json.get("activation", "")) if self.kind in activated else ""

    def number(self, key: str, default: int = 1) -> int:
        value = self.json.get(key, default)
        return int(value[-1] if isinstance(value, list) else value)


def _layers(document: Mapping[str, Any]) -> Iterator[_Layer]:
    size = step_size(document["in_shape"])
    for layer_json in document["layers"]:
        layer = _Layer(layer_json, size)
        yield layer
        size = layer.outputs


def count_numbers(value: Any) -> int:
    """Return the number of elements in a nested list.

    >>> count_numbers([[1, 2], [3, 4], []])
    4
    """
    return sum(map(count_numbers, value)) if isinstance(value, list) else 1


def model_cost(document: Mapping[str, Any]) -> ModelCost:
    """Return the cost of a document without faults (see validate.py)."""
    layers = list(_layers(document))
    recurrent = any(layer.kind in ("gru", "lstm") for layer in layers)
    return ModelCost(
        inputs=layers[0].inputs,
        outputs=layers[-1].outputs,
        parameters=sum(count_numbers(layer.json["weights"]) for layer in layers),
        macs=sum(map(_macs, layers)),
        exponentials=sum(map(_exponentials, layers)),
        state_size=sum(map(_state_size, layers)),
        receptive_steps=None if recurrent else 1 + sum(map(_history, layers)),
    )


def _macs(layer: _Layer) -> int:
    inputs, outputs = layer.inputs, layer.outputs
    gates = {"gru": 3, "lstm": 4}.get(layer.kind, 0)
    if gates:  # the matrices, and three multiplications per unit for the gates
        return gates * outputs * (inputs + outputs) + 3 * outputs
    if layer.kind == "conv1d":
        return layer.number("kernel_size") * inputs // layer.number("groups") * outputs
    if layer.kind == "conv2d":
        shape = Conv2dShape.from_layer(layer.json)
        return shape.time * shape.feature * shape.channels * outputs
    scale = outputs if layer.kind in ("prelu", "batchnorm", "batchnorm2d") else 0
    product = inputs * outputs if layer.kind in DENSE else scale
    return product + (outputs if layer.activation == "softmax" else 0)


def _exponentials(layer: _Layer) -> int:
    per_unit = {"gru": 3, "lstm": 5}.get(layer.kind, int(layer.activation in EXPONENTIAL))
    return per_unit * layer.outputs


def _history(layer: _Layer) -> int:
    """Return the number of past steps that a layer depends on."""
    if layer.kind == "conv2d":
        return Conv2dShape.from_layer(layer.json).history
    if layer.kind != "conv1d":
        return 0
    return (layer.number("kernel_size") - 1) * layer.number("dilation")


def _state_size(layer: _Layer) -> int:
    units = {"gru": 1, "lstm": 2}.get(layer.kind, 0)
    return units * layer.outputs + _history(layer) * layer.inputs


def model_t(document: Mapping[str, Any]) -> str:
    """Return the `ModelT` type of RTNeural's compile-time API for a document.

    A layer with an activation is two layers there. A wrong type loads without an error and computes
    with zeros, so the type is published with the model.

    Raises:
        UserError: only some layers are on planes, which the compile-time API does not mix.

    >>> model_t({"in_shape": [3], "layers": [{"type": "lstm", "shape": [2], "weights": []}]})
    'RTNeural::ModelT<float, 3, 2, RTNeural::LSTMLayerT<float, 3, 2>>'
    """
    layers = list(_layers(document))
    types = [text for layer in layers for text in _types(layer)]
    planes = [len(layer.json["shape"]) == 4 for layer in layers]
    if any(planes) and not all(planes):
        raise UserError(
            "layers on planes and on vectors have no common type in RTNeural's compile-time API; "
            "load the file with json_parser::parseJson"
        )
    if planes[0]:
        features, channels = document["in_shape"][2:]
        last, filters = layers[-1].json["shape"][2:]
        ends = f"float, {channels}, {features}, {filters}, {last}"
        return f"RTNeural::ModelT2D<{ends}, {', '.join(types)}>"
    ends = f"float, {layers[0].inputs}, {layers[-1].outputs}"
    return f"RTNeural::ModelT<{ends}, {', '.join(types)}>"


def _types(layer: _Layer) -> Iterator[str]:
    inputs, outputs = layer.inputs, layer.outputs
    affine = str(len(layer.json["weights"]) == 4).lower()
    named: dict[str, tuple[str, Sequence[int | str]]] = {
        **dict.fromkeys(DENSE, ("DenseT", (inputs, outputs))),
        "gru": ("GRULayerT", (inputs, outputs)),
        "lstm": ("LSTMLayerT", (inputs, outputs)),
        "prelu": ("PReLUActivationT", (outputs,)),
        "batchnorm": ("BatchNorm1DT", (outputs, affine)),
    }
    if layer.kind == "conv1d":
        taps = [layer.number("kernel_size"), layer.number("dilation")]
        groups = layer.number("groups")
        named["conv1d"] = "Conv1DT", (inputs, outputs, *taps, *([groups] if groups > 1 else []))
    # RTNeural's order of sizes is channels, filters, features, and then the kernel.
    if layer.kind == "conv2d":
        s = Conv2dShape.from_layer(layer.json)
        sizes_2d = (s.channels, s.filters, s.features, s.time, s.feature, s.dilation, s.stride)
        named["conv2d"] = "Conv2DT", (*sizes_2d, str(s.padding == "valid").lower())
    if layer.kind == "batchnorm2d":
        features, channels = layer.json["shape"][2:]
        named["batchnorm2d"] = "BatchNorm2DT", (channels, features, affine)
    if layer.kind in named:
        name, sizes = named[layer.kind]
        yield f"RTNeural::{name}<float, {', '.join(map(str, sizes))}>"
    if layer.activation:
        yield f"RTNeural::{ACTIVATION_TYPES[layer.activation]}<float, {outputs}>"
