"""A module that runs twice becomes two layers of the file, and the file agrees with torch."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
import torch
from rtneural_maker import (
    max_rel_diff,
    network,
    noise,
    onnx_session,
    onnx_steps,
    randomized,
    torch_steps,
)
from torch import nn

from fonoteka.models.causal import Stack
from fonoteka.models.numbers import parameter_count
from fonoteka.rtneural.cost import model_cost
from fonoteka.rtneural.export import export_model

pytestmark = pytest.mark.torch
# Three dense layers of 8 float32 products per step: rounding is some 1e-7, a lost layer 0.1.
ALLOWED = 1e-6


def seeded(function):
    torch.manual_seed(5)
    return function()


def shared_tanh():
    act = nn.Tanh()
    return nn.Sequential(nn.Linear(2, 8), act, nn.Linear(8, 8), act, nn.Linear(8, 1))


def shared_prelu():
    act = nn.PReLU()
    return nn.Sequential(nn.Linear(2, 4), act, nn.Linear(4, 4), act, nn.Linear(4, 1))


def shared_linear():
    linear = nn.Linear(2, 2)
    return nn.Sequential(linear, nn.ReLU(), linear, nn.Tanh(), linear)


def shared_block():
    block = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    return nn.Sequential(block, nn.ELU(), block, nn.Sequential(block, nn.Sequential(block)))


def shared_across_levels():
    act, linear = nn.Sigmoid(), nn.Linear(2, 2)
    return nn.Sequential(act, nn.Sequential(linear, act), nn.Sequential(act, linear))


def shared_folded():
    drop, same = nn.Dropout(0.4), nn.Identity()
    return nn.Sequential(drop, same, nn.Linear(2, 3), drop, nn.Tanh(), same, drop, nn.Linear(3, 2))


def shared_slopes():
    act, leaky = nn.PReLU(3), nn.LeakyReLU(0.2)
    return nn.Sequential(nn.Linear(2, 3), act, leaky, nn.Linear(3, 3), leaky, act, act)


def tied_weights():
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    second.weight = first.weight
    return nn.Sequential(first, nn.Tanh(), second, nn.Softmax(dim=-1))


def named_twice():
    act = nn.ReLU()
    layers = OrderedDict(first=nn.Linear(2, 3), a=act, b=act, second=nn.Linear(3, 2), c=act)
    return nn.Sequential(layers)


def appended():
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    return model.extend(model[:]).append(model[0])


KINDS = {
    shared_tanh: ["dense tanh", "dense tanh", "dense"],
    shared_prelu: ["dense", "prelu", "dense", "prelu", "dense"],
    shared_linear: ["dense relu", "dense tanh", "dense"],
    shared_block: ["dense tanh", "activation elu", "dense tanh", "dense tanh", "dense tanh"],
    shared_across_levels: ["activation sigmoid", "dense sigmoid", "activation sigmoid", "dense"],
    shared_folded: ["dense tanh", "dense"],
    shared_slopes: ["dense", "prelu", "prelu", "dense", "prelu", "prelu", "prelu"],
    tied_weights: ["dense tanh", "dense softmax"],
    named_twice: ["dense relu", "activation relu", "dense relu"],
    appended: ["dense tanh", "dense tanh", "dense"],
}


@pytest.mark.parametrize("make", KINDS)
def test_a_module_that_runs_twice_is_written_twice(make):
    model = randomized(seeded(make)).eval()
    exported = export_model(model, 2)
    kinds = [f"{la['type']} {la['activation']}".strip() for la in exported.document["layers"]]
    assert kinds == KINDS[make]
    frames = noise(50, 2)
    with torch.inference_mode():
        expected = model(torch.from_numpy(frames)).numpy()
    assert max_rel_diff(network(model, 2).run(frames), expected) < ALLOWED


def stacks():
    linear, act, drop = nn.Linear(3, 3), nn.Tanh(), nn.Dropout(0.5)
    conv, norm = nn.Conv1d(3, 3, 3, dilation=2), nn.BatchNorm1d(3)
    gru, lstm = nn.GRU(3, 3, batch_first=True), nn.LSTM(3, 3, batch_first=True)
    return {
        "dense": [linear, act, drop, linear, act],
        "convolution": [conv, act, norm, conv, act, norm],
        "recurrence": [gru, linear, gru, act, lstm, lstm],
    }


@pytest.mark.parametrize("name", stacks())
def test_a_causal_stack_may_run_a_layer_twice_each_time_with_its_own_memory(name, tmp_path):
    model = randomized(Stack(seeded(stacks)[name])).eval()
    frames = noise(60, 3)
    expected = torch_steps(model, frames)
    assert max_rel_diff(torch_steps(model, frames, 7), expected) < ALLOWED
    assert max_rel_diff(network(model, 3).run(frames), expected) < ALLOWED
    streamed = onnx_session(model, 3, tmp_path / "model.onnx")
    assert max_rel_diff(onnx_steps(streamed, frames, (1, 5)), expected) < ALLOWED


def test_a_file_counts_a_layer_per_run_and_a_model_its_parameters_once():
    model = seeded(shared_linear).eval()
    cost = model_cost(export_model(model, 2).document)
    assert parameter_count(model) == 2 * 2 + 2
    assert cost.parameters == 3 * (2 * 2 + 2)  # the file holds them three times
    assert cost.macs == 3 * 2 * 2  # and a step multiplies by them three times


class ResidualSequential(nn.Sequential):
    def forward(self, frames):
        return frames + super().forward(frames)


class ReversedSequential(nn.Sequential):
    def __iter__(self):
        return reversed(self._modules.values())


class DoubledSequential(nn.Sequential):
    def __call__(self, frames):
        return 2 * super().__call__(frames)


class PlainSequential(nn.Sequential):
    """A subclass that changes nothing."""


class ScaledStack(Stack):
    def forward(self, frames, state=()):
        outputs, after = super().forward(frames, state)
        return 2 * outputs, after


@pytest.mark.parametrize("kind", [ResidualSequential, ReversedSequential, DoubledSequential])
def test_a_sequential_that_does_not_run_its_children_in_order_is_refused(kind):
    model = nn.Sequential(nn.Linear(2, 2), kind(nn.Linear(2, 2), nn.Tanh()))
    with pytest.raises(
        ValueError, match=rf"layer 1 \({kind.__name__}\): the format has no such layer"
    ):
        export_model(model, 2)


def test_a_subclass_that_changes_nothing_is_exported():
    model = seeded(lambda: PlainSequential(nn.Linear(2, 2), nn.Tanh()))
    assert len(export_model(model, 2).document["layers"]) == 1


def test_a_forward_that_was_replaced_is_refused():
    linear = nn.Linear(2, 2)
    linear.forward = lambda frames: 2 * frames
    with pytest.raises(ValueError, match=r"layer 1 \(Linear\): its forward was replaced"):
        export_model(nn.Sequential(nn.Tanh(), linear), 2)
    model = nn.Sequential(nn.Tanh())
    model.forward = np.abs
    with pytest.raises(ValueError, match=r"layer 0 \(Sequential\): its forward was replaced"):
        export_model(model, 2)


def test_layers_declared_by_a_base_of_the_class_with_the_forward_are_refused():
    with pytest.raises(
        ValueError, match=r"\(ScaledStack\): its forward is that of ScaledStack, but its dec"
    ):
        export_model(ScaledStack([nn.Linear(2, 2)]), 2)
