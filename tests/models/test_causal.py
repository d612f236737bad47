"""A causal network depends on past frames only, and its state is complete."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from rtneural_maker import (
    OPSET,
    max_rel_diff,
    noise,
    onnx_session,
    onnx_steps,
    randomized,
    torch_steps,
)
from torch import nn

from fonoteka.core.params import build
from fonoteka.models.causal import LayerShape, Stack, StackShape, build_stack, detach
from fonoteka.onnx_export.stateful import export_stack
from fonoteka.rtneural.export import export_model

pytestmark = pytest.mark.torch


def shape_of(kind, outputs, kernel=1, dilation=1, groups=1, activation="none"):
    return LayerShape(kind, outputs, kernel, dilation, groups, activation)


SHAPE = StackShape(
    inputs=5,
    dropout=0.2,
    layers=(
        shape_of("conv", 6, kernel=3, dilation=2, activation="relu"),
        shape_of("gru", 4),
        shape_of("lstm", 4),
        shape_of("dense", 3, activation="softmax"),
    ),
)


def new_stack(shape=SHAPE, seed=0):
    torch.manual_seed(seed)
    return randomized(build_stack(shape)).eval()


def test_a_section_of_params_describes_a_network():
    layer = {"kind": "dense", "outputs": 2, "kernel": 1, "dilation": 1, "groups": 1,
             "activation": "sigmoid"}  # fmt: skip
    shape = build({"inputs": 5, "dropout": 0, "layers": [layer]}, StackShape, "speech")
    assert [type(m).__name__ for m in build_stack(shape).layers] == ["Linear", "Sigmoid"]


def test_dropout_precedes_each_layer_except_the_first():
    kinds = [type(layer).__name__ for layer in build_stack(SHAPE).layers]
    assert kinds == ["Conv1d", "ReLU", "Dropout", "GRU", "Dropout", "LSTM", "Dropout", "Linear",
                     "Softmax"]  # fmt: skip
    without = build_stack(StackShape(5, 0.0, SHAPE.layers))
    assert not any(isinstance(layer, nn.Dropout) for layer in without.layers)


@pytest.mark.parametrize("index", [0, 7, 19])
def test_no_output_depends_on_later_frames(index):
    frames = noise(20, 5)
    other = frames.copy()
    other[index + 1 :] += 1
    whole = torch_steps(new_stack(), frames, 20)
    assert np.array_equal(torch_steps(new_stack(), other, 20)[: index + 1], whole[: index + 1])
    other[index] += 1
    assert not np.allclose(torch_steps(new_stack(), other, 20)[index], whole[index])


def test_the_state_is_small_and_starts_as_zeros():
    state = new_stack().initial_state(batch=2)
    assert [tuple(part.shape) for part in state] == [(2, 5, 4), (1, 2, 4), (1, 2, 4), (1, 2, 4)]
    assert not any(part.any() for part in state)
    assert new_stack(StackShape(5, 0.0, (shape_of("conv", 2),))).initial_state() == ()


def test_sequences_of_a_batch_are_independent():
    frames = torch.from_numpy(np.stack([noise(9, 5, seed) for seed in (1, 2)]))
    both, _ = new_stack()(frames)
    alone, _ = new_stack()(frames[1:])
    assert torch.allclose(both[1:], alone, atol=1e-6)  # float32, in another order


def test_gradients_flow_within_a_block_only():
    stack = build_stack(SHAPE).train()
    first = torch.randn(2, 6, 5, requires_grad=True)
    _, state = stack(first)
    outputs, _ = stack(torch.randn(2, 6, 5), detach(state))
    outputs.square().sum().backward()
    assert first.grad is None
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in stack.parameters())


@pytest.mark.parametrize(("name", "curve"), [("sigmoid", torch.sigmoid), ("softmax", None)])
def test_logits_are_the_input_of_the_last_activation(name, curve):
    stack = new_stack(
        StackShape(5, 0.0, (*SHAPE.layers[:-1], shape_of("dense", 3, activation=name)))
    )
    frames = torch.from_numpy(noise(9, 5))[None]
    outputs, state = stack(frames)
    logits, after = stack.logits(frames)
    assert torch.equal(curve(logits) if curve else logits.softmax(-1), outputs)
    assert all(torch.equal(first, second) for first, second in zip(state, after, strict=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "rnn"}, "kind 'rnn' is not one of conv, dense, gru, lstm"),
        ({"activation": "gelu"}, "activation 'gelu' is not one of elu, none, relu"),
        ({"outputs": 0}, r"must be at least 1, found \(0, 1, 1, 1\)"),
        ({"kernel": 3}, "a gru has kernel, dilation and groups 1, found 3, 1 and 1"),
    ],
)
def test_an_invalid_layer_is_refused(change, message):
    values = {"kind": "gru", "outputs": 2, "kernel": 1, "dilation": 1, "groups": 1,
              "activation": "none"}  # fmt: skip
    with pytest.raises(ValueError, match=message):
        build(values | change, LayerShape, "layer")


def test_a_network_without_layers_is_refused():
    with pytest.raises(ValueError, match="layers must contain at least one layer"):
        build_stack(StackShape(5, 0.0, ()))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.Conv1d(2, 2, 3, padding=1), r"layer 0 \(Conv1d\): padding must be 0 and stride 1"),
        (nn.Conv1d(2, 2, 3, stride=2), "padding must be 0 and stride 1"),
        (nn.GRU(2, 2), "must be batch_first"),
        (nn.LSTM(2, 2, batch_first=True, bidirectional=True), "not bidirectional"),
        (nn.Softmax(dim=1), "dim must be -1, found 1"),
        (nn.LayerNorm(2), r"layer 0 \(LayerNorm\): it is not one of BatchNorm1d, Conv1d"),
    ],
)
def test_a_layer_that_looks_ahead_or_is_unknown_is_refused(layer, message):
    with pytest.raises(ValueError, match=message):
        Stack([layer])


def test_an_onnx_file_runs_blocks_of_any_length_and_returns_its_state(tmp_path):
    frames = noise(50, 5)
    streamed = onnx_session(new_stack(), 5, tmp_path / "m.onnx")
    expected = torch_steps(new_stack(), frames)
    for blocks in ((50,), (1,), (2, 5)):
        assert max_rel_diff(onnx_steps(streamed, frames, blocks), expected) < 1e-5
    names = {node.name: node.shape for node in streamed.session.get_inputs()}
    assert names == {"frames": [1, "hops", 5], "state_0": [1, 5, 4], "state_1": [1, 1, 4],
                     "state_2": [1, 1, 4], "state_3": [1, 1, 4]}  # fmt: skip


def test_equal_networks_give_equal_onnx_files_with_metadata(tmp_path):
    for name in ("a", "b"):
        export_stack(new_stack(), 5, {"name": "toy", "hop_ms": "10"}, tmp_path / name, OPSET)
    first, second = [hashlib.sha256((tmp_path / n).read_bytes()).digest() for n in ("a", "b")]
    assert first == second
    stack = new_stack()
    streamed = onnx_session(stack, 5, tmp_path / "c")
    assert streamed.session.get_modelmeta().custom_metadata_map == {}
    assert not any(module.training for module in stack.modules())  # the tracer left it as it was


def test_the_same_network_exports_to_rtneural():
    kinds = [layer["type"] for layer in export_model(new_stack(), 5).document["layers"]]
    assert kinds == ["conv1d", "gru", "lstm", "dense"]
