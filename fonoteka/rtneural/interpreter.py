"""Interpreter of a file for RTNeural in numpy, step by step as in RTNeural.

It is written from the format and independent of the exporter, so agreement of the two shows that
both implement the format.

    dense      y = x K + b
    conv1d     y(t) = b + sum over taps k of K[k] x(t - (last - k) dilation), per group
    lstm       i, f, g, o = x W + h U + b;  c = s(f) c + s(i) tanh(g);  h = s(o) tanh(c)
    gru        z = s(x Wz + h Uz + bz + dz), r alike;  g = tanh(x Wg + bg + r (h Ug + dg));
               h = (1 - z) g + z h
    conv2d     see conv2d.py
    batchnorm  y = gamma / sqrt(variance + epsilon) (x - mean) + beta; batchnorm2d per channel
    prelu      y = x if x > 0, else slope x
    softmax    e^x / sum of e^x, without subtracting the maximum: above 88 float32 overflows

Inputs before the first step are zeros, and so are h and c.

Source: RTNeural, https://github.com/jatinchowdhury18/RTNeural, commit 1fb1f075; the recurrences are
those of Keras, the GRU's with `reset_after`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fonoteka.core.errors import UserError
from fonoteka.rtneural.conv2d import Conv2dShape, Conv2dSteps
from fonoteka.rtneural.shapes import step_size
from fonoteka.rtneural.validate import require_valid

Vector = NDArray[Any]


def sigmoid(x: Vector) -> Vector:
    """Return 1 / (1 + e^-x)."""
    return np.asarray(1 / (1 + np.exp(-x)))


def _softmax(x: Vector) -> Vector:
    powers = np.exp(x)
    return np.asarray(powers * (1 / powers.sum()))


ACTIVATION_FUNCTIONS: Mapping[str, Callable[[Vector], Vector]] = MappingProxyType(
    {
        "tanh": np.tanh,
        "relu": lambda x: np.maximum(x, 0),
        "sigmoid": sigmoid,
        "softmax": _softmax,
        "elu": lambda x: np.where(x > 0, x, np.exp(x) - 1),
    }
)
ACTIVATED = ("dense", "time-distributed-dense", "conv1d", "conv2d")
"""Layer types whose key `activation` RTNeural applies."""


class StepLayer(Protocol):
    """A layer that processes one step at a time."""

    def reset(self) -> None:
        """Clear the state."""

    def __call__(self, x: Vector) -> Vector:
        """Return the outputs of a step."""


class _Stateless:
    """A layer without a state."""

    def __init__(self, function: Callable[[Vector], Vector]) -> None:
        self.function = function

    def reset(self) -> None:
        """Do nothing: there is no state."""

    def __call__(self, x: Vector) -> Vector:
        return self.function(x)


class _Conv1d:
    """A convolution over a ring buffer of the last steps."""

    def __init__(self, kernel: Vector, bias: Vector, dilation: int, groups: int) -> None:
        taps, width, outputs = kernel.shape
        group_outputs = outputs // groups
        # [K][I/G][O] to one matrix per group: [G][K I/G][O/G]
        grouped = kernel.reshape(taps, width, groups, group_outputs).transpose(2, 0, 1, 3)
        self.matrices = np.ascontiguousarray(grouped.reshape(groups, taps * width, group_outputs))
        self.bias, self.groups, self.width = bias, groups, width
        self.offsets = (taps - 1 - np.arange(taps)) * dilation
        self.ring = np.zeros(((taps - 1) * dilation + 1, groups * width), kernel.dtype)
        self.position = 0

    def reset(self) -> None:
        self.ring[:] = 0

    def __call__(self, x: Vector) -> Vector:
        self.position = (self.position + 1) % len(self.ring)
        self.ring[self.position] = x
        steps = self.ring[(self.position - self.offsets) % len(self.ring)]
        rows = steps.reshape(-1, self.groups, self.width).transpose(1, 0, 2)
        sums = rows.reshape(self.groups, 1, -1) @ self.matrices
        return np.asarray(sums.ravel() + self.bias)


class _Lstm:
    def __init__(self, kernel: Vector, recurrent_kernel: Vector, bias: Vector) -> None:
        self.kernel, self.recurrent_kernel, self.bias = kernel, recurrent_kernel, bias
        self.hidden, self.cell = np.zeros((2, len(recurrent_kernel)), kernel.dtype)

    def reset(self) -> None:
        self.hidden, self.cell = np.zeros_like((self.hidden, self.cell))

    def __call__(self, x: Vector) -> Vector:
        gates = x @ self.kernel + self.hidden @ self.recurrent_kernel + self.bias
        input_gate, forget_gate, candidate, output_gate = gates.reshape(4, -1)
        self.cell = sigmoid(forget_gate) * self.cell + sigmoid(input_gate) * np.tanh(candidate)
        self.hidden = sigmoid(output_gate) * np.tanh(self.cell)
        return self.hidden


class _Gru:
    def __init__(self, kernel: Vector, recurrent_kernel: Vector, biases: Vector) -> None:
        self.kernel, self.recurrent_kernel = kernel, recurrent_kernel
        self.input_bias, self.recurrent_bias = biases
        self.hidden = np.zeros(len(recurrent_kernel), kernel.dtype)

    def reset(self) -> None:
        self.hidden = np.zeros_like(self.hidden)

    def __call__(self, x: Vector) -> Vector:
        from_input = (x @ self.kernel + self.input_bias).reshape(3, -1)
        from_hidden = (self.hidden @ self.recurrent_kernel + self.recurrent_bias).reshape(3, -1)
        update, reset = sigmoid(from_input[:2] + from_hidden[:2])
        candidate = np.tanh(from_input[2] + reset * from_hidden[2])
        self.hidden = (1 - update) * candidate + update * self.hidden
        return self.hidden


def _last(value: Any) -> int:
    return int(value[-1] if isinstance(value, list) else value)


def _build_layer(layer: Mapping[str, Any], arrays: list[Vector], dtype: DTypeLike) -> StepLayer:
    """Return a layer without the activation that may follow it."""
    kind = layer["type"]
    if kind == "lstm":
        return _Lstm(*arrays)
    if kind == "gru":
        return _Gru(*arrays)
    if kind == "conv1d":
        kernel, bias = arrays
        return _Conv1d(kernel, bias, _last(layer["dilation"]), _last(layer.get("groups", 1)))
    if kind in ("dense", "time-distributed-dense"):
        kernel, bias = [*arrays, np.zeros(1, dtype)][:2]
        return _Stateless(lambda x: np.asarray(x @ kernel + bias))
    if kind == "prelu":
        slopes = arrays[0].ravel()
        return _Stateless(lambda x: np.where(x > 0, x, slopes * x))
    if kind == "conv2d":
        return Conv2dSteps(arrays[0], arrays[1], Conv2dShape.from_layer(layer))
    if kind in ("batchnorm", "batchnorm2d"):
        if kind == "batchnorm2d":  # the channels of a feature are together
            arrays = [np.tile(array, _last(layer["num_features_in"])) for array in arrays]
        (mean, variance), affine = arrays[-2:], arrays[:-2]
        scale = 1 / np.sqrt(variance + np.asarray(layer["epsilon"], dtype))
        gamma, beta = affine or (np.ones_like(mean), np.zeros_like(mean))
        return _Stateless(lambda x: np.asarray(gamma * scale * (x - mean) + beta))
    assert kind == "activation"
    return _Stateless(ACTIVATION_FUNCTIONS[layer["activation"]])


class Network:
    """A model that maps one step of inputs to one step of outputs.

    >>> text = '{"in_shape": [2], "layers": [{"type": "dense", "activation": "relu", '
    >>> network = Network(text + '"shape": [1], "weights": [[[1], [-2]], [0.5]]}]}')
    >>> network.forward(np.array([3, 1])), network.forward(np.array([1, 3]))
    (array([1.5], dtype=float32), array([0.], dtype=float32))
    """

    def __init__(
        self, text: str | bytes, file_name: str = "file", dtype: DTypeLike = np.float32
    ) -> None:
        """Read a file.

        Args:
            text: the file.
            file_name: its name, for errors.
            dtype: the type of the computation. RTNeural computes in float32, which also shows its
                overflows; float64, with the weights still rounded to float32, shows how much of a
                difference is rounding.

        Raises:
            UserError: the file has faults.
        """
        document = require_valid(text, file_name)
        self.inputs = step_size(document["in_shape"])
        self.outputs = self.inputs
        self.dtype = np.dtype(dtype)
        self.layers: list[StepLayer] = []
        for layer in document["layers"]:
            arrays = [np.array(w, np.float32).astype(self.dtype) for w in layer["weights"]]
            self.layers.append(_build_layer(layer, arrays, self.dtype))
            if layer["type"] in ACTIVATED and layer.get("activation"):
                self.layers.append(_Stateless(ACTIVATION_FUNCTIONS[layer["activation"]]))
            self.outputs = step_size(layer["shape"])

    def reset(self) -> None:
        """Clear the state, as before a first step."""
        for layer in self.layers:
            layer.reset()

    def forward(self, step: Vector) -> Vector:
        """Return the outputs `[O]` of a step `[I]`, and update the state.

        Raises:
            UserError: the step has another number of inputs.
        """
        if step.shape != (self.inputs,):
            raise UserError(f"a step has {self.inputs} inputs, found the shape {step.shape}")
        x = step.astype(self.dtype)
        # float32 overflows to infinity, as in RTNeural.
        with np.errstate(over="ignore", invalid="ignore"):
            for layer in self.layers:
                x = layer(x)
        return x

    def run(self, steps: Vector) -> Vector:
        """Return the outputs `[T, O]` of steps `[T, I]`, from the current state on."""
        outputs = [self.forward(step) for step in steps]
        return np.array(outputs, self.dtype).reshape(len(steps), self.outputs)
