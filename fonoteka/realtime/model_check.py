"""Checks of one small model of a bundle: its two files and its entry in package.json."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from fonoteka.audio.dsp import Signal
from fonoteka.core.errors import UserError
from fonoteka.core.params import build
from fonoteka.onnx_export.session import open_model
from fonoteka.onnx_export.stateful_session import StatefulSession
from fonoteka.packaging import PACKAGE
from fonoteka.realtime.block_check import ALLOWED, compare_outputs, run_in_blocks, run_stepwise
from fonoteka.realtime.frame_labels import TASKS
from fonoteka.realtime.frontend import FrontEnd
from fonoteka.rtneural.bounds import max_abs_logit
from fonoteka.rtneural.cost import model_cost, model_t
from fonoteka.rtneural.interpreter import Network
from fonoteka.rtneural.parity import check_parity
from fonoteka.rtneural.validate import diagnose, require_valid

BLOCKS = (64, 441, 480)
"""Block sizes in samples: a short one, one that is not a multiple of a hop, three hops."""


@dataclass(frozen=True)
class DeclaredModel:
    """The values of a model in package.json that can be compared with its files."""

    labels: tuple[str, ...]
    event: bool
    threshold: float
    model_t: str
    inputs: int
    outputs: int
    parameters: int
    macs: int
    exponentials: int
    state_size: int
    receptive_steps: int | None
    weight_bytes: int
    weights_sha256: str
    max_abs_logit: int | None


def declared_model(package: Mapping[str, Any], name: str) -> DeclaredModel:
    """Return the values of a model in package.json.

    Raises:
        UserError: the model or one of its values is missing or has another type.
    """
    models = package.get("models")
    entry = models.get(name) if isinstance(models, dict) else None
    if not isinstance(entry, dict):
        raise UserError(f"{PACKAGE}: models has no entry {name!r}; run dvc repro")
    names = {field.name for field in fields(DeclaredModel)}
    return build(
        {k: v for k, v in entry.items() if k in names}, DeclaredModel, f"{PACKAGE}: models.{name}"
    )


class BundledModel:
    """One model of a bundle, and the differences between its two files."""

    def __init__(self, folder: Path, name: str, declared: DeclaredModel) -> None:
        self.name, self.declared = name, declared
        self.file, self.graph = folder / f"{name}.json", folder / f"{name}.onnx"
        self.error, self.hops, self.close = 0.0, 0, 0

    def format(self) -> str:
        """Check that RTNeural runs the file correctly."""
        text = self.file.read_bytes()
        document = require_valid(text, self.file.name)
        notes = [str(diagnostic) for diagnostic in diagnose(text)]
        return "; ".join([f"{len(document['layers'])} layers without a fault", *notes])

    def architecture(self) -> str:
        """Check that the file has the type and the sizes in package.json."""
        document = require_valid(self.file.read_bytes(), self.file.name)
        cost = model_cost(document)
        values = asdict(cost) | {"model_t": model_t(document)}
        values["weight_bytes"] = cost.weight_bytes
        declared = asdict(self.declared)
        if faults := [
            f"{key} is {value} in the file and {declared[key]} in {PACKAGE}"
            for key, value in values.items()
            if declared[key] != value
        ]:
            raise UserError(f"{self.file.name}: {'; '.join(faults)}")
        return str(values["model_t"])

    def interface(self, end: FrontEnd) -> str:
        """Check inputs, outputs and names of both files, and the bound of the softmax inputs."""
        # Each pair: the value found, the value expected, and the source of the expected value.
        bands, document = end.params.bands, require_valid(self.file.read_bytes(), self.file.name)
        bound = max_abs_logit(document, end.max_abs_feature)
        session = open_model(self.graph)
        network = Network(self.file.read_bytes(), self.file.name)
        meta = session.get_modelmeta().custom_metadata_map
        shapes = [tuple(side[0].shape)[::2] for side in (session.get_inputs(),
                                                         session.get_outputs())]  # fmt: skip
        names = TASKS[self.name].names
        pairs = {
            "the bound before a softmax": (
                None if bound is None else math.ceil(bound), self.declared.max_abs_logit, PACKAGE,
            ),
            "inputs": (network.inputs, bands, "bands of frontend.json"),
            "outputs": (network.outputs, len(self.declared.labels), f"labels in {PACKAGE}"),
            "labels": (self.declared.labels, names, "this model's"),
            "the ONNX file's inputs": (shapes[0], (1, bands), "bands of frontend.json"),
            "the ONNX file's outputs": (shapes[1], (1, len(names)), "labels"),
            "the ONNX file's name": (meta.get("name"), self.name, "its file name"),
            "the ONNX file's labels": (meta.get("labels"), "\n".join(names), "this model's"),
            "the ONNX file's weights": (
                meta.get("weights_sha256"), self.declared.weights_sha256, PACKAGE,
            ),
        }  # fmt: skip
        if faults := [
            f"{name}: found {_shortened(value)}, expected {_shortened(expected)} ({source})"
            for name, (value, expected, source) in pairs.items()
            if value != expected
        ]:
            raise UserError(f"{self.name}: {'; '.join(faults)}")
        return f"{network.inputs} features in, {len(names)} out"

    def round_trip(self, end: FrontEnd, signal: Signal) -> str:
        """Compare the two files step by step, twice from a reset."""
        session, frames = open_model(self.graph), end(signal)
        expected = run_stepwise(session, frames)
        if not np.array_equal(run_stepwise(session, frames), expected):
            raise UserError(f"{self.graph.name}: outputs differ after a reset; export it again")
        self.error = check_parity(self.file.read_bytes(), frames, expected, ALLOWED, self.file.name)
        return f"{len(frames)} steps from a reset, twice: max abs error {self.error:.1e}"

    def blocks(self, end: FrontEnd, signal: Signal) -> str:
        """Check that a sound in blocks gives the decisions of the whole sound."""
        expected = StatefulSession(open_model(self.graph)).run(end(signal))
        network = Network(self.file.read_bytes(), self.file.name)
        for size in BLOCKS:
            outputs = run_in_blocks(network, end, signal, size)
            comparison = compare_outputs(
                outputs, expected, self.declared.event, self.declared.threshold
            )
            self.hops, self.close = self.hops + comparison.hops, self.close + comparison.close
            self.error = max(self.error, comparison.error)
        sizes = ", ".join(map(str, BLOCKS))
        return f"blocks of {sizes} samples: {self.hops} hops agree with the whole sound" + (
            f", except {self.close} near ties" * bool(self.close)
        )


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:56]} ..."
