"""Models on planes of features and channels: exported, validated, run and bounded."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

from fonoteka.rtneural.bounds import max_abs_logit
from fonoteka.rtneural.export import export_model
from fonoteka.rtneural.interpreter import Network
from fonoteka.rtneural.validate import diagnose

STEPS = 12
ALLOWED = 1e-5
"""As in rtneural_maker: far above rounding, far below an error of the order of weights."""


def frames(features, channels, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((STEPS, features, channels)).astype(np.float32)


def run_torch(layers, x):
    """Return the outputs `[T, O]` of layers on `[T, F, C]`; a plane is `[F, C]` in RTNeural."""
    y = torch.from_numpy(x).permute(2, 0, 1)[None]  # [1, C, T, F]
    with torch.no_grad():
        for layer in layers:
            if isinstance(layer, nn.Linear | nn.GRU) and y.ndim == 4:
                y = y.permute(0, 2, 1, 3).flatten(2)  # [1, T, C F]
            y = layer(y)
            y = y[0] if isinstance(y, tuple) else y
    if y.ndim == 4:
        y = y.permute(0, 2, 3, 1).flatten(2)
    return y[0].numpy()


def randomized(layers):
    """Return layers in eval mode with statistics other than the defaults."""
    torch.manual_seed(1)
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
        layer.eval()
    return layers


def check(layers, features, channels):
    """Export layers, validate the file, and compare its outputs with torch."""
    x = frames(features, channels)
    exported = export_model(randomized(layers), (features, channels))
    assert diagnose(exported.text) == []
    outputs = Network(exported.text).run(x.reshape(STEPS, -1))
    expected = run_torch(layers, x)
    assert outputs[exported.skipped_steps :].shape == expected.shape
    assert np.abs(outputs[exported.skipped_steps :] - expected).max() <= ALLOWED
    return exported


@given(
    features=st.integers(1, 9), channels=st.integers(1, 3), time=st.integers(1, 3),
    kernel=st.integers(1, 5), dilation=st.integers(1, 3), stride=st.integers(1, 3),
    filters=st.integers(1, 3), same=st.booleans(), bias=st.booleans(), causal=st.booleans(),
)  # fmt: skip
def test_a_convolution_of_planes_runs_as_in_torch(
    features, channels, time, kernel, dilation, stride, filters, same, bias, causal
):
    # The zeros of "same", computed as TensorFlow states it.
    outputs = -(-features // stride)
    total = max((outputs - 1) * stride + kernel - features, 0) if same else 0
    assume(features + total >= kernel)
    zeros = (total // 2, total - total // 2, (time - 1) * dilation if causal else 0, 0)
    conv = nn.Conv2d(
        channels, filters, (time, kernel), (1, stride), (0, 0), (dilation, 1), bias=bias
    )
    exported = check([nn.ZeroPad2d(zeros), conv], features, channels)
    assert exported.skipped_steps == (0 if causal else (time - 1) * dilation)


@pytest.mark.parametrize("shortcut", [(0, 1), "same"])
def test_padding_of_the_module_itself_is_read(shortcut):
    check([nn.Conv2d(2, 3, (1, 3), padding=shortcut)], 7, 2)


def test_a_whole_model_runs_as_in_torch():
    layers = [
        nn.ZeroPad2d((0, 0, 2, 0)), nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(),
        nn.Dropout2d(0.2), nn.ZeroPad2d((0, 0, 2, 0)),
        nn.Conv2d(3, 4, (2, 3), (1, 2), dilation=(2, 1)), nn.Tanh(), nn.PReLU(),
        nn.BatchNorm2d(4, affine=False), nn.GRU(8, 5, batch_first=True), nn.Linear(5, 2),
    ]  # fmt: skip
    exported = check(layers, 7, 2)
    shapes = [layer["shape"][2:] for layer in exported.document["layers"]]
    assert shapes == [[5, 3], [5, 3], [5, 3], [2, 4], [8], [2, 4], [5], [2]]


def test_a_linear_layer_reads_a_plane_in_the_order_of_torch():
    exported = check([nn.Conv2d(2, 3, 1), nn.Linear(12, 2), nn.Softmax(-1)], 4, 2)
    bound = max_abs_logit(exported.document, 3.0)
    rng = np.random.default_rng(3)
    x = rng.uniform(-3, 3, (200, 8)).astype(np.float32)
    exported.document["layers"][-1]["activation"] = ""
    logits = Network(exported.text).run(x)
    assert 0.3 * bound < np.abs(logits).max() <= bound


REFUSALS = {
    "time": ([nn.Conv2d(2, 2, 3, padding=1)], r"depends on future .* ZeroPad2d\(\(0, 0, 2"),
    "groups": ([nn.Conv2d(2, 2, 1, groups=2)], "groups is 2, and the format has 1"),
    "stride": ([nn.Conv2d(2, 2, 1, stride=2)], r"stride over time is 2, .* stride=\(1, s\)"),
    "dilation": ([nn.Conv2d(2, 2, (1, 2), dilation=2)], "dilation over features is 2"),
    "zeros": ([nn.Conv2d(2, 2, (1, 3), padding=(0, 2))], "2 and 2 zeros .* not expressible"),
    "mode": ([nn.Conv2d(2, 2, 1, padding_mode="circular")], "padding_mode='circular'"),
    "channels": ([nn.Conv2d(3, 2, 1)], "expects 3 channels but gets 2"),
    "norm": ([nn.BatchNorm2d(5)], "expects 5 channels but gets 2"),
    "softmax": ([nn.Conv2d(2, 2, 1), nn.Softmax(-1)], "over all features and channels"),
    "history": ([nn.ZeroPad2d((0, 0, 1, 0)), nn.Conv2d(2, 2, 3)], "1 zeros before .* 2 steps back"),
    "end": ([nn.ZeroPad2d((0, 0, 1, 1)), nn.Conv2d(2, 2, 3)], "has zeros before the first step"),
    "nothing": ([nn.Conv2d(2, 2, 1), nn.ZeroPad2d(1)], "zeros before the first step"),
    "pad first": ([nn.ZeroPad2d((0, 0, 1, 0)), nn.ReLU()], "follows it, not a Conv2d"),
    "later": ([nn.Conv2d(2, 2, (2, 1)), nn.ZeroPad2d((0, 0, 1, 0)), nn.Conv2d(2, 2, (2, 1))],
              "torch starts this layer 1 steps later"),
    "order": ([nn.Conv2d(2, 2, 1), nn.BatchNorm1d(8)], "it follows planes of features"),
    "vectors": ([nn.Linear(8, 2), nn.Conv2d(2, 2, 1)], "follows a layer without planes"),
    "sequential": (nn.Sequential(nn.Conv2d(2, 2, 1), nn.Linear(4, 2)), "on one of their axes"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_an_unsupported_model_on_planes_is_refused(case):
    model, message = REFUSALS[case]
    for module in model:
        module.eval()
    with pytest.raises(ValueError, match=message):
        export_model(model, (4, 2))


@pytest.mark.parametrize("inputs", [0, (0, 2), (3, 0)])
def test_inputs_of_no_size_are_refused(inputs):
    with pytest.raises(ValueError, match="inputs must be at least 1"):
        export_model([nn.Tanh()], inputs)


def test_an_activation_may_have_planes_and_a_dense_layer_may_not():
    activation = {"type": "activation", "activation": "relu", "shape": [None, None, 3, 2],
                  "weights": []}  # fmt: skip
    document = {"in_shape": [None, None, 3, 2], "layers": [activation]}
    assert diagnose(json.dumps(document)) == []
    dense = {"type": "dense", "shape": [None, None, 3, 2], "weights": [np.zeros((6, 6)).tolist()]}
    document["layers"] = [dense]
    messages = [str(each) for each in diagnose(json.dumps(document))]
    assert any("has four elements" in message for message in messages)
    document["layers"] = [activation | {"shape": [None, None, 3, 1]}]
    assert any("cuts the rest off" in str(each) for each in diagnose(json.dumps(document)))
