"""An int8 file is small, keeps the embeddings once, and computes nearly the same everywhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
import whisper_onnx_maker
from clip_maker import noise
from onnx import TensorProto, helper, numpy_helper

from fonoteka.whisper.onnx_export import export_whisper
from fonoteka.whisper.onnx_int8 import LARGEST, in_7_bits, quantize_file, recipes
from fonoteka.whisper.onnx_session import open_parts, open_whisper

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return whisper_onnx_maker.exported(tmp_path_factory) / "onnx"


def test_two_products_of_the_largest_values_fit_16_bits():
    assert 2 * 255 * LARGEST <= 2**15 - 1 < 2 * 255 * 127


@pytest.mark.parametrize("axis", [0, 1])
def test_the_error_of_a_weight_is_at_most_half_a_step_of_its_output(axis):
    weights = np.random.default_rng(0).standard_normal((40, 30)).astype(np.float32)
    whole, scales = in_7_bits(weights, axis)
    assert whole.dtype == np.int8
    assert np.abs(whole).max(axis=axis).tolist() == [LARGEST] * weights.shape[1 - axis]
    steps = scales[None] if axis == 0 else scales[:, None]
    assert (np.abs(whole * steps - weights) <= 0.5001 * steps).all()


def test_the_embeddings_are_in_the_file_once_as_bytes(folder, tmp_path):
    ratio = quantize_file(folder / "decoder.onnx", tmp_path / "small.onnx")
    model = onnx.load(tmp_path / "small.onnx")
    matrices = [t for t in model.graph.initializer if len(t.dims) == 2 and t.data_type == 3]
    fp32 = [t for t in onnx.load(folder / "decoder.onnx").graph.initializer if len(t.dims) == 2]
    # all matrices but the positions, which are looked up and not multiplied
    assert len(matrices) == len(fp32) - 1
    assert (
        ratio == (tmp_path / "small.onnx").stat().st_size / (folder / "decoder.onnx").stat().st_size
    )
    before = onnx.load(folder / "decoder.onnx").metadata_props
    assert [*model.metadata_props] == [*before]


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_an_int8_file_computes_nearly_the_same(part, folder):
    paths = {p: folder / f"{p}.onnx" for p in ("encoder", "decoder")}
    small = paths | {part: folder / f"{part}.int8.onnx"}
    models = [
        open_parts(p["encoder"], p["decoder"], folder / "tokenizer.json") for p in (paths, small)
    ]
    prompt = np.array([models[0].rules.prompt("sr")])
    fp32, int8 = (model.start([noise(0.5)], 1.5)(prompt) for model in models)
    error = np.abs(fp32 - int8).max()
    assert 0 < error < 0.2 * np.ptp(fp32)  # 7 bits per weight, 8 per value


def test_products_that_stay_in_fp32_are_chosen_by_name(folder, tmp_path):
    quantize_file(folder / "encoder.onnx", tmp_path / "small.onnx", lambda name: "fc2" in name)
    nodes = onnx.load(tmp_path / "small.onnx").graph.node
    names = [node.name for node in nodes if node.op_type == "MatMul"]
    assert sum("fc2" in name for name in names) == 2
    assert any(node.op_type == "MatMulInteger" for node in nodes)


@pytest.fixture(scope="module")
def three_layers(folder, tmp_path_factory):
    """Files of a model of three layers, so that one of them is an inner one."""
    whisper = whisper_onnx_maker.torch_model(folder.parent)
    config = whisper.model.config
    config.encoder_layers = config.decoder_layers = config.num_hidden_layers = 3
    model = type(whisper.model)(config).eval()
    target = tmp_path_factory.mktemp("three")
    export_whisper(replace(whisper, model=model), "three", target, 17)
    return target


@pytest.mark.parametrize(("part", "products"), [("encoder", 6), ("decoder", 8)])
def test_the_inner_recipe_quantises_the_layers_between_the_outer_ones(
    part, products, three_layers, tmp_path
):
    path = three_layers / f"{part}.onnx"
    for name, keep in recipes(path).items():
        quantize_file(path, tmp_path / f"{name}.onnx", keep)
    counts = {
        name: [node.op_type for node in onnx.load(tmp_path / f"{name}.onnx").graph.node].count(
            "MatMulInteger"
        )
        for name in ("all", "inner")
    }
    rest = 6 if part == "encoder" else 1  # the cross-attention's keys and values, or the logits
    assert counts == {"all": 3 * products + rest, "inner": products}


def test_a_model_of_two_layers_has_one_recipe(folder):
    assert [*recipes(folder / "encoder.onnx")] == ["all"]


def test_equal_files_give_equal_bytes(folder, tmp_path):
    for name in ("a.onnx", "b.onnx"):
        quantize_file(folder / "decoder.onnx", tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_a_graph_without_weights_is_refused(tmp_path):
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    node = helper.make_node("Add", ["x", "term"], ["y"])
    term = numpy_helper.from_array(np.ones(1, np.float32), "term")
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([node], "g", [value], [out], [term])
    onnx.save(helper.make_model(graph), tmp_path / "plain.onnx")
    with pytest.raises(ValueError, match="int8 changed nothing: the file has no matrix product"):
        quantize_file(tmp_path / "plain.onnx", tmp_path / "small.onnx")
    assert not (tmp_path / "small.onnx").exists()


def test_int8_files_are_opened_if_they_are_asked_for(folder):
    signal, prompt = noise(0.5), None
    models = [open_whisper(folder), open_whisper(folder, int8=True)]
    prompt = np.array([models[0].rules.prompt("en")])
    fp32, int8 = (model.start([signal], 1.5)(prompt) for model in models)
    assert not np.array_equal(fp32, int8)
