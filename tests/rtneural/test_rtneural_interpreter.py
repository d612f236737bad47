"""The interpreter computes the format, checked with numbers calculated by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from fonoteka.rtneural.interpreter import Network


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def network(*layers, inputs=1):
    return Network(json.dumps({"in_shape": [None, None, inputs], "layers": layers}))


def layer(kind, size, weights, **more):
    return {"type": kind, "shape": [None, None, size], "weights": weights} | more


def outputs_of(net, *steps):
    """Return the outputs of steps; a step of one number may be a scalar."""
    return [net.forward(np.atleast_1d(np.array(step, np.float32))).tolist() for step in steps]


def test_a_kernel_is_inputs_by_outputs():
    dense = layer("dense", 2, [[[1, 10], [2, 20], [3, 30]], [0.5, -0.5]])
    assert outputs_of(network(dense, inputs=3), [1, 1, 1], [0, 0, 2]) == [[6.5, 59.5], [6.5, 59.5]]
    alias = layer("time-distributed-dense", 1, [[[2]]], activation="relu")
    assert outputs_of(network(alias), 3, -3) == [[6], [0]]


def test_the_last_tap_of_a_convolution_is_the_newest():
    conv = layer("conv1d", 1, [[[[1]], [[10]], [[100]]], [0.5]], kernel_size=[3], dilation=[2])
    net = network(conv)
    # y(t) = 100 x(t) + 10 x(t - 2) + x(t - 4) + 0.5
    assert outputs_of(net, 1, 2, 3, 4, 5, 6) == [
        [100.5],
        [200.5],
        [310.5],
        [420.5],
        [531.5],
        [642.5],
    ]
    net.reset()
    assert outputs_of(net, 7) == [[700.5]]


def test_a_group_of_a_convolution_depends_on_its_own_inputs():
    kernel = [[[1, 2, 3, 4]]]  # one tap, 4 inputs in 4 groups: each output has its own input
    conv = layer("conv1d", 4, [kernel, [0] * 4], kernel_size=1, dilation=1, groups=4)
    assert outputs_of(network(conv, inputs=4), [1, 10, 100, 1000]) == [[1, 20, 300, 4000]]
    pairs = [[[1, 2, 3, 4], [10, 20, 30, 40]]]  # outputs 0 and 1 depend on inputs 0 and 1
    conv = layer("conv1d", 4, [pairs, [0] * 4], kernel_size=1, dilation=1, groups=2)
    assert outputs_of(network(conv, inputs=4), [1, 1, 0, 0], [0, 0, 1, 2]) == [
        [11, 22, 0, 0], [0, 0, 63, 84],
    ]  # fmt: skip


def test_the_gates_of_an_lstm_are_input_forget_candidate_output():
    kernel, recurrent_kernel, bias = (
        [[1.0, 2.0, 3.0, 4.0]],
        [[0.1, 0.2, 0.3, 0.4]],
        [0.5, 0.6, 0.7, 0.8],
    )
    hidden = cell = 0.0
    expected = []
    for x in (1.0, -0.5, 0.25):
        i, f, c, o = [
            x * kernel[0][n] + hidden * recurrent_kernel[0][n] + bias[n] for n in range(4)
        ]
        cell = sigmoid(f) * cell + sigmoid(i) * math.tanh(c)
        hidden = sigmoid(o) * math.tanh(cell)
        expected.append(hidden)
    net = network(layer("lstm", 1, [kernel, recurrent_kernel, bias]))
    for _ in range(2):
        net.reset()
        outputs = np.ravel(outputs_of(net, 1.0, -0.5, 0.25))
        assert outputs == pytest.approx(expected, abs=1e-6)  # float32


def test_the_gates_of_a_gru_are_update_reset_candidate():
    kernel, recurrent_kernel = [[1.0, 2.0, 3.0]], [[0.1, -0.2, 0.3]]
    biases = [[0.5, 0.6, 0.7], [-0.1, 0.2, 0.9]]
    hidden, expected = 0.0, []
    for x in (1.0, -0.5, 0.25):
        from_input = [x * kernel[0][n] + biases[0][n] for n in range(3)]
        from_own = [hidden * recurrent_kernel[0][n] + biases[1][n] for n in range(3)]
        update, reset = (sigmoid(from_input[n] + from_own[n]) for n in range(2))
        candidate = math.tanh(from_input[2] + reset * from_own[2])
        hidden = (1 - update) * candidate + update * hidden
        expected.append(hidden)
    outputs = np.ravel(
        outputs_of(network(layer("gru", 1, [kernel, recurrent_kernel, biases])), 1.0, -0.5, 0.25)
    )
    assert outputs == pytest.approx(expected, abs=1e-6)


def test_a_normalisation_has_two_arrays_or_four():
    plain = layer("batchnorm", 2, [[1, 2], [3, 15]], epsilon=1)
    assert outputs_of(network(plain, inputs=2), [5, 10]) == [[2, 2]]
    affine = layer("batchnorm", 2, [[10, 20], [1, -1], [1, 2], [3, 15]], epsilon=1)
    assert outputs_of(network(affine, inputs=2), [5, 10]) == [[21, 39]]


def test_a_slope_applies_to_all_features_or_one():
    assert outputs_of(network(layer("prelu", 2, [[[0.5]]]), inputs=2), [-2, 4]) == [[-1, 4]]
    assert outputs_of(network(layer("prelu", 2, [[[0.5, 3]]]), inputs=2), [-2, -4]) == [[-1, -12]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("tanh", [math.tanh(-1), 0, math.tanh(2)]), ("relu", [0, 0, 2]),
     ("sigmoid", [sigmoid(-1), 0.5, sigmoid(2)]), ("elu", [math.exp(-1) - 1, 0, 2]),
     ("softmax", [math.exp(x) / (math.exp(-1) + 1 + math.exp(2)) for x in (-1, 0, 2)])],
)  # fmt: skip
def test_an_activation_is_the_same_alone_and_in_a_layer(name, expected):
    alone = layer("activation", 3, [], activation=name)
    unit = np.eye(3).tolist()
    inside = layer("dense", 3, [unit, [0] * 3], activation=name)
    for net in (network(alone, inputs=3), network(inside, inputs=3)):
        assert outputs_of(net, [-1, 0, 2])[0] == pytest.approx(expected, abs=1e-6)


def test_extreme_inputs_saturate_without_a_warning():
    sharp = layer("activation", 1, [], activation="sigmoid")
    assert outputs_of(network(sharp), -1e4, 1e4) == [[0], [1]]
    flat = layer("activation", 1, [], activation="elu")
    assert outputs_of(network(flat), -1e4, 1e4) == [[-1], [1e4]]


def test_it_computes_in_float32_by_default():
    third = {"in_shape": [1], "layers": [layer("dense", 1, [[[1 / 3]], [0]])]}
    text, step = json.dumps(third), np.ones(1)
    assert Network(text).forward(step).dtype == np.float32
    exact = Network(text, dtype=np.float64).forward(step)
    assert exact.dtype == np.float64
    assert exact[0] == np.float64(np.float32(1 / 3)) != 1 / 3  # weights are float32 all the same


def test_a_run_is_its_steps_and_a_step_has_one_size():
    net = network(layer("dense", 1, [[[2], [3]], [0]]), inputs=2)
    assert net.run(np.array([[1, 1], [2, 0]], np.float32)).tolist() == [[5], [4]]
    assert net.run(np.zeros((0, 2), np.float32)).shape == (0, 1)
    with pytest.raises(ValueError, match=r"a step has 2 inputs, found the shape \(3,\)"):
        net.forward(np.zeros(3))


def test_a_normalisation_of_planes_is_per_channel():
    norm = {"type": "batchnorm2d", "shape": [None, None, 2, 2], "epsilon": 0.0,
            "num_filters_in": 2, "num_features_in": 2, "weights": [[1, 10], [1, 4]]}  # fmt: skip
    net = Network(json.dumps({"in_shape": [None, None, 2, 2], "layers": [norm]}))
    # The channels of a feature are together: the second channel has mean 10 and deviation 2.
    assert outputs_of(net, [1, 10, 2, 14]) == [[0, 0, 1, 2]]


@pytest.mark.parametrize(
    ("padding", "stride", "expected"),
    [("valid", 1, [210, 321]), ("same", 1, [100, 210, 321, 32]), ("same", 2, [210, 32]),
     ("valid", 2, [210])],
)  # fmt: skip
def test_a_kernel_over_features_is_padded_as_tensorflow_does(padding, stride, expected):
    kernel = [[[[1]], [[10]], [[100]]]]  # one tap of time, three features
    conv = {"type": "conv2d", "shape": [None, None, len(expected), 1], "weights": [kernel, [0]],
            "kernel_size_time": 1, "kernel_size_feature": 3, "dilation": 1, "strides": stride,
            "num_filters_in": 1, "num_features_in": 4, "num_filters_out": 1,
            "padding": padding}  # fmt: skip
    net = Network(json.dumps({"in_shape": [None, None, 4, 1], "layers": [conv]}))
    assert outputs_of(net, [0, 1, 2, 3]) == [expected]


def test_the_taps_of_time_are_planes_of_the_past():
    kernel = [[[[1, 0], [2, 0]]], [[[10, 1], [20, 0]]]]  # 2 taps, 1 feature, 2 channels, 2 filters
    conv = {"type": "conv2d", "activation": "relu", "shape": [None, None, 1, 2],
            "weights": [kernel, [0.5, -3]], "kernel_size_time": 2, "kernel_size_feature": 1,
            "dilation": 2, "strides": 1, "num_filters_in": 2, "num_features_in": 1,
            "num_filters_out": 2, "padding": "valid"}  # fmt: skip
    net = Network(json.dumps({"in_shape": [None, None, 1, 2], "layers": [conv]}))
    steps = [[1, 0], [0, 1], [2, 0], [4, 0]]
    assert outputs_of(net, *steps) == [[10.5, 0], [20.5, 0], [21.5, 0], [42.5, 1]]
    net.reset()
    assert outputs_of(net, [1, 0]) == [[10.5, 0]]
