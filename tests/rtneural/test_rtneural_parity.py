"""Running a valid but wrong file reveals the difference and its cause."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from rtneural_maker import noise, randomized, torch_steps
from torch import nn

from fonoteka.models.causal import Stack
from fonoteka.rtneural.export import export_model
from fonoteka.rtneural.parity import check_parity, settling_steps

pytestmark = pytest.mark.torch
ALLOWED = 1e-5


def stack():
    torch.manual_seed(0)
    layers = [nn.Linear(4, 4), nn.Tanh(), nn.Conv1d(4, 6, 3), nn.ReLU(),
              nn.GRU(6, 5, batch_first=True), nn.LSTM(5, 4, batch_first=True)]  # fmt: skip
    return randomized(Stack(layers)).eval()


FRAMES = noise(60, 4)
EXPECTED = torch_steps(stack(), FRAMES)


def changed(index, number, function):
    document = json.loads(export_model(stack()).text)
    weights = document["layers"][index]["weights"]
    weights[number] = function(np.array(weights[number])).tolist()
    return json.dumps(document)


def gates(count, first, second):
    """Return a function that swaps two gates in an array of a recurrent layer."""
    order = list(range(count))
    order[first], order[second] = second, first

    def swap(x):
        parts = np.split(x, count, axis=-1)
        return np.concatenate([parts[gate] for gate in order], axis=-1)

    return swap


def swapped(index, count, first, second):
    document = json.loads(export_model(stack()).text)
    layer = document["layers"][index]
    layer["weights"] = [gates(count, first, second)(np.array(w)).tolist() for w in layer["weights"]]
    return json.dumps(document)


def test_a_right_file_agrees_within_rounding():
    assert check_parity(export_model(stack()).text, FRAMES, EXPECTED, ALLOWED, "m.json") < 1e-6


PLANTED = {
    "a square kernel that is not transposed": (
        lambda: changed(0, 0, np.transpose), r"the kernel transposed of layers\[0\] \(dense\)"),
    "taps from the newest to the oldest": (
        lambda: changed(1, 0, lambda x: x[::-1]), r"the taps reversed of layers\[1\] \(conv1d\)"),
    "the GRU's gates in torch's order": (
        lambda: swapped(2, 3, 0, 1), r"the first two gates swapped of layers\[2\] \(gru\)"),
    "the LSTM's gates in another order": (
        lambda: swapped(3, 4, 2, 3), r"the last two gates swapped of layers\[3\] \(lstm\)"),
}  # fmt: skip


@pytest.mark.parametrize("case", PLANTED)
def test_a_wrong_order_of_weights_is_named(case):
    make, hint = PLANTED[case]
    message = (
        rf"m\.json: max abs error .*e-0[12] from the first step on, first at step \d+; .*{hint}"
    )
    with pytest.raises(ValueError, match=message):
        check_parity(make(), FRAMES, EXPECTED, ALLOWED, "m.json")


def test_a_missing_lstm_bias_is_found_without_a_hint():
    text = changed(3, 2, lambda bias: bias * 0.5)
    with pytest.raises(
        ValueError, match=r"max abs error .* from the first step on.*; allowed is 1e-05$"
    ):
        check_parity(text, FRAMES, EXPECTED, ALLOWED, "m.json")


def test_outputs_of_another_model_are_refused():
    with pytest.raises(ValueError, match=r"shape \(60, 4\), but the model's have \(60, 3\)"):
        check_parity(export_model(stack()).text, FRAMES, EXPECTED[:, :3], ALLOWED, "m.json")


def test_outputs_that_are_nan_fail_the_check():
    softmax = export_model([nn.Softmax(dim=-1)], 2).text
    loud = np.array([[100.0, 0.0]], np.float32)
    with pytest.raises(
        ValueError, match="max abs error nan from the first step on, first at step 0"
    ):
        check_parity(softmax, loud, np.array([[1.0, 0.0]]), ALLOWED, "m.json")


def test_a_convolution_settles_after_its_history():
    torch.manual_seed(0)
    conv = [nn.ConstantPad1d((6, 0), 0.0), nn.Conv1d(2, 3, 4, dilation=2)]
    assert settling_steps(export_model(conv).text, noise(60, 2), 1e-9, starts=5) == 6


def test_a_state_that_halves_per_step_settles_below_the_tolerance():
    # Gates of one half and a candidate of 0 leave h(t) = h(t - 1) / 2; only the input at
    # the first step, which opens them to 1 at tanh(10) = 1, sets it.
    gru = {"type": "gru", "activation": "", "shape": [None, None, 1],
           "weights": [[[0.0, 0.0, 10.0]], [[0.0] * 3], [[0.0] * 3] * 2]}  # fmt: skip
    text = json.dumps({"in_shape": [None, None, 1], "layers": [gru]})
    frames = np.zeros((64, 1), np.float32)
    frames[0] = 1
    # From 0.5 at step 0, 2^-11 is below 1/1000 at step 10: after a start at step 1 that is 9 on.
    assert settling_steps(text, frames, 1e-3, starts=1) == 8
    assert settling_steps(text, frames[:8], 1e-3, starts=1) is None
