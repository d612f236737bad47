"""An untrained recogniser with bounded context, and its step file, made once per run."""

from __future__ import annotations

from pathlib import Path

import torch
from artefacts import artefact
from clip_maker import noise, save_clips
from whisper_maker import WIDTH, tiny_whisper

from fonoteka import manifest
from fonoteka.models.heads import TdnnShape
from fonoteka.models.provenance import write_provenance
from fonoteka.models.stream.causal_head import CausalTdnnHead
from fonoteka.models.stream.stream_encoder import StreamEncoder, StreamShape
from fonoteka.models.stream.stream_model import rounded_weights, save_stream_model
from fonoteka.models.stream.stream_step import StreamStep
from fonoteka.models.whisper_encoder import load_short_encoder
from fonoteka.phones import LABELS
from stages.features import whisper_encoder
from stages.features.whisper_encoder import WhisperEncoderParams
from stages.streaming import export_stream
from stages.streaming.export_stream import ExportStreamParams

SHAPE = StreamShape(layers=2, chunk=2, look_ahead=3, history=6)
HEAD = TdnnShape(WIDTH, len(LABELS), hidden=8, dilations=(1, 2), dropout=0.1)
EXPORT = ExportStreamParams(opset=17, check_clips=4, piece_samples=701, max_error=1e-3)
CLIPS = {f"c{n}": noise(seconds, n) for n, seconds in enumerate((0.02, 0.31, 0.9, 1.4))}


def save_model(folder: Path) -> Path:
    """Write an encoder and a recogniser as the stages do, and clips; return the folder."""
    tiny_whisper(folder / "base")
    write_provenance(folder / "base", "folder")
    whisper_encoder.run(folder / "base", folder / "encoder", WhisperEncoderParams(0))
    encoder = load_short_encoder(folder / "encoder").encoder
    torch.manual_seed(1)
    step = StreamStep(StreamEncoder(encoder, SHAPE), CausalTdnnHead(HEAD)).eval()
    # Random weights predict one label in every frame; larger ones predict several.
    step.head.output.weight.data *= 8
    rounded_weights(step)
    metadata = {"name": "stream_ctc", "labels": list(LABELS), "sample_rate_hz": 16_000}
    (folder / "model").mkdir()
    save_stream_model(folder / "model", step, HEAD, encoder.config, metadata)
    manifest.write(folder / "test.jsonl", save_clips(folder / "audio", CLIPS))
    return folder


def export_step(folder: Path, params: ExportStreamParams = EXPORT) -> None:
    """Run the stage `export_stream` on a folder of `save_model`."""
    export_stream.run(
        folder / "model", folder / "test.jsonl", folder / "audio", folder / "step",
        folder / "step.json", params,
    )  # fmt: skip


def _make(folder: Path) -> None:
    export_step(save_model(folder))


def stream_model(factory) -> Path:
    """Return the folder of a recogniser with its exported step; `factory` is pytest's."""
    return artefact(factory, "stream_model", _make)
