"""What a file for RTNeural costs and how far it hears, and the C++ type that it fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fonoteka.core.errors import UserError

CURVES: Mapping[str, str] = MappingProxyType(
    {"elu": "ELuActivationT", "relu": "ReLuActivationT", "sigmoid": "SigmoidActivationT",
     "softmax": "SoftmaxActivationT", "tanh": "TanhActivationT"}
)  # fmt: skip
EXPONENTIAL = frozenset(CURVES) - {"relu"}
DENSE = ("dense", "time-distributed-dense")


@dataclass(frozen=True)
class Facts:
    """A model in numbers.

    Attributes:
        inputs: numbers that a step takes.
        outputs: numbers that it gives.
        parameters: numbers in the file; an LSTM has one bias here, where torch has two, and a
            module that runs twice is in the file twice.
        multiplies: products a step, of float32; of a module that runs twice, both times.
        curves: values of tanh, sigmoid or exp a step, each worth some ten products.
        remembered: numbers that are carried from one step to the next.
        receptive_steps: how many steps an output has heard, its own among them; None: all.
    """

    inputs: int
    outputs: int
    parameters: int
    multiplies: int
    curves: int
    remembered: int
    receptive_steps: int | None

    @property
    def weight_bytes(self) -> int:
        """What the parameters take as float32."""
        return 4 * self.parameters

    @property
    def warm_up_steps(self) -> int | None:
        """How many of the first outputs have heard zeros from before the first step; None: all do.

        What a recurrent layer makes of them fades; how soon depends on what it hears, so that is
        measured: see rtneural_proof.forgotten_after.
        """
        return None if self.receptive_steps is None else self.receptive_steps - 1


@dataclass(frozen=True)
class _Layer:
    """A layer with the number of its inputs, which a file does not repeat."""

    said: Mapping[str, Any]
    inputs: int

    @property
    def kind(self) -> str:
        return str(self.said["type"])

    @property
    def outputs(self) -> int:
        return int(self.said["shape"][-1])

    @property
    def curve(self) -> str:
        """The activation that RTNeural runs after it, or that it is."""
        reads = (*DENSE, "conv1d", "activation")
        return str(self.said.get("activation", "")) if self.kind in reads else ""

    def number(self, key: str, otherwise: int = 1) -> int:
        value = self.said.get(key, otherwise)
        return int(value[-1] if isinstance(value, list) else value)


def _layers(document: Mapping[str, Any]) -> Iterator[_Layer]:
    shape = document["in_shape"]
    size = int(shape[-1] if len(shape) != 4 else shape[2] * shape[3])
    for said in document["layers"]:
        if said["type"].endswith("2d"):
            raise UserError(f"type {said['type']!r} works on images; only vectors are counted here")
        layer = _Layer(said, size)
        yield layer
        size = layer.outputs


def count(value: Any) -> int:
    """Return how many numbers a nested list holds.

    >>> count([[1, 2], [3, 4], []])
    4
    """
    return sum(map(count, value)) if isinstance(value, list) else 1


def facts_of(document: Mapping[str, Any]) -> Facts:
    """Return the numbers of a document without faults (see validate.py).

    Raises:
        ValueError: a layer works on images.
    """
    layers = list(_layers(document))
    recurrent = any(layer.kind in ("gru", "lstm") for layer in layers)
    return Facts(
        inputs=layers[0].inputs,
        outputs=layers[-1].outputs,
        parameters=sum(count(layer.said["weights"]) for layer in layers),
        multiplies=sum(map(_multiplies, layers)),
        curves=sum(map(_curves, layers)),
        remembered=sum(map(_remembered, layers)),
        receptive_steps=None if recurrent else 1 + sum(map(_history, layers)),
    )


def _multiplies(layer: _Layer) -> int:
    into, out = layer.inputs, layer.outputs
    gates = {"gru": 3, "lstm": 4}.get(layer.kind, 0)
    if gates:  # the matrices, and three products a unit that open and close the gates
        return gates * out * (into + out) + 3 * out
    if layer.kind == "conv1d":
        return layer.number("kernel_size") * into // layer.number("groups") * out
    own = into * out if layer.kind in DENSE else out if layer.kind in ("prelu", "batchnorm") else 0
    return own + (out if layer.curve == "softmax" else 0)


def _curves(layer: _Layer) -> int:
    each = {"gru": 3, "lstm": 5}.get(layer.kind, int(layer.curve in EXPONENTIAL))
    return each * layer.outputs


def _history(layer: _Layer) -> int:
    """Return how many steps back a layer looks."""
    if layer.kind != "conv1d":
        return 0
    return (layer.number("kernel_size") - 1) * layer.number("dilation")


def _remembered(layer: _Layer) -> int:
    units = {"gru": 1, "lstm": 2}.get(layer.kind, 0)
    return units * layer.outputs + _history(layer) * layer.inputs


def model_t(document: Mapping[str, Any]) -> str:
    """Return the type of RTNeural's compile-time API that a document fits.

    A layer with an activation is two of them there. One that does not fit loads without a word and
    leaves zeros, so the type is written and not left to be guessed.

    Raises:
        ValueError: a layer works on images.

    >>> model_t({"in_shape": [3], "layers": [{"type": "lstm", "shape": [2], "weights": []}]})
    'RTNeural::ModelT<float, 3, 2, RTNeural::LSTMLayerT<float, 3, 2>>'
    """
    layers = list(_layers(document))
    types = [text for layer in layers for text in _types(layer)]
    ends = f"float, {layers[0].inputs}, {layers[-1].outputs}"
    return f"RTNeural::ModelT<{ends}, {', '.join(types)}>"


def _types(layer: _Layer) -> Iterator[str]:
    into, out = layer.inputs, layer.outputs
    affine = str(len(layer.said["weights"]) == 4).lower()
    named: dict[str, tuple[str, Sequence[int | str]]] = {
        **dict.fromkeys(DENSE, ("DenseT", (into, out))),
        "gru": ("GRULayerT", (into, out)),
        "lstm": ("LSTMLayerT", (into, out)),
        "prelu": ("PReLUActivationT", (out,)),
        "batchnorm": ("BatchNorm1DT", (out, affine)),
    }
    if layer.kind == "conv1d":
        taps = [layer.number("kernel_size"), layer.number("dilation")]
        groups = layer.number("groups")
        named["conv1d"] = "Conv1DT", (into, out, *taps, *([groups] if groups > 1 else []))
    if layer.kind in named:
        name, sizes = named[layer.kind]
        yield f"RTNeural::{name}<float, {', '.join(map(str, sizes))}>"
    if layer.curve:
        yield f"RTNeural::{CURVES[layer.curve]}<float, {out}>"
