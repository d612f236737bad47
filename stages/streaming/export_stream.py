"""Export the recogniser with bounded context as one step of a stream, and check it clip by clip.

Reads   data/models/stream_ctc, test.jsonl, data/audio
Writes  data/streaming/stream_ctc/step.onnx: samples and state to log posteriors and the next state
        reports/onnx/stream_step.json: bytes, errors against torch
Params  export_stream, compute

The check runs the file as the streaming engine does and compares every frame with the model in
torch, which computes the whole clip at once. Log posteriors agree within a tolerance, and the
decoded phones are the same; otherwise nothing is written.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from fonoteka import manifest
from fonoteka.audio.dsp import FRAME_HOP, Signal
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, write_json
from fonoteka.core.params import load
from fonoteka.core.run_stage import stage
from fonoteka.models.determinism import ComputeParams, configure
from fonoteka.models.numbers import parameter_count, round_up_pow10
from fonoteka.models.stream.stream_encoder import BEFORE
from fonoteka.models.stream.stream_model import load_stream_model
from fonoteka.models.stream.stream_step import StreamStep
from fonoteka.onnx_export.export import evenly_spaced, max_abs_diff
from fonoteka.onnx_export.trace import trace
from fonoteka.packaging import STEP
from fonoteka.shards import open_clips
from fonoteka.streaming.step_source import StepSource


@dataclass(frozen=True)
class ExportStreamParams:
    """Section `export_stream`.

    Attributes:
        opset: of the file.
        check_clips: number of test clips for the check.
        piece_samples: the clips are fed in pieces of this size, which divides no chunk.
        max_error: largest difference of a log posterior from torch's.
    """

    opset: int
    check_clips: int
    piece_samples: int
    max_error: float

    def __post_init__(self) -> None:
        if self.check_clips < 1 or self.piece_samples < 1 or not self.max_error > 0:
            raise UserError(
                "export_stream: check_clips, piece_samples and max_error must be above 0, found "
                f"{self.check_clips}, {self.piece_samples} and {self.max_error}; change them in "
                "params.yaml"
            )


def export_step(step: StreamStep, metadata: dict[str, str], path: Path, opset: int) -> None:
    """Write the step file of a recogniser; its bytes depend on the module only."""
    shape = step.encoder.shape
    cached, past = step.initial()
    example = (torch.zeros(1, shape.step_samples), torch.tensor(0), cached, past)
    numbers = {"before": BEFORE, "chunk": shape.chunk, "step_samples": shape.step_samples}
    properties = metadata | {key: str(value) for key, value in sorted(numbers.items())}
    names = ["log_probs", "ahead", "next_cached", "next_past"]
    trace(step, example, ["samples", "frame", "cached", "past"], names, {}, properties, path, opset)


def check_step(
    source: StepSource, step: StreamStep, clips: Mapping[str, Signal], params: ExportStreamParams
) -> float:  # fmt: skip
    """Return the largest difference between a stream of a clip and the whole clip in torch.

    Raises:
        UserError: it is above the tolerance, or a decoded phone differs.
    """
    worst = 0.0
    for key, signal in clips.items():
        pieces = range(0, len(signal), params.piece_samples)
        frames = [
            source.push(signal[start : start + params.piece_samples]).final for start in pieces
        ]
        actual = np.concatenate([*frames, source.finish().final])
        with torch.inference_mode():
            expected = step.head(step.encoder(torch.from_numpy(signal)[None]))[0].numpy()
        assert len(actual) == len(expected) == -(-len(signal) // FRAME_HOP), key
        error = max_abs_diff(actual, expected, params.max_error, f"{STEP}: {key}", "torch")
        worst = max(worst, error)
    return worst


def run(
    model: Path, test: Path, audio: Path, out: Path, report: Path, params: ExportStreamParams
) -> None:
    """Export and check the step of one model."""
    step, metadata = load_stream_model(model)
    utterances = evenly_spaced(manifest.read(test), params.check_clips)
    if not utterances:
        raise UserError(f"{test}: no utterance to check the export with; run dvc repro")
    clips = open_clips(audio, {u.id: u.audio for u in utterances})
    properties = {
        "labels": "\n".join(metadata["labels"]), "name": metadata["name"],
        "sample_rate_hz": str(metadata["sample_rate_hz"]),
        "weights_sha256": metadata["weights_sha256"]["head"],
    }  # fmt: skip
    with atomic_folder(out) as part:
        export_step(step, properties, part / STEP, params.opset)
        worst = check_step(StepSource(part / STEP), step, clips, params)
        size = (part / STEP).stat().st_size
    write_json(
        report,
        {
            "bytes": size, "clips": len(clips), "max_error_below": round_up_pow10(worst),
            "parameters": parameter_count(step),
        },
    )  # fmt: skip


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "test", "audio", "out", "report"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    configure(load("compute", ComputeParams).threads)
    run(**vars(args), params=load("export_stream", ExportStreamParams))


if __name__ == "__main__":
    stage(main)
