"""Torch, ONNX Runtime and the interpreter of RTNeural's files say the same, step by step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from rtneural_maker import (
    Drawn,
    apart,
    architectures,
    network,
    noise,
    onnx_steps,
    opened,
    torch_steps,
)

from stages.common.rtneural_export import export
from stages.common.rtneural_numpy import Network

# Float32 has 24 bits, 6e-8, and a step sums some tens of products: 1e-5 is far above what rounding
# does and far below what any mistake in the order of weights does, which is 0.01 and more.
ALLOWED = 1e-5
LONG = 10_000
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


@given(architectures())
@settings(
    max_examples=300, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
def test_no_drawn_model_is_understood_in_two_ways(tmp_path, drawn):
    stack, frames = drawn.stack(), noise(40, drawn.inputs, drawn.seed)
    by_torch = torch_steps(stack, frames)
    streamed = opened(stack, drawn.inputs, tmp_path / "model.onnx")
    read = network(stack, drawn.inputs)
    for _ in range(2):  # and again after a reset
        read.reset()
        assert apart(read.run(frames), by_torch) < ALLOWED
        assert apart(onnx_steps(streamed, frames, (1, 2, 7)), by_torch) < ALLOWED


def test_the_models_drawn_are_many_and_of_all_kinds():
    seen = []

    @given(architectures())
    @settings(max_examples=300, database=None, deadline=None, derandomize=True)
    def draw(drawn):
        seen.append(drawn)

    draw()
    kinds = {kind for drawn in seen for kind, *_ in drawn.layers}
    assert kinds >= {"dense", "conv", "gru", "lstm", "norm", "prelu", "tanh", "relu", "sigmoid",
                     "softmax", "elu", "leaky", "dropout", "identity"}  # fmt: skip
    assert len({(drawn.inputs, drawn.layers) for drawn in seen}) >= 200


@pytest.mark.parametrize("name", FIXED)
def test_ten_thousand_steps_from_a_reset_bring_no_difference(name, tmp_path):
    drawn = FIXED[name]
    stack, frames = drawn.stack(), noise(LONG, drawn.inputs)
    by_torch = torch_steps(stack, frames)
    assert by_torch.std(axis=0).max() > 0.01  # it does say something
    read = network(stack, drawn.inputs)
    for _ in range(2):
        read.reset()
        assert np.abs(read.run(frames) - by_torch).max() < ALLOWED
    streamed = opened(stack, drawn.inputs, tmp_path / "model.onnx")
    for blocks in ((1,), (1, 3, 50)):
        assert np.abs(onnx_steps(streamed, frames, blocks) - by_torch).max() < ALLOWED


@pytest.mark.parametrize("name", FIXED)
def test_rounding_does_not_pile_up(name):
    drawn = FIXED[name]
    frames, text = noise(4000, drawn.inputs), export(drawn.stack(), drawn.inputs).text
    exact, rounded = (Network(text, dtype=dtype).run(frames) for dtype in ("f8", "f4"))
    error = np.abs(exact - rounded).max(axis=1)
    # a state forgets its own rounding: the last steps are no worse than the first
    assert error[-1000:].max() < 3 * error[:1000].max() < 3e-6


def test_the_interpreter_keeps_to_float32_as_rtneural_does():
    softmax = torch.nn.Sequential(torch.nn.Softmax(dim=-1))
    loud = np.array([[100.0, 0.0]], np.float32)
    assert torch_steps(Drawn(2, (("softmax",),), 0).stack(), loud)[0] == pytest.approx([1, 0])
    # RTNeural subtracts no maximum, so that e^100 is infinite
    assert np.isnan(Network(export(softmax, 2).text).run(loud)).any()
    assert np.isfinite(Network(export(softmax, 2).text, dtype=np.float64).run(loud)).all()


@pytest.mark.parametrize("block", [1, 3, 40])
@pytest.mark.parametrize("name", FIXED)
def test_a_stack_says_the_same_whole_and_in_pieces(name, block):
    drawn = FIXED[name]
    frames = noise(40, drawn.inputs)
    assert apart(torch_steps(drawn.stack(), frames, block), plain(drawn, frames)) < ALLOWED


@torch.inference_mode()
def plain(drawn, frames):
    """The declared layers on the whole, each as torch alone runs it."""
    hidden = torch.from_numpy(frames)[None]
    across = (torch.nn.ConstantPad1d, torch.nn.Conv1d, torch.nn.BatchNorm1d, torch.nn.PReLU)
    for layer in drawn.stack().declared_layers():
        if isinstance(layer, across):
            hidden = layer(hidden.transpose(1, 2)).transpose(1, 2)
        else:
            hidden = layer(hidden)
            hidden = hidden[0] if isinstance(hidden, tuple) else hidden
    return hidden[0].numpy()
