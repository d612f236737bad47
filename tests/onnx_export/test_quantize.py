"""An int8 file is small and agrees with its fp32 file, or none is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from fonoteka.models.heads import LstmShape, TdnnShape, new_head
from fonoteka.onnx_export.export import HEAD_AXES, export
from fonoteka.onnx_export.quantize import quantize
from fonoteka.onnx_export.session import labels_of, open_model, session_posteriors

pytestmark = pytest.mark.torch
NAMED = Path("models/head.int8.onnx")
METADATA = {"labels": ["<blank>", "a", "b"], "name": "toy", "sample_rate_hz": 16_000}


def save(folder, shape):
    torch.manual_seed(0)
    path = folder / "head.onnx"
    export(new_head(shape).eval(), torch.zeros(2, 9, shape.inputs), HEAD_AXES, METADATA, path, 17)
    return path


@pytest.fixture
def wide(tmp_path):
    return save(tmp_path, TdnnShape(inputs=192, outputs=3, hidden=96, dilations=(1,), dropout=0.0))


def test_weights_shrink_to_a_quarter_and_labels_are_kept(wide, tmp_path):
    target = tmp_path / "small.onnx"
    ratio = quantize(wide, target, max_size_ratio=0.5, named=NAMED)
    assert ratio == target.stat().st_size / wide.stat().st_size < 0.35
    assert labels_of(open_model(target), target) == METADATA["labels"]
    nodes = [node.op_type for node in onnx.load(target).graph.node]
    assert nodes.count("MatMulInteger") == 3
    assert "MatMul" not in nodes


def test_named_products_stay_in_fp32(wide, tmp_path):
    names = [node.name for node in onnx.load(wide).graph.node if node.op_type == "MatMul"]
    ratios = [
        quantize(wide, tmp_path / f"{count}.onnx", 2.0, NAMED, ("no such node", *names[:count]))
        for count in (0, 1, 2)
    ]
    assert ratios == sorted(set(ratios))
    left = [node.name for node in onnx.load(tmp_path / "2.onnx").graph.node]
    assert {*names[:2]} <= {*left}
    assert names[2] not in left


def test_posteriors_stay_close(wide, tmp_path):
    quantize(wide, tmp_path / "small.onnx", max_size_ratio=0.5, named=NAMED)
    embeddings = np.random.default_rng(0).standard_normal((2, 30, 192)).astype(np.float32)
    fp32, int8 = (
        np.exp(session_posteriors(open_model(path), embeddings))
        for path in (wide, tmp_path / "small.onnx")
    )
    assert 0 < np.abs(fp32 - int8).max() < 0.05  # 7 bits per weight, 8 per value


def test_equal_files_give_equal_bytes(wide, tmp_path):
    for name in ("a", "b"):
        quantize(wide, tmp_path / name, max_size_ratio=0.5, named=NAMED)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_that_hardly_shrinks_is_refused(tmp_path):
    path = save(tmp_path, LstmShape(inputs=64, outputs=3, hidden=64, layers=1, dropout=0.0))
    with pytest.raises(ValueError, match=r"head\.int8\.onnx: int8 has (9\d|1\d\d)% of the bytes"):
        quantize(path, tmp_path / "small.onnx", max_size_ratio=0.5, named=NAMED)
    assert not (tmp_path / "small.onnx").exists()


def test_a_model_without_matrix_products_is_refused(tmp_path):
    class Identity(torch.nn.Module):
        def forward(self, frames):
            return frames.log_softmax(-1)

    path = tmp_path / "head.onnx"
    export(Identity(), torch.zeros(2, 9, 3), HEAD_AXES, METADATA, path, 17)
    with pytest.raises(ValueError, match=r"models/head\.int8\.onnx: int8 changed nothing"):
        quantize(path, tmp_path / "small.onnx", max_size_ratio=2.0, named=NAMED)
