"""Export a model to ONNX, twice, and prove that both files say what torch says.

Reads   data/models/<name>, data/models/backbone/<backbone>, its embeddings, valid.jsonl, data/audio
Writes  data/models/<name>/head.onnx   embeddings `[B, T, D]` to log posteriors `[B, T, V]`
        data/models/<name>/model.onnx  samples `[1, N]` at 16 kHz to log posteriors `[1, T, V]`
        reports/onnx/<name>.json       sizes, parameters and the largest error against torch
Params  onnx, compute

The tracing exporter is used because the newer one writes an LSTM with the traced length baked in.
The file is proven on real clips of many lengths: every log posterior within a tolerance and not one
decoded symbol changed, or nothing is written.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from stages.common import manifest
from stages.common.audio import SAMPLE_RATE_HZ, Signal
from stages.common.cli import stage
from stages.common.compute import ComputeParams, configure
from stages.common.decoding import greedy
from stages.common.encoder import (
    VARIANCE_FLOOR,
    feature_extractor,
    load_encoder,
    padding,
    receptive_field,
)
from stages.common.files import atomic_file, write_json
from stages.common.nets import load_head
from stages.common.params import load
from stages.common.runtime import open_model, session_posteriors
from stages.common.shards import read_arrays, read_clips

Axes = Mapping[str, Mapping[int, str]]
HEAD_AXES: Axes = {
    "embeddings": {0: "batch", 1: "time"}, "log_probs": {0: "batch", 1: "time"},
}  # fmt: skip
MODEL_AXES: Axes = {"samples": {1: "samples"}, "log_probs": {1: "time"}}


@dataclass(frozen=True)
class OnnxParams:
    """Section `onnx`.

    Attributes:
        opset: of the files.
        max_error: largest difference of a log posterior from torch's.
        check_clips: validation clips that parity is proven on.
    """

    opset: int
    max_error: float
    check_clips: int


class WholePath(nn.Module):
    """Samples to log posteriors: normalisation, padding, encoder and head in one graph."""

    def __init__(self, encoder: Any, normalised: bool, head: nn.Module) -> None:
        super().__init__()
        self.encoder, self.head, self.normalised = encoder, head, normalised
        self.padding = padding(receptive_field(encoder))

    def forward(self, samples: Tensor) -> Tensor:
        """Return log posteriors `[1, T, V]` of samples `[1, N]`, T = N / 320 rounded up."""
        if self.normalised:
            centred = samples - samples.mean(-1, keepdim=True)
            variance = centred.square().mean(-1, keepdim=True)
            samples = centred / torch.sqrt(variance + VARIANCE_FLOOR)
        hidden = self.encoder(F.pad(samples, self.padding)).last_hidden_state
        return self.head(hidden)  # type: ignore[no-any-return]


def export(
    module: nn.Module, example: Tensor, axes: Axes, facts: dict[str, Any], path: Path, opset: int
) -> None:
    """Write one file; its bytes depend on the module alone."""
    inputs, outputs = list(axes)[:1], list(axes)[1:]
    with atomic_file(path) as part:
        with warnings.catch_warnings():
            # The tracer warns of every shape it reads; parity on other lengths is proven below.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module, (example,), str(part), dynamo=False, opset_version=opset,
                input_names=inputs, output_names=outputs,
                dynamic_axes={k: dict(v) for k, v in axes.items()},
            )  # fmt: skip
        model = onnx.load(str(part))
        onnx.helper.set_model_props(
            model, {"labels": "\n".join(facts["labels"]), "name": str(facts["name"]),
                    "sample_rate_hz": str(facts["sample_rate_hz"])},
        )  # fmt: skip
        onnx.checker.check_model(model)
        onnx.save(model, str(part))


def prove(
    path: Path, session: Any, module: nn.Module, inputs: Mapping[str, NDArray[np.float32]],
    params: OnnxParams,
) -> float:  # fmt: skip
    """Return the largest difference between a file and its module on real inputs `[1, ...]`.

    Args:
        path: where the file will lie; it is only named in errors.
        session: the file, opened.
        module: what it was exported from.
        inputs: of many lengths.
        params: what is allowed.

    Raises:
        ValueError: it is above `max_error` or a decoded symbol differs.
    """
    worst = 0.0
    for key, array in inputs.items():
        ours = session_posteriors(session, array)
        with torch.inference_mode():
            theirs = module(torch.from_numpy(array))[0].numpy()
        worst = float(np.maximum(worst, np.abs(ours - theirs).max()))  # max() would lose a NaN
        if not worst <= params.max_error:
            raise ValueError(f"{path}: off by {worst:.2e} on {key}; allowed is {params.max_error}")
        if [s.symbol for s in greedy(ours)] != [s.symbol for s in greedy(theirs)]:
            raise ValueError(f"{path}: decodes {key} differently than torch")
    return worst


def run(
    model: Path, backbone: Path, embeddings: Path, valid: Path, audio: Path, out: Path,
    report: Path, params: OnnxParams,
) -> None:  # fmt: skip
    """Export and prove one model. Both files are put in place when both are proven."""
    head, facts = load_head(model)
    encoder = load_encoder(backbone, "wavlm" if facts["backbone"] == "wavlm" else "wav2vec2")
    normalised = bool(feature_extractor(backbone).do_normalize)
    whole = WholePath(encoder, normalised, head).eval()
    utterances = spread(manifest.read(valid), params.check_clips)
    if not utterances:
        raise ValueError(f"{valid}: no utterance to prove the export on")
    signals: dict[str, Signal] = dict(read_clips(audio, {u.id: u.audio for u in utterances}))
    arrays = read_arrays(embeddings, signals)
    width = next(iter(arrays.values())).shape[1]
    sizes: dict[str, int] = {}
    errors: dict[str, float] = {}
    with atomic_file(out / "head.onnx") as head_file, atomic_file(out / "model.onnx") as model_file:
        for name, part, module, example, axes, inputs in (
            ("head", head_file, head, torch.zeros(2, 60, width), HEAD_AXES, arrays),
            ("model", model_file, whole, torch.zeros(1, SAMPLE_RATE_HZ), MODEL_AXES, signals),
        ):
            export(module, example, axes, facts, part, params.opset)
            batches = {key: array[None] for key, array in inputs.items()}
            path = out / f"{name}.onnx"
            errors[name] = prove(path, open_model(part), module, batches, params)
            sizes[name] = part.stat().st_size
    write_json(
        report,
        {
            "bytes": sizes, "clips": len(signals),
            "max_error_below": {k: _ceiling(v) for k, v in errors.items()},
            "parameters": {
                "head": sum(p.numel() for p in head.parameters()),
                "encoder": sum(p.numel() for p in encoder.parameters()),
            },
        },
    )  # fmt: skip


def spread(utterances: list[manifest.Utterance], count: int) -> list[manifest.Utterance]:
    """Return up to `count` utterances from the shortest to the longest, evenly spread."""
    ordered = sorted(utterances, key=lambda u: (u.duration_s, u.id))
    if len(ordered) <= count:
        return ordered
    return [ordered[round(i)] for i in np.linspace(0, len(ordered) - 1, count)]


def _ceiling(error: float) -> float:
    """Return the next power of ten: the last bits of an error differ between machines.

    >>> _ceiling(3e-7), _ceiling(0.0)
    (1e-06, 1e-09)
    """
    return float(10.0 ** np.ceil(np.log10(max(error, 1e-9))))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "backbone", "embeddings", "valid", "audio", "out", "report"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    configure(load("compute", ComputeParams).threads)
    run(**vars(args), params=load("onnx", OnnxParams))


if __name__ == "__main__":
    stage(main)
