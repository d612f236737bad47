"""Each mistake that RTNeural crashes on, or is silently wrong with, is a sentence before it."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from rtneural_maker import architectures

from fonoteka.models.causal import Stack
from fonoteka.rtneural.export import export_model
from fonoteka.rtneural.interpreter import Network
from fonoteka.rtneural.validate import diagnose, require_valid

pytestmark = pytest.mark.torch
DENSE, CONV, LSTM, GRU, PRELU, NORM, CURVE, LAST = range(8)
ORDER = ("dense", "conv1d", "lstm", "gru", "prelu", "batchnorm", "activation", "dense")


def valid_document():
    """Return a valid file: a layer of each type; 3 inputs, then 4, 6, 5, 2, 2, 2, 2, 2 outputs."""
    torch.manual_seed(0)
    layers = [
        torch.nn.Linear(3, 4), torch.nn.Conv1d(4, 6, 3, dilation=2, groups=2),
        torch.nn.LSTM(6, 5, batch_first=True), torch.nn.GRU(5, 2, batch_first=True),
        torch.nn.PReLU(2), torch.nn.BatchNorm1d(2), torch.nn.Sigmoid(), torch.nn.Linear(2, 2),
        torch.nn.ReLU(),
    ]  # fmt: skip
    document = export_model(Stack(layers).eval(), 3).document
    assert tuple(layer["type"] for layer in document["layers"]) == ORDER
    return json.loads(json.dumps(document))


def image_document():
    """Return a file with the two layers that work on images: 3 features of 2 channels."""
    kernel = np.full((2, 2, 2, 4), 0.1).tolist()
    conv = {"type": "conv2d", "activation": "relu", "shape": [None, None, 2, 4],
            "weights": [kernel, [0.0] * 4], "kernel_size_time": 2, "kernel_size_feature": [2],
            "dilation": 1, "strides": 1, "num_filters_in": 2, "num_features_in": 3,
            "num_filters_out": 4, "padding": "valid"}  # fmt: skip
    norm = {"type": "batchnorm2d", "activation": "", "shape": [None, None, 2, 4],
            "weights": [[0.0] * 4, [1.0] * 4], "epsilon": 0.001, "num_filters_in": 4,
            "num_features_in": 2}  # fmt: skip
    return {"in_shape": [None, None, 3, 2], "layers": [conv, norm]}


def faults(document):
    text = document if isinstance(document, str | bytes) else json.dumps(document)
    return [str(diagnostic) for diagnostic in diagnose(text) if diagnostic.fault]


def notes(document):
    return [
        str(diagnostic) for diagnostic in diagnose(json.dumps(document)) if not diagnostic.fault
    ]


def put(index, **values):
    """Return a change of keys of one layer; ... removes a key."""

    def change(document):
        layer = document["layers"][index]
        for key, value in values.items():
            if value is ...:
                del layer[key]
            else:
                layer[key] = value

    return change


def array(index, number, function):
    """Return a change of one array of one layer."""

    def change(document):
        weights = document["layers"][index]["weights"]
        weights[number] = function(np.array(weights[number], float)).tolist()

    return change


def fewer(index, count):
    def change(document):
        del document["layers"][index]["weights"][count:]

    return change


def more(index):
    def change(document):
        weights = document["layers"][index]["weights"]
        weights.append(weights[-1])

    return change


def top(**values):
    def change(document):
        document.update(values)
        for key in [key for key, value in values.items() if value is ...]:
            del document[key]

    return change


def wide(x):
    return np.concatenate([x, x[..., -1:]], axis=-1)


def narrow(x):
    return x[..., :-1]


MISTAKES = {
    "unknown type": (put(CURVE, type="layernorm"), r"layers\[6\] \(layernorm\).*drops the layer"),
    "type in capitals": (put(LSTM, type="LSTM"), r"'LSTM' is not one of .*did you mean 'lstm'\?"),
    "unknown type without weights": (
        put(CURVE, type="layernorm", weights=...), r"not one of .*RTNeural throws"),
    "type missing": (put(GRU, type=...), r"layers\[3\]: type must be a string, found no such key"),
    "layer no object": (lambda d: d["layers"].append([]), r"layers\[8\]: expected an object"),
    "weights missing": (put(CURVE, weights=...), r"weights must be a list, found no such key"),
    "shape missing": (put(DENSE, shape=...), r"layers\[0\] \(dense\): shape must be a list"),
    "shape empty": (put(DENSE, shape=[]), r"shape is \[\]; it must end in a whole number"),
    "shape ends in null": (put(DENSE, shape=[4, None]), r"it must end in a whole number"),
    "shape of four": (put(DENSE, shape=[None, None, 2, 2]), r"four elements, .* 2 x 2"),
    "unknown activation": (put(LAST, activation="gelu"), r"'gelu' is not one of .*crashes"),
    "activation in capitals": (put(LAST, activation="Tanh"), r"crashes.*did you mean 'tanh'\?"),
    "linear activation": (put(LAST, activation="linear"), r"'linear' is not one of"),
    "unknown activation layer": (put(CURVE, activation="swish"), r"'swish' is not one of"),
    "activation layer without one": (put(CURVE, activation=""), r"no activation; .* drops"),
    "activation null": (put(LAST, activation=None), r"must be a string, found null.*throws"),
    "activation on lstm": (put(LSTM, activation="relu"), r"\(lstm\): RTNeural ignores the activ"),
    "activation on gru": (put(GRU, activation="sigmoid"), r"\(gru\): RTNeural ignores .* separate"),
    "activation on prelu": (put(PRELU, activation="tanh"), r"\(prelu\): RTNeural ignores"),
    "activation on batchnorm": (put(NORM, activation="tanh"), r"\(batchnorm\): RTNeural ignores"),
    "in_shape missing": (top(in_shape=...), r"key 'in_shape' is missing; RTNeural throws"),
    "in_shape ends in null": (top(in_shape=[None, None, None]), r"its last element must be whole"),
    "in_shape no list": (top(in_shape=3), r"in_shape must be a list .* found 3; .*no model"),
    "in_shape larger": (
        top(in_shape=[None, None, 5]),
        r"kernel is 3 x 4, but the 5 inputs \(from in_shape\) and the shape's 4 outputs need 5 x 4"
    ),
    "in_shape smaller": (top(in_shape=[None, None, 2]), r"kernel is 3 x 4, .* need 2 x 4"),
    "in_shape of four": (top(in_shape=[None, None, 3, 2]), r"kernel is 3 x 4, but the 6 inputs"),
    "in_shape zero": (top(in_shape=[None, None, 0]), r"must be whole and at least 1"),
    "kernel not transposed": (
        array(DENSE, 0, np.transpose), r"kernel is 4 x 3, .*need 3 x 4.*it looks untransposed"),
    "lstm kernel not transposed": (array(LSTM, 0, np.transpose), r"kernel is 20 x 6.*untransposed"),
    "shape smaller": (put(DENSE, shape=[None, None, 3]), r"kernel is 3 x 4, .*need 3 x 3"),
    "shape larger": (put(LSTM, shape=[None, None, 6]), r"bias is 20, but .*6 units.* need 24"),
    "kernel ragged": (
        lambda d: d["layers"][0]["weights"][0][1].pop(), r"its rows have different lengths"),
    "kernel with null": (
        lambda d: d["layers"][0]["weights"][0][1].insert(0, None), r"it contains null instead"),
    "kernel with text": (
        lambda d: d["layers"][0]["weights"][0].insert(0, ["1"] * 4), r"it contains str instead"),
    "dense without weights": (put(DENSE, weights=[]), r"\[kernel, bias\], found 0"),
    "dense bias too short": (array(DENSE, 1, narrow), r"bias is 3, but 4 outputs.*past its end"),
    "dense bias too long": (array(DENSE, 1, wide), r"bias is 5, but 4 outputs need 4"),
    "lstm bias missing": (fewer(LSTM, 2), r"\(lstm\): weights must be .*2 arrays; RTNeural throws"),
    "gru bias missing": (fewer(GRU, 2), r"\(gru\): weights must be .*2 arrays; RTNeural throws"),
    "conv1d bias missing": (fewer(CONV, 1), r"\(conv1d\): weights must be .*RTNeural throws"),
    "lstm bias too short": (array(LSTM, 2, narrow), r"bias is 19, .*need 20"),
    "lstm with both torch biases": (more(LSTM), r"4 arrays; RTNeural ignores the rest: add up"),
    "gru bias of one row": (array(GRU, 2, lambda x: x[0]), r"bias is 6, .*need 2 x 6"),
    "gru biases summed": (array(GRU, 2, lambda x: x.sum(0)[None]), r"bias is 1 x 6, .*need 2 x 6"),
    "kernel_size missing": (put(CONV, kernel_size=...), r"kernel_size must be .*no such key"),
    "dilation missing": (put(CONV, dilation=...), r"dilation must be .*no such key; .*throws"),
    "kernel_size larger": (put(CONV, kernel_size=[4]), r"kernel is 3 x 2 x 6, .*need 4 x 2 x 6"),
    "kernel_size smaller": (put(CONV, kernel_size=2), r"kernel is 3 x 2 x 6, .*need 2 x 2 x 6"),
    "dilation zero": (put(CONV, dilation=[0]), r"dilation must be .*\[0\]; .* garbage"),
    "groups that do not divide": (put(CONV, groups=4), r"4 groups do not divide .* 6 outputs"),
    "groups left out": (put(CONV, groups=...), r"kernel is 3 x 2 x 6, .*need 3 x 4 x 6"),
    "stride": (put(CONV, stride=2), r"RTNeural ignores stride 2 and computes 1"),
    "strides": (put(CONV, strides=[2]), r"RTNeural ignores strides \[2\]"),
    "padding same": (put(CONV, padding="same"), r'ignores padding "same" and computes \'causal\''),
    "padding in numbers": (put(CONV, padding=[1]), r"RTNeural ignores padding \[1\]"),
    "padding mode": (put(CONV, padding_mode="reflect"), r"RTNeural ignores padding_mode"),
    "epsilon missing": (put(NORM, epsilon=...), r"epsilon must be a float32 number.*no such key"),
    "epsilon past float32": (put(NORM, epsilon=1e39), r"epsilon must be a float32 number, .*1e"),
    "epsilon a list": (put(NORM, epsilon=[0.1]), r"epsilon must be .*found \[0\.1\]"),
    "batchnorm too long": (array(NORM, 3, wide), r"variance is 3, but 2 features need 2.*memory"),
    "batchnorm too short": (array(NORM, 0, narrow), r"gamma is 1, but 2 features need 2"),
    "batchnorm of three": (fewer(NORM, 3), r"found 3 arrays; RTNeural uses the first two as"),
    "variance below zero": (array(NORM, 3, lambda x: -x), r"variance -1\.0 .* not positive; .*NaN"),
    "batchnorm size": (put(NORM, shape=[None, None, 3]), r"declares 3 outputs, but .* 2 inputs"),
    "prelu of two levels": (put(PRELU, weights=[[0.1, 0.2]]), r"weights are 1 x 2, but must be"),
    "prelu too many": (put(PRELU, weights=[[[0.1] * 3]]), r"weights are 1 x 1 x 3, but must be"),
    "prelu too few": (put(PRELU, weights=[[[]]]), r"weights are 1 x 1 x 0, but must be"),
    "prelu broken": (put(PRELU, weights=[[None]]), r"slopes: it contains null"),
    "activation larger": (put(CURVE, shape=[None, None, 3]), r"declares 3 .*2 .*past its end"),
    "activation smaller": (put(CURVE, shape=[None, None, 1]), r"declares 1 .*2 .*cuts the rest"),
    "no layers": (top(layers=[]), r"layers is empty: .*forward is undefined"),
    "layers missing": (top(layers=...), r"layers must be a list of layers, found no such key"),
    "layers no list": (top(layers={"a": 1}), r"found \{.*; RTNeural loads no model"),
    "past float32": (array(DENSE, 1, lambda x: x + 1e40), r"it contains 1e\+40, which is infinite"),
    "weights nested too deep": (put(DENSE, weights=[[[[[[[[1]]]]]]], []]), r"nested too deep"),
}  # fmt: skip

IMAGE_MISTAKES = {
    "bias missing": (fewer(0, 1), r"\(conv2d\): weights must be .*RTNeural throws"),
    "shape does not fit": (put(0, shape=[None, None, 3, 4]), r"ends in \[3, 4\].*give \[2, 4\]"),
    "padding in capitals": (put(0, padding="VALID"), r"found 'VALID'; .* uses 'same'"),
    "padding missing": (put(0, padding=...), r"padding must be .*found None; RTNeural throws"),
    "key missing": (put(0, strides=...), r"strides must be a whole number .*no such key"),
    "other input": (top(in_shape=[None, None, 4, 2]), r"num_filters_in is 6, but .*8 inputs"),
    "kernel in torch's order": (
        array(0, 0, lambda x: x.transpose(3, 2, 0, 1)), r"kernel is 4 x 2 x 2 x 2, .*untransposed"),
    "shape of three": (put(1, shape=[None, None, 8]), r"must be \[null, null, features, channels"),
    "statistics too long": (array(1, 0, wide), r"mean is 5, but 4 features need 4"),
}  # fmt: skip


def test_valid_files_have_no_diagnostics():
    assert diagnose(json.dumps(valid_document())) == []
    assert diagnose(json.dumps(image_document())) == []
    assert require_valid(json.dumps(valid_document()), "f")["in_shape"] == [None, None, 3]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_reported(mistake):
    change, message = MISTAKES[mistake]
    document = valid_document()
    change(document)
    messages = faults(document)
    assert any(re.search(message, sentence) for sentence in messages), messages
    with pytest.raises(ValueError, match=r"model\.json: "):
        Network(json.dumps(document), "model.json")


@pytest.mark.parametrize("mistake", IMAGE_MISTAKES)
def test_a_mistake_in_layers_on_images_is_reported(mistake):
    change, message = IMAGE_MISTAKES[mistake]
    document = image_document()
    change(document)
    messages = faults(document)
    assert any(re.search(message, sentence) for sentence in messages), messages


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is not JSON, so RTNeural throws"),
        ('{"in_shape": [1], "layers": [', "it is not JSON"),
        ('{"in_shape": [1], "layers": []} and more', "it is not JSON"),
        ('{"in_shape": [NaN], "layers": []}', "NaN is not JSON"),
        ('{"in_shape": [-Infinity], "layers": []}', "-Infinity is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        (b"\xff\xfe\x00", "it is not JSON"),
        ("[1, 2]", r"expected an object, found \[1, 2\]"),
        ('{"lstm.weight_ih_l0": [[1]], "out.bias": [1]}', "a dumped state_dict"),
        ('{"in_shape": [1], "in_shape": [2], "layers": []}', "key 'in_shape' occurs twice"),
        ('{"in_shape": [1e400], "layers": []}', "its last element must be whole"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_a_model_is_reported(text, message):
    assert re.search(message, faults(text)[0])


def test_an_ignored_key_without_effect_is_a_note():
    document = valid_document()
    document["layers"][LSTM]["activation"] = "tanh"  # as Keras writes it; it is what an LSTM has
    document["layers"][LAST]["name"] = "out"
    document["layers"][CONV]["strides"] = [1]
    document["layers"][CURVE]["weights"] = [1]
    del document["layers"][DENSE]["weights"][1]
    document["author"] = "me"
    assert faults(document) == []
    assert notes(document) == [
        "file: RTNeural ignores the key 'author'",
        "layers[0] (dense): there is no bias; RTNeural uses zeros",
        "layers[1] (conv1d): RTNeural ignores the key 'strides'",
        "layers[2] (lstm): RTNeural ignores the activation 'tanh' of this type",
        "layers[6] (activation): RTNeural ignores the weights of an activation",
        "layers[7] (dense): RTNeural ignores the key 'name'",
    ]


def test_all_mistakes_of_a_file_are_reported_at_once():
    document = valid_document()
    for name in ("kernel not transposed", "gru bias missing", "epsilon missing"):
        MISTAKES[name][0](document)
    assert [sentence[:9] for sentence in faults(document)] == [
        "layers[0]",
        "layers[3]",
        "layers[5]",
    ]
    with pytest.raises(ValueError, match=r"f: layers\[0\].*; f: layers\[3\].*; f: layers\[5\]"):
        require_valid(json.dumps(document), "f")


@given(architectures())
@settings(max_examples=50, deadline=None, derandomize=True)
def test_an_exported_file_has_no_diagnostics(spec):
    assert diagnose(export_model(spec.stack(), spec.inputs).text) == []
