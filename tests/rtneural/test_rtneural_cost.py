"""The cost of a model equals a count by hand, and its C++ type lists its layers."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from rtneural_maker import architectures, noise
from torch import nn

from fonoteka.rtneural.cost import model_cost, model_t
from fonoteka.rtneural.export import export_model
from fonoteka.rtneural.interpreter import Network

pytestmark = pytest.mark.torch


def document_of(*layers, inputs=None):
    for layer in layers:
        layer.eval()
    return export_model(list(layers), inputs).document


def conv(size, outputs, kernel, dilation=1, groups=1):
    pad = nn.ConstantPad1d(((kernel - 1) * dilation, 0), 0.0)
    return pad, nn.Conv1d(size, outputs, kernel, dilation=dilation, groups=groups)


def test_parameters_and_products_are_counted():
    cost = model_cost(document_of(nn.Linear(3, 4), nn.Tanh(), *conv(4, 6, 5, 2, 2), nn.ReLU()))
    assert (cost.inputs, cost.outputs) == (3, 6)
    assert cost.parameters == (12 + 4) + (5 * 2 * 6 + 6)
    assert cost.weight_bytes == 4 * cost.parameters
    assert cost.macs == 12 + 60
    assert cost.exponentials == 4  # relu does not count
    assert cost.state_size == 4 * 8
    recurrent = model_cost(document_of(nn.LSTM(3, 4), nn.GRU(4, 2)))
    assert recurrent.parameters == 16 * (3 + 4 + 1) + 6 * (4 + 2 + 2)
    assert recurrent.macs == 16 * 7 + 12 + 6 * 6 + 6
    assert recurrent.exponentials == 5 * 4 + 3 * 2
    assert recurrent.state_size == 4 + 4 + 2


def test_layers_with_one_product_per_feature_are_counted():
    cost = model_cost(document_of(nn.BatchNorm1d(3), nn.PReLU(3), nn.Softmax(dim=-1)))
    assert (cost.parameters, cost.macs, cost.exponentials) == (15, 9, 3)


def test_the_receptive_field_is_that_of_the_taps_or_unlimited():
    cost = model_cost(document_of(*conv(2, 2, 3, 4), *conv(2, 2, 2), nn.Linear(2, 1)))
    assert (cost.receptive_steps, cost.warm_up_steps) == (1 + 8 + 1, 9)
    cost = model_cost(document_of(*conv(2, 2, 3), nn.GRU(2, 1)))
    assert (cost.receptive_steps, cost.warm_up_steps) == (None, None)


@given(architectures())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_no_output_depends_on_more_than_its_receptive_field(spec):
    document = json.loads(export_model(spec.stack(), spec.inputs).text)
    if (steps := model_cost(document).receptive_steps) is None:
        return
    frames = noise(steps + 1, spec.inputs)
    whole = Network(json.dumps(document)).run(frames)
    assert np.array_equal(Network(json.dumps(document)).run(frames[1:])[-1], whole[-1])


def test_the_type_names_every_layer_and_activation():
    document = document_of(
        nn.Linear(3, 4), nn.Tanh(), *conv(4, 6, 3, 2), nn.PReLU(), *conv(6, 6, 2, 1, 3), nn.ReLU(),
        nn.BatchNorm1d(6), nn.LSTM(6, 5), nn.GRU(5, 2), nn.ELU(), nn.Sigmoid(), nn.Softmax(dim=-1),
    )  # fmt: skip
    start, *rest = model_t(document).removesuffix(">").split(", RTNeural::")
    assert start == "RTNeural::ModelT<float, 3, 2"
    assert rest == [
        "DenseT<float, 3, 4>", "TanhActivationT<float, 4>", "Conv1DT<float, 4, 6, 3, 2>",
        "PReLUActivationT<float, 6>", "Conv1DT<float, 6, 6, 2, 1, 3>", "ReLuActivationT<float, 6>",
        "BatchNorm1DT<float, 6, true>", "LSTMLayerT<float, 6, 5>", "GRULayerT<float, 5, 2>",
        "ELuActivationT<float, 2>", "SigmoidActivationT<float, 2>", "SoftmaxActivationT<float, 2>",
    ]  # fmt: skip


def test_a_normalisation_of_two_arrays_has_its_own_type():
    norm = {"type": "batchnorm", "shape": [2], "epsilon": 0.1, "weights": [[0, 0], [1, 1]]}
    document = {"in_shape": [2], "layers": [norm]}
    assert (
        model_t(document)
        == "RTNeural::ModelT<float, 2, 2, RTNeural::BatchNorm1DT<float, 2, false>>"
    )


def planes(kind, shape, weights, **more):
    return {"type": kind, "shape": [None, None, *shape], "weights": weights} | more


def test_a_model_on_planes_has_a_cost_and_a_type():
    conv = planes(
        "conv2d", (2, 3), [[0.0] * 24, [0.0] * 3], kernel_size_time=2, kernel_size_feature=2,
        dilation=4, strides=2, num_filters_in=2, num_features_in=5, num_filters_out=3,
        padding="valid", activation="tanh",
    )  # fmt: skip
    norm = planes("batchnorm2d", (2, 3), [[0.0] * 3] * 4, num_filters_in=3, num_features_in=2)
    document = {"in_shape": [None, None, 5, 2], "layers": [conv, norm]}
    cost = model_cost(document)
    assert (cost.inputs, cost.outputs, cost.parameters) == (10, 6, 24 + 3 + 12)
    assert cost.macs == 2 * 2 * 2 * 6 + 6
    assert (cost.exponentials, cost.receptive_steps, cost.state_size) == (6, 5, 40)
    assert model_t(document) == (
        "RTNeural::ModelT2D<float, 2, 5, 3, 2, RTNeural::Conv2DT<float, 2, 3, 5, 2, 2, 4, 2, true>,"
        " RTNeural::TanhActivationT<float, 6>, RTNeural::BatchNorm2DT<float, 3, 2, true>>"
    )
    dense = {"type": "dense", "shape": [1], "weights": [[[0]] * 6]}
    document["layers"].append(dense)
    assert model_cost(document).outputs == 1
    with pytest.raises(ValueError, match="planes and on vectors have no common type"):
        model_t(document)
