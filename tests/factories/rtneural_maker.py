"""Models for RTNeural: random and fixed ones, and the three ways to run them."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import strategies as st
from torch import nn

from fonoteka.models.causal import Stack
from fonoteka.onnx_export.session import open_model
from fonoteka.onnx_export.stateful import export_stack
from fonoteka.onnx_export.stateful_session import StatefulSession
from fonoteka.rtneural.export import export_model
from fonoteka.rtneural.interpreter import Network

torch.set_num_threads(1)
OPSET = 17
# Float32 has 24 bits, 6e-8, and a step sums some tens of products: 1e-5 is far above rounding and
# far below the error of weights in a wrong order, which is at least 0.01.
ALLOWED = 1e-5
SIZES = st.integers(1, 7)
CURVES = {
    "tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid, "elu": nn.ELU,
    "softmax": lambda: nn.Softmax(dim=-1), "leaky": lambda: nn.LeakyReLU(0.07),
    "identity": nn.Identity, "dropout": lambda: nn.Dropout(0.3),
}  # fmt: skip


@dataclass(frozen=True)
class ModelSpec:
    """A readable architecture, which hypothesis can shrink, and the seed of its weights."""

    inputs: int
    layers: tuple[tuple, ...]
    seed: int

    def stack(self) -> Stack:
        """Return the model in eval mode, with statistics and slopes other than the defaults."""
        torch.manual_seed(self.seed)
        size, layers = self.inputs, []
        for kind, *arguments in self.layers:
            layer, size = build_layer(kind, arguments, size)
            layers.append(layer)
        return randomized(Stack(layers)).eval()


FIXED = {
    "gru": ModelSpec(
        40,
        (("dense", 24, True), ("relu",), ("gru", 32, 1, True), ("dense", 15, True), ("softmax",)),
        1,
    ),
    "lstm": ModelSpec(
        40, (("lstm", 24, 2, True), ("dropout",), ("dense", 1, True), ("sigmoid",)), 2
    ),
    "convolutions": ModelSpec(
        8,
        (
            ("conv", 1, 8, 16, 3, 1, True), ("elu",), ("conv", 4, 4, 4, 3, 4, False), ("leaky",),
            ("norm", True), ("conv", 16, 1, 1, 5, 16, True), ("prelu", True), ("tanh",),
        ),
        3,
    ),
    "all": ModelSpec(
        6,
        (
            ("conv", 2, 3, 4, 4, 3, True), ("norm", False), ("prelu", True), ("gru", 12, 2, False),
            ("sigmoid",), ("lstm", 10, 1, True), ("identity",), ("dense", 8, False), ("elu",),
            ("gru", 5, 1, True),
        ),
        4,
    ),
}  # fmt: skip


def build_layer(kind, arguments, size):
    """Return a layer after `size` features, and its number of outputs."""
    if kind in CURVES:
        return CURVES[kind](), size
    if kind == "dense":
        return nn.Linear(size, arguments[0], bias=arguments[1]), arguments[0]
    if kind == "conv":
        groups, inputs, out, kernel, dilation, bias = arguments
        assert size == groups * inputs
        conv = nn.Conv1d(size, out * groups, kernel, dilation=dilation, groups=groups, bias=bias)
        return conv, out * groups
    if kind in ("gru", "lstm"):
        hidden, levels, bias = arguments
        recurrent = nn.GRU if kind == "gru" else nn.LSTM
        return recurrent(size, hidden, levels, bias=bias, batch_first=True), hidden
    if kind == "norm":
        return nn.BatchNorm1d(size, affine=arguments[0]), size
    assert kind == "prelu"
    return nn.PReLU(size if arguments[0] else 1), size


def randomized(model):
    """Replace initial zeros and ones, and scale weights so that outputs vary and states fade."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Unit inputs give outputs near 1; recurrent weights are small, so states fade.
            parameter *= 1.5 if "weight_hh" in name else 3 if "weight_ih" in name else 2
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.running_mean.normal_(0, 0.5)
                module.running_var.uniform_(0.5, 2)
                if module.affine:
                    module.weight.normal_()
                    module.bias.normal_()
            elif isinstance(module, nn.PReLU):
                module.weight.normal_(0, 0.5)
    return model


@st.composite
def architectures(draw):
    """Draw any sequence of supported layers."""
    inputs = size = draw(SIZES)
    layers = []
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(("dense", "conv", "gru", "lstm", "norm", "prelu", *CURVES)))
        arguments = ()
        if kind == "dense":
            arguments = (draw(SIZES), draw(st.booleans()))
            size = arguments[0]
        elif kind == "conv":
            groups = draw(st.sampled_from([n for n in range(1, size + 1) if size % n == 0]))
            out = draw(st.integers(1, 3))
            kernel, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 5))
            arguments = (groups, size // groups, out, kernel, dilation, draw(st.booleans()))
            size = out * groups
        elif kind in ("gru", "lstm"):
            arguments = (draw(SIZES), draw(st.integers(1, 3)), draw(st.booleans()))
            size = arguments[0]
        elif kind in ("norm", "prelu"):
            arguments = (draw(st.booleans()),)
        layers.append((kind, *arguments))
    if all(kind in ("identity", "dropout") for kind, *_ in layers):
        layers.append(("tanh",))
    return ModelSpec(inputs, tuple(layers), draw(st.integers(0, 2**16)))


def noise(steps, size, seed=0):
    """Return inputs like normalised features: mean 0, deviation 1."""
    return np.random.default_rng(seed).standard_normal((steps, size)).astype(np.float32)


@torch.inference_mode()
def torch_steps(stack, frames, block=1):
    """Return the outputs of torch from a reset on, in blocks of `block` steps."""
    state, outputs = (), []
    for piece in torch.from_numpy(frames)[None].split(block, dim=1):
        piece_outputs, state = stack(piece, state)
        outputs.append(piece_outputs[0].numpy())
    return np.concatenate(outputs)


def onnx_steps(streamed, frames, blocks=(1,)):
    """Return the outputs of ONNX Runtime from a reset on, in blocks of random sizes."""
    streamed.reset()
    outputs, start = [], 0
    rng = random.Random(0)
    while start < len(frames):
        block = rng.choice(blocks)
        outputs.append(streamed.run(frames[start : start + block]))
        start += block
    return np.concatenate(outputs)


def onnx_session(stack, inputs, path):
    """Return a session of the stack as an ONNX file."""
    export_stack(stack, inputs, {}, path, OPSET)
    return StatefulSession(open_model(path))


def network(model, inputs):
    """Return the stack as an RTNeural file in the interpreter."""
    return Network(export_model(model, inputs).text)


def max_rel_diff(actual, expected):
    """Return the largest difference, relative to outputs above 1."""
    assert actual.shape == expected.shape
    assert np.isfinite(actual).all()
    return float(np.max(np.abs(actual - expected) / np.maximum(1, np.abs(expected))))


def require_agreement(spec, path=None):
    """Assert that the interpreter, and ONNX Runtime if there is a path, agree with torch."""
    stack, frames = spec.stack(), noise(40, spec.inputs, spec.seed)
    by_torch = torch_steps(stack, frames)
    read = network(stack, spec.inputs)
    streamed = onnx_session(stack, spec.inputs, path) if path else None
    for turn in ("from the first step on", "after a reset"):
        read.reset()
        error = max_rel_diff(read.run(frames), by_torch)
        assert error < ALLOWED, f"the interpreter is off by {error} {turn}"
        if streamed:
            error = max_rel_diff(onnx_steps(streamed, frames, (1, 2, 7)), by_torch)
            assert error < ALLOWED, f"ONNX Runtime is off by {error} {turn}"


def require_long_agreement(spec, steps, path):
    """Assert that the three ways agree over many steps from a reset on."""
    stack, frames = spec.stack(), noise(steps, spec.inputs)
    by_torch = torch_steps(stack, frames)
    assert by_torch.std(axis=0).max() > 0.01, "the outputs of the model are constant"
    read = network(stack, spec.inputs)
    for turn in ("from the first step on", "after a reset"):
        read.reset()
        error = np.abs(read.run(frames) - by_torch).max()
        assert error < ALLOWED, f"the interpreter is off by {error} {turn}"
    streamed = onnx_session(stack, spec.inputs, path)
    for blocks in ((1,), (1, 3, 50)):
        error = np.abs(onnx_steps(streamed, frames, blocks) - by_torch).max()
        assert error < ALLOWED, f"ONNX Runtime is off by {error} in blocks of {blocks}"
