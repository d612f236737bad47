"""Models for RTNeural: drawn ones, fixed ones, and the three ways to run them."""

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
from fonoteka.onnx_export.stateful_session import Streamed
from fonoteka.rtneural.export import export
from fonoteka.rtneural.interpreter import Network

torch.set_num_threads(1)
OPSET = 17
# Float32 has 24 bits, 6e-8, and a step sums some tens of products: 1e-5 is far above what rounding
# does and far below what any mistake in the order of weights does, which is 0.01 and more.
ALLOWED = 1e-5
SIZES = st.integers(1, 7)
CURVES = {
    "tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid, "elu": nn.ELU,
    "softmax": lambda: nn.Softmax(dim=-1), "leaky": lambda: nn.LeakyReLU(0.07),
    "identity": nn.Identity, "dropout": lambda: nn.Dropout(0.3),
}  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """An architecture in words, so that hypothesis shows and shrinks it, and its weights' seed."""

    inputs: int
    layers: tuple[tuple, ...]
    seed: int

    def stack(self) -> Stack:
        """The model, ready to run, with statistics and slopes that are no defaults."""
        torch.manual_seed(self.seed)
        size, layers = self.inputs, []
        for kind, *said in self.layers:
            layer, size = made(kind, said, size)
            layers.append(layer)
        return unsettled(Stack(layers)).eval()


FIXED = {
    "gru": Drawn(40, (("dense", 24, True), ("relu",), ("gru", 32, 1, True), ("dense", 15, True),
                      ("softmax",)), 1),
    "lstm": Drawn(40, (("lstm", 24, 2, True), ("dropout",), ("dense", 1, True), ("sigmoid",)), 2),
    "convolutions": Drawn(8, (("conv", 1, 8, 16, 3, 1, True), ("elu",),
                              ("conv", 4, 4, 4, 3, 4, False), ("leaky",), ("norm", True),
                              ("conv", 16, 1, 1, 5, 16, True), ("prelu", True), ("tanh",)), 3),
    "all": Drawn(6, (("conv", 2, 3, 4, 4, 3, True), ("norm", False), ("prelu", True),
                     ("gru", 12, 2, False), ("sigmoid",), ("lstm", 10, 1, True), ("identity",),
                     ("dense", 8, False), ("elu",), ("gru", 5, 1, True)), 4),
}  # fmt: skip


def made(kind, said, size):
    """A layer after `size` features, and how many it gives."""
    if kind in CURVES:
        return CURVES[kind](), size
    if kind == "dense":
        return nn.Linear(size, said[0], bias=said[1]), said[0]
    if kind == "conv":
        groups, into, out, kernel, dilation, bias = said
        assert size == groups * into
        conv = nn.Conv1d(size, out * groups, kernel, dilation=dilation, groups=groups, bias=bias)
        return conv, out * groups
    if kind in ("gru", "lstm"):
        hidden, levels, bias = said
        recurrent = nn.GRU if kind == "gru" else nn.LSTM
        return recurrent(size, hidden, levels, bias=bias, batch_first=True), hidden
    if kind == "norm":
        return nn.BatchNorm1d(size, affine=said[0]), size
    assert kind == "prelu"
    return nn.PReLU(size if said[0] else 1), size


def unsettled(model):
    """Give what begins at 0 and 1 other values, and make weights and states move outputs well."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Unit inputs stay about unit outputs; recurrent weights stay such that states fade.
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
    """Any order of any layers that the exporter knows."""
    inputs = size = draw(SIZES)
    layers = []
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(("dense", "conv", "gru", "lstm", "norm", "prelu", *CURVES)))
        said = ()
        if kind == "dense":
            said = (draw(SIZES), draw(st.booleans()))
            size = said[0]
        elif kind == "conv":
            groups = draw(st.sampled_from([n for n in range(1, size + 1) if size % n == 0]))
            out = draw(st.integers(1, 3))
            said = (groups, size // groups, out, draw(st.integers(1, 4)), draw(st.integers(1, 5)),
                    draw(st.booleans()))  # fmt: skip
            size = out * groups
        elif kind in ("gru", "lstm"):
            said = (draw(SIZES), draw(st.integers(1, 3)), draw(st.booleans()))
            size = said[0]
        elif kind in ("norm", "prelu"):
            said = (draw(st.booleans()),)
        layers.append((kind, *said))
    if all(kind in ("identity", "dropout") for kind, *_ in layers):
        layers.append(("tanh",))
    return Drawn(inputs, tuple(layers), draw(st.integers(0, 2**16)))


def noise(steps, size, seed=0):
    """Inputs as normalised features are: mean 0, deviation 1."""
    return np.random.default_rng(seed).standard_normal((steps, size)).astype(np.float32)


@torch.inference_mode()
def torch_steps(stack, frames, block=1):
    """What torch says from a reset on, `block` steps at a time."""
    state, found = (), []
    for piece in torch.from_numpy(frames)[None].split(block, dim=1):
        outputs, state = stack(piece, state)
        found.append(outputs[0].numpy())
    return np.concatenate(found)


def onnx_steps(streamed, frames, blocks=(1,)):
    """What ONNX Runtime says from a reset on, in blocks of these many steps, in turn."""
    streamed.reset()
    found, at = [], 0
    rng = random.Random(0)
    while at < len(frames):
        block = rng.choice(blocks)
        found.append(streamed.run(frames[at : at + block]))
        at += block
    return np.concatenate(found)


def opened(stack, inputs, path):
    """The stack as an ONNX file, opened."""
    export_stack(stack, inputs, {}, path, OPSET)
    return Streamed(open_model(path))


def network(model, inputs):
    """The stack as RTNeural's file, read by the interpreter."""
    return Network(export(model, inputs).text)


def apart(one, other):
    """The largest difference, relative to outputs above 1."""
    assert one.shape == other.shape
    assert np.isfinite(one).all()
    return float(np.max(np.abs(one - other) / np.maximum(1, np.abs(other))))


def require_agreement(drawn, path=None):
    """Assert that the interpreter, and ONNX Runtime if there is a path, compute what torch does."""
    stack, frames = drawn.stack(), noise(40, drawn.inputs, drawn.seed)
    by_torch = torch_steps(stack, frames)
    read = network(stack, drawn.inputs)
    streamed = opened(stack, drawn.inputs, path) if path else None
    for turn in ("from the first step on", "after a reset"):
        read.reset()
        error = apart(read.run(frames), by_torch)
        assert error < ALLOWED, f"the interpreter is off by {error} {turn}"
        if streamed:
            error = apart(onnx_steps(streamed, frames, (1, 2, 7)), by_torch)
            assert error < ALLOWED, f"ONNX Runtime is off by {error} {turn}"


def require_long_agreement(drawn, steps, path):
    """Assert that the three ways compute the same over many steps from a reset on."""
    stack, frames = drawn.stack(), noise(steps, drawn.inputs)
    by_torch = torch_steps(stack, frames)
    assert by_torch.std(axis=0).max() > 0.01, "the model's outputs do not move"
    read = network(stack, drawn.inputs)
    for turn in ("from the first step on", "after a reset"):
        read.reset()
        error = np.abs(read.run(frames) - by_torch).max()
        assert error < ALLOWED, f"the interpreter is off by {error} {turn}"
    streamed = opened(stack, drawn.inputs, path)
    for blocks in ((1,), (1, 3, 50)):
        error = np.abs(onnx_steps(streamed, frames, blocks) - by_torch).max()
        assert error < ALLOWED, f"ONNX Runtime is off by {error} in blocks of {blocks}"
