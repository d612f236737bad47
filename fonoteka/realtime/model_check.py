"""Check one small model of a bundle: its two files, and what package.json says of them."""

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
from fonoteka.onnx_export.stateful_session import Streamed
from fonoteka.packaging import PACKAGE
from fonoteka.realtime.block_check import ALLOWED, compare, stepped, streamed
from fonoteka.realtime.frame_labels import QUESTIONS
from fonoteka.realtime.frontend import FrontEnd
from fonoteka.rtneural.bounds import max_abs_logit
from fonoteka.rtneural.cost import model_cost, model_t
from fonoteka.rtneural.interpreter import Network
from fonoteka.rtneural.parity import check_parity
from fonoteka.rtneural.validate import diagnose, require_valid

BLOCKS = (64, 441, 480)
"""Samples: a short block, one that no hop is a multiple of, three hops at once."""


@dataclass(frozen=True)
class Said:
    """What package.json says of a model and can be held against its files."""

    answers: tuple[str, ...]
    event: bool
    threshold: float
    model_t: str
    inputs: int
    outputs: int
    parameters: int
    multiplies: int
    curves: int
    remembered: int
    receptive_steps: int | None
    weight_bytes: int
    weights_sha256: str
    loudest_logit: int | None


def said_of(package: Mapping[str, Any], name: str) -> Said:
    """Return what package.json says of a model.

    Raises:
        ValueError: the model or one of its numbers is missing, or is of another kind.
    """
    models = package.get("models")
    told = models.get(name) if isinstance(models, dict) else None
    if not isinstance(told, dict):
        raise UserError(f"{PACKAGE}: nothing is said of a model {name!r}; run dvc repro")
    known = {field.name for field in fields(Said)}
    return build({k: v for k, v in told.items() if k in known}, Said, f"{PACKAGE}: models.{name}")


class Model:
    """One model of a bundle, and how far apart its two files were."""

    def __init__(self, folder: Path, name: str, said: Said) -> None:
        self.name, self.said = name, said
        self.file, self.graph = folder / f"{name}.json", folder / f"{name}.onnx"
        self.error, self.hops, self.close = 0.0, 0, 0

    def format(self) -> str:
        """Check that RTNeural would run the file as it reads."""
        text = self.file.read_bytes()
        document = require_valid(text, self.file.name)
        notes = [str(found) for found in diagnose(text)]
        return "; ".join([f"{len(document['layers'])} layers without a fault", *notes])

    def architecture(self) -> str:
        """Check that the file has the type and the sizes that package.json says."""
        document = require_valid(self.file.read_bytes(), self.file.name)
        numbers = model_cost(document)
        found = asdict(numbers) | {"model_t": model_t(document)}
        found["weight_bytes"] = numbers.weight_bytes
        told = asdict(self.said)
        if faults := [
            f"{key} is {value} in the file and {told[key]} in {PACKAGE}"
            for key, value in found.items()
            if told[key] != value
        ]:
            raise UserError(f"{self.file.name}: {'; '.join(faults)}")
        return str(found["model_t"])

    def ends(self, end: FrontEnd) -> str:
        """Check inputs, outputs and names of both files, and the bound of what a softmax gets."""
        bands, document = end.params.bands, require_valid(self.file.read_bytes(), self.file.name)
        loud = max_abs_logit(document, end.loudest)
        session = open_model(self.graph)
        network = Network(self.file.read_bytes(), self.file.name)
        meta = session.get_modelmeta().custom_metadata_map
        shapes = [tuple(side[0].shape)[::2] for side in (session.get_inputs(),
                                                         session.get_outputs())]  # fmt: skip
        names = QUESTIONS[self.name].names
        pairs = {
            "the bound before a softmax": (
                None if loud is None else math.ceil(loud), self.said.loudest_logit, PACKAGE,
            ),
            "inputs": (network.inputs, bands, "bands of frontend.json"),
            "outputs": (network.outputs, len(self.said.answers), f"answers in {PACKAGE}"),
            "answers": (self.said.answers, names, "this model's"),
            "the ONNX file's inputs": (shapes[0], (1, bands), "bands of frontend.json"),
            "the ONNX file's outputs": (shapes[1], (1, len(names)), "answers"),
            "the ONNX file's name": (meta.get("name"), self.name, "its place"),
            "the ONNX file's answers": (meta.get("answers"), "\n".join(names), "this model's"),
            "the ONNX file's weights": (
                meta.get("weights_sha256"), self.said.weights_sha256, PACKAGE,
            ),
        }  # fmt: skip
        if faults := [
            f"{what}: found {_brief(found)}, expected {_brief(wanted)} ({why})"
            for what, (found, wanted, why) in pairs.items()
            if found != wanted
        ]:
            raise UserError(f"{self.name}: {'; '.join(faults)}")
        return f"{network.inputs} features in, {len(names)} out"

    def round_trip(self, end: FrontEnd, signal: Signal) -> str:
        """Check the two files against each other, step by step, twice from a reset."""
        session, frames = open_model(self.graph), end(signal)
        wanted = stepped(session, frames)
        if not np.array_equal(stepped(session, frames), wanted):
            raise UserError(f"{self.graph.name}: says another thing after a reset")
        self.error = check_parity(self.file.read_bytes(), frames, wanted, ALLOWED, self.file.name)
        return f"{len(frames)} steps from a reset and again: off by at most {self.error:.1e}"

    def blocks(self, end: FrontEnd, signal: Signal) -> str:
        """Check that a sound in blocks gives the answers of the whole."""
        wanted = Streamed(open_model(self.graph)).run(end(signal))
        network = Network(self.file.read_bytes(), self.file.name)
        for size in BLOCKS:
            said = streamed(network, end, signal, size)
            found = compare(said, wanted, self.said.event, self.said.threshold)
            self.hops, self.close = self.hops + found.hops, self.close + found.close
            self.error = max(self.error, found.error)
        sizes = ", ".join(map(str, BLOCKS))
        return f"blocks of {sizes} samples: {self.hops} hops answered as of the whole" + (
            f", {self.close} of them too close to tell" * bool(self.close)
        )


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:56]} ..."
