"""Inference of an exported model in ONNX Runtime, one thread, without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from fonoteka.core.errors import UserError


def open_model(path: Path, threads: int = 1) -> Any:
    """Return a session for an ONNX file.

    Raises:
        UserError: the file is missing, empty, truncated or not an ONNX model.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such model; run the stage onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the errors of ONNX Runtime have no common base class
        raise UserError(f"{path}: ONNX Runtime cannot load it: {error}") from error


def labels_of(session: Any, path: Path) -> list[str]:
    """Return the label list in the metadata of a model.

    Raises:
        UserError: there is none.
    """
    labels = session.get_modelmeta().custom_metadata_map.get("labels")
    if labels is None:
        raise UserError(f"{path}: no label list in its metadata; export it with this project")
    return str(labels).split("\n")


def session_posteriors(session: Any, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the log posteriors `[B, T, V]` of embeddings `[B, T, D]` or samples `[B, N]`."""
    name = session.get_inputs()[0].name
    return np.asarray(session.run(None, {name: batch})[0], dtype=np.float32)
