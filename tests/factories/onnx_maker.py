"""Models exported by the stage onnx, and its inputs."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from artefacts import artefact
from clip_maker import noise, save_clips
from model_maker import SIZE, encoder, save_encoder

from fonoteka import manifest
from fonoteka.models.encoders import embed
from fonoteka.models.heads import MlpShape, TdnnShape, new_head, save_head
from fonoteka.onnx_export.quantize import Int8Params
from fonoteka.phones import LABELS
from fonoteka.shards import write_arrays
from stages.export.export_pair import OnnxParams
from stages.export.onnx import run

# In toys the new nodes weigh most.
INT8 = Int8Params(check_clips=64, fp32_nodes=(), max_size_ratio=2.0, max_per_loss=1.0)
PARAMS = OnnxParams(17, max_error=1e-4, check_clips=4, batch_sizes=(1, 3), int8=INT8)
SHAPES = {
    "mlp": MlpShape(SIZE.hidden, len(LABELS), 8, 3, 0.1),
    "wavlm_ctc": TdnnShape(SIZE.hidden, len(LABELS), 8, (1, 2), 0.1),
}
CLIPS = {f"c{n}": noise(seconds, n) for n, seconds in enumerate((0.02, 0.31, 0.9, 1.4))}


def project(folder: Path, name: str) -> list[Path]:
    """Write the inputs of the stage and return its first six arguments."""
    kind = "wavlm" if name.startswith("wavlm") else "wav2vec2"
    encoder_folder = save_encoder(folder / "encoder", kind)
    torch.manual_seed(1)
    metadata = {"name": name, "encoder": kind, "labels": list(LABELS), "sample_rate_hz": 16_000}
    save_head(folder / "model", new_head(SHAPES[name]), SHAPES[name], metadata)
    manifest.write(folder / "valid.jsonl", save_clips(folder / "audio", CLIPS))
    shutil.copy(folder / "valid.jsonl", folder / "test.jsonl")
    embeddings = {key: embed(encoder(kind), signal, True) for key, signal in CLIPS.items()}
    (folder / "embeddings").mkdir()
    write_arrays(folder / "embeddings", embeddings, 2)
    parts = ("model", "encoder", "embeddings", "valid.jsonl", "test.jsonl", "audio")
    return [encoder_folder.parent / part for part in parts]


def export_project(folder: Path, name: str) -> Path:
    """Write the inputs of the stage, run it, and return the folder of its files."""
    run(*project(folder, name), folder / "out", folder / "report.json", PARAMS)
    return folder / "out"


def shipped(factory, name: str) -> Path:
    """Return a folder with the inputs of the stage, `out` and `report.json`, made once per run."""
    return artefact(factory, f"shipped-{name}", lambda folder: export_project(folder, name))
