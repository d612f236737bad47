"""A file that ONNX Runtime cannot load is refused with its path."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from fonoteka.onnx_export.session import labels_of, open_model, session_posteriors


def save_model(path, **props):
    """Write a model that adds 1 to embeddings `[B, T, 2]`."""
    value = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "time", 2])
        for name in ("embeddings", "log_probs")
    ]
    constant = helper.make_tensor("one", TensorProto.FLOAT, [], [1.0])
    node = helper.make_node("Add", ["embeddings", "one"], ["log_probs"])
    graph = helper.make_graph([node], "g", value[:1], value[1:], [constant])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, props)
    onnx.save(model, path)
    return path


def test_a_model_gives_posteriors_and_labels(tmp_path):
    path = save_model(tmp_path / "a.onnx", labels="<blank>\na")
    session = open_model(path)
    assert labels_of(session, path) == ["<blank>", "a"]
    log_probs = session_posteriors(session, np.zeros((1, 3, 2), dtype=np.float32))
    assert np.array_equal(log_probs, np.ones((1, 3, 2)))


@pytest.mark.parametrize("content", ["empty", "half", "foreign", "zeros"])
def test_a_file_that_is_not_a_model_is_refused(content, tmp_path):
    path = save_model(tmp_path / "a.onnx")
    data = path.read_bytes()
    bad = {"empty": b"", "half": data[: len(data) // 2], "foreign": b"RIFF1234WAVE", "zeros": b"\0"}
    path.write_bytes(bad[content])
    with pytest.raises(ValueError, match=r"a\.onnx: ONNX Runtime cannot load it"):
        open_model(path)


def test_a_missing_model_is_reported(tmp_path):
    with pytest.raises(ValueError, match=r"none\.onnx: no such model; run the stage onnx"):
        open_model(tmp_path / "none.onnx")


def test_a_model_without_labels_is_refused(tmp_path):
    path = save_model(tmp_path / "a.onnx")
    with pytest.raises(ValueError, match=r"a\.onnx: no label list in its metadata"):
        labels_of(open_model(path), path)
