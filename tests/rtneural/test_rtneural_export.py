"""What RTNeural's format can say is written whole; what it cannot is refused by name."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from rtneural_maker import max_rel_diff, network, noise, randomized
from torch import nn

from fonoteka.rtneural.export import export_model
from fonoteka.rtneural.unsupported import REFUSED

pytestmark = pytest.mark.torch


def layers_of(model, inputs=None):
    return export_model(model, inputs).document["layers"]


def kinds_of(model, inputs=None):
    return [layer["type"] for layer in layers_of(model, inputs)]


def causal(size, outputs, kernel, **more):
    past = (kernel - 1) * more.get("dilation", 1)
    return [nn.ConstantPad1d((past, 0), 0.0), nn.Conv1d(size, outputs, kernel, **more)]


class ResidualModule(nn.Module):
    """A user-defined module."""

    def __init__(self, size):
        super().__init__()
        self.inner = nn.Linear(size, size)

    def forward(self, x):
        return x + self.inner(x)


BIDIRECTIONAL = nn.LSTM(2, 3, bidirectional=True)
REFUSALS = {
    "bidirectional lstm": (BIDIRECTIONAL, r"layer 0 \(LSTM\): it is bidirectional, .* LSTM\(bid"),
    "bidirectional gru": (nn.GRU(2, 3, bidirectional=True), r"\(GRU\): it is bidirectional"),
    "projection": (nn.LSTM(2, 3, proj_size=2), r"proj_size is 2, .*Linear after it"),
    "stride": ([nn.Conv1d(2, 3, 1, stride=2)], r"its stride is 2, .* stride=1"),
    "padding on both sides": (
        [nn.Conv1d(2, 3, 3, padding=1)],
        r"padding=\(1,\) with zeros depends on future steps; .* ConstantPad1d\(\(2, 0\), 0\.0\)"),
    "padding same": ([nn.Conv1d(2, 3, 3, padding="same")], r"padding='same' with zeros depends"),
    "padding that reflects": (
        [nn.Conv1d(2, 3, 3, padding=1, padding_mode="reflect")], r"with reflect depends"),
    "padding of a single tap": ([nn.Conv1d(2, 3, 1, padding=1)], r"padding=\(1,\) with zeros"),
    "zeros after the end": (
        [nn.ConstantPad1d((1, 1), 0.0), nn.Conv1d(2, 3, 3)], r"1 steps of 0 before and 1 after"),
    "ones before the start": (
        [nn.ConstantPad1d((2, 0), 1.0), nn.Conv1d(2, 3, 3)], r"2 steps of 1 before and 0 after"),
    "too few zeros": (
        [nn.ZeroPad1d((2, 0)), nn.Conv1d(2, 3, 3, dilation=2)],
        r"layer 0 \(ZeroPad1d\): 2 zeros before layer 1 \(Conv1d\), which looks 4 steps back"),
    "zeros before no convolution": (
        [nn.ZeroPad1d((2, 0)), nn.Tanh()], r"layer 0 \(ZeroPad1d\): layer 1 \(Tanh\) follows it"),
    "zeros before nothing": ([nn.Linear(2, 2), nn.ZeroPad1d((2, 0))], r"nothing follows it"),
    "mirrored start": ([nn.ReflectionPad1d((2, 0)), nn.Conv1d(2, 3, 3)], r"history .* is zeros"),
    "recurrence after a late start": (
        [nn.Conv1d(2, 3, 3), nn.GRU(3, 2)], r"layer 1 \(GRU\): .* 2 steps later than RTNeural"),
    "zeros after a late start": (
        [nn.Conv1d(2, 3, 3), *causal(3, 2, 2)], r"layer 2 \(Conv1d\): .* 2 steps later"),
    "elu alpha": ([nn.ELU(0.5)], r"its alpha is 0\.5, but RTNeural always uses 1; .* ELU\(alpha="),
    "softmax over frames": ([nn.Softmax(dim=0)], r"its dim is 0, .*Softmax\(dim=-1\)"),
    "residual": (
        [nn.Linear(2, 2), ResidualModule(2)],
        r"layer 1 \(ResidualModule\): the format has no such layer, .* no residual, branch, .*list"
    ),
    "layer norm": ([nn.LayerNorm(2)], r"\(LayerNorm\): it normalises with statistics .* BatchN"),
    "gelu": ([nn.GELU()], r"\(GELU\): the format supports tanh, .* the nearest that works is ELU"),
    "silu": ([nn.SiLU()], r"\(SiLU\): the format supports"),
    "log softmax": ([nn.LogSoftmax(-1)], r"Softmax\(dim=-1\), with the logarithm taken on the hos"),
    "pooling": ([nn.MaxPool1d(2)], r"neither pooling nor a change of rate"),
    "plain recurrence": ([nn.RNN(2, 2)], r"no plain recurrent layer; .* GRU"),
    "cell": ([nn.LSTMCell(2, 2)], r"only whole layers are read; .* LSTM"),
    "planes of unknown size": ([nn.Conv2d(2, 2, 3)], r"shape of its input is unknown; pass inputs"),
    "volume": ([nn.Conv3d(2, 2, 3)], r"planes of features and channels; .* Conv2d"),
    "not yet sized": ([nn.LazyLinear(2)], r"\(LazyLinear\): it has no sizes yet"),
    "no order": (nn.ModuleList([nn.Linear(2, 2)]), r"does not define the order"),
    "norm without statistics": (
        [nn.BatchNorm1d(2, track_running_stats=False)], r"keeps no statistics, .*track_running"),
    "nothing": (nn.Sequential(), "no layer that computes"),
    "nothing but what is folded": ([nn.Identity()], "no layer that computes"),
    "slope": ([nn.LeakyReLU(float("inf"))], "its slope is inf"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_an_unsupported_model_is_refused_with_reason_and_way_out(case):
    model, message = REFUSALS[case]
    for module in model if isinstance(model, list) else [model]:
        module.eval()
    with pytest.raises(ValueError, match=message):
        export_model(model, 2)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    ("module", "name"),
    [(nn.Linear(2, 3), "weight"), (nn.Linear(2, 3), "bias"), (nn.Conv1d(2, 3, 1), "weight"),
     (nn.LSTM(2, 3), "weight_hh_l0"), (nn.GRU(2, 3, 2), "bias_ih_l1"), (nn.PReLU(2), "weight"),
     (nn.BatchNorm1d(2), "running_var"), (nn.BatchNorm1d(2), "weight")],
)  # fmt: skip
def test_a_weight_that_is_not_finite_is_refused_with_its_name(module, name, bad):
    tensor = dict([*module.eval().named_parameters(), *module.named_buffers()])[name]
    before = tensor.detach().clone()
    with torch.no_grad():
        tensor.view(-1)[-1] = bad
    try:
        case = name.split("_l")[0]
        with pytest.raises(ValueError, match=rf": .*{case}.* is not finite .* at 1 of .* first \["):
            export_model([module], 2)
    finally:
        with torch.no_grad():
            tensor.copy_(before)


def test_a_weight_past_float32_is_refused():
    linear = nn.Linear(1, 1).double()
    with torch.no_grad():
        linear.weight.fill_(1e40)
    with pytest.raises(ValueError, match="weight is not finite in float32 at 1 of 1 places"):
        export_model(linear)


def test_a_variance_below_zero_is_refused():
    norm = nn.BatchNorm1d(2).eval()
    norm.running_var[1] = -1
    with pytest.raises(
        ValueError, match=r"running_var contains -1\.0, .* a variance is never negative"
    ):
        export_model(norm)


@pytest.mark.parametrize(
    "model", [nn.Dropout(0.1), nn.BatchNorm1d(2), nn.GRU(2, 2, 2, dropout=0.5)]
)
def test_a_module_that_differs_in_training_is_refused_in_training(model):
    with pytest.raises(
        ValueError, match=r"training mode and computes a different result there; call eval\(\)"
    ):
        export_model([nn.Linear(2, 2), model.train()])
    assert layers_of([nn.Linear(2, 2), model.eval()])


def test_hooks_are_refused_and_parametrised_weights_read():
    linear = nn.Linear(2, 2)
    handle = linear.register_forward_hook(lambda *_: None)
    with pytest.raises(ValueError, match=r"layer 0 \(Linear\): hooks change what it computes"):
        export_model(linear)
    handle.remove()
    normed = nn.utils.parametrizations.weight_norm(linear)
    kernel = np.array(layers_of(normed)[0]["weights"][0], np.float32)
    assert np.array_equal(kernel, linear.weight.detach().numpy().T)


def test_layers_that_do_not_fit_each_other_are_refused():
    with pytest.raises(ValueError, match=r"layer 1 \(Linear\): it expects 4 features but gets 3"):
        export_model(nn.Sequential(nn.Linear(2, 3), nn.Linear(4, 1)))
    with pytest.raises(ValueError, match=r"layer 0 \(Linear\): it expects 2 features but gets 5"):
        export_model(nn.Linear(2, 3), 5)
    with pytest.raises(ValueError, match=r"\(PReLU\): it expects 4 features but gets 3"):
        export_model([nn.Linear(2, 3), nn.PReLU(4)])
    with pytest.raises(ValueError, match="the number of inputs is unknown; pass `inputs`"):
        export_model(nn.Sequential(nn.Tanh(), nn.Linear(2, 3)))
    with pytest.raises(ValueError, match="the number of inputs is unknown"):
        export_model(nn.PReLU())
    with pytest.raises(ValueError, match="inputs must be at least 1, found 0"):
        export_model(nn.Tanh(), 0)


def test_one_sequential_has_its_features_on_one_axis():
    mixed = [nn.Conv1d(2, 3, 1), nn.Linear(3, 1)]
    with pytest.raises(
        ValueError, match=r"layer 0 \(Conv1d\): its features are on the second axis"
    ):
        export_model(nn.Sequential(*mixed))
    assert kinds_of(mixed) == ["conv1d", "dense"]
    over_time = nn.Sequential(nn.Conv1d(2, 3, 1), nn.Softmax(dim=-1))
    with pytest.raises(ValueError, match=r"its dim is -1, .*Softmax\(dim=1\)"):
        export_model(over_time)
    assert layers_of(nn.Sequential(nn.Conv1d(2, 3, 1), nn.Softmax(dim=1)))
    assert layers_of(nn.Sequential(nn.Linear(2, 3), nn.Softmax(dim=1)))  # frames alone, [N, 3]
    with pytest.raises(ValueError, match="its dim is 1"):
        export_model(nn.Sequential(nn.GRU(2, 3), nn.Softmax(dim=1)))


def test_every_bias_is_written_and_every_shape_has_three_elements():
    model = [
        nn.Linear(2, 4, bias=False), *causal(4, 6, 3, groups=2, bias=False),
        nn.LSTM(6, 3, bias=False), nn.GRU(3, 2, bias=False), nn.BatchNorm1d(2, affine=False).eval(),
    ]  # fmt: skip
    dense, conv, lstm, gru, norm = layers_of(model)
    assert dense["weights"][1] == [0.0] * 4
    assert conv["weights"][1] == [0.0] * 6
    assert lstm["weights"][2] == [0.0] * 12
    assert gru["weights"][2] == [[0.0] * 6] * 2
    assert norm["weights"][:2] == [[1.0, 1.0], [0.0, 0.0]]
    assert all(layer["shape"][:2] == [None, None] for layer in layers_of(model))
    assert (conv["kernel_size"], conv["dilation"], conv["groups"]) == ([3], [1], 2)


def test_dropout_and_identity_are_dropped_and_activations_fused():
    model = nn.Sequential(
        nn.Linear(2, 3), nn.Dropout(0.5), nn.ReLU(), nn.Tanh(), nn.Identity(), nn.GRU(3, 2),
        nn.Sigmoid(), nn.LeakyReLU(0.2), nn.ELU(),
    ).eval()  # fmt: skip
    layer_kinds = [(layer["type"], layer["activation"]) for layer in layers_of(model)]
    assert layer_kinds == [("dense", "relu"), ("activation", "tanh"), ("gru", ""),
                    ("activation", "sigmoid"), ("prelu", ""), ("activation", "elu")]  # fmt: skip
    assert layers_of(model)[4]["weights"] == [[[0.2]]]


def test_a_stacked_recurrent_module_is_one_layer_per_level():
    assert kinds_of(nn.LSTM(2, 3, 3)) == ["lstm"] * 3
    assert [len(layer["weights"][0]) for layer in layers_of(nn.GRU(2, 3, 2))] == [2, 3]


def test_a_file_is_one_compact_line_and_equal_models_are_equal_bytes():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(100, 100), nn.Tanh())
    text = export_model(model).text
    assert text == export_model(model).text
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert " " not in text
    assert "NaN" not in text
    assert len(text) / 10_100 < 14  # bytes per number: nine digits, point, sign, comma and a zero


def test_numbers_are_restored_bit_for_bit():
    linear = nn.Linear(1000, 1)
    bits = torch.randint(-(2**31), 2**31 - 1, (1, 1000), generator=torch.Generator().manual_seed(1))
    values = bits.to(torch.int32).view(torch.float32)
    with torch.no_grad():
        linear.weight.copy_(values.nan_to_num(0, 3.4028235e38, -3.4028235e38))
    kernel = json.loads(export_model(linear).text)["layers"][0]["weights"][0]
    parsed = np.array(kernel, np.float32).ravel()
    assert np.array_equal(
        parsed.view(np.int32), linear.weight.detach().numpy().ravel().view(np.int32)
    )


def test_a_convolution_without_padding_starts_late_by_skipped_steps():
    torch.manual_seed(0)
    model = randomized(
        nn.Sequential(nn.Conv1d(2, 4, 3, dilation=2), nn.ReLU(), nn.Conv1d(4, 3, 2, groups=1))
    )
    exported, frames = export_model(model), noise(30, 2)
    assert exported.skipped_steps == 5
    with torch.inference_mode():
        expected = model(torch.from_numpy(frames.T.copy())[None])[0].numpy().T
    assert len(expected) == 25
    assert max_rel_diff(network(model, 2).run(frames)[5:], expected) < 1e-5


def test_torch_on_its_own_axes_agrees_with_the_file():
    torch.manual_seed(0)
    model = nn.Sequential(
        *causal(2, 6, 3, dilation=2, groups=2), nn.BatchNorm1d(6), nn.PReLU(6),
        nn.Sequential(*causal(6, 4, 2), nn.Softmax(dim=1)),
    )  # fmt: skip
    model, frames = randomized(model).eval(), noise(30, 2)
    with torch.inference_mode():
        expected = model(torch.from_numpy(frames.T.copy())[None])[0].numpy().T
    assert max_rel_diff(network(model, 2).run(frames), expected) < 1e-5


def test_every_refusal_names_a_class_that_torch_has():
    assert [name for name in REFUSED if not hasattr(nn, name)] == []
