"""A tiny Whisper exported to ONNX, and what the stages around it read."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from artefacts import artefact
from clip_maker import noise, save_clips
from whisper_maker import tiny_whisper

from fonoteka import manifest
from fonoteka.whisper.model import load_whisper
from fonoteka.whisper.onnx_session import PARTS
from stages.words.export_whisper.stage import ExportWhisperParams, WhisperInt8Params, run

torch.set_num_threads(1)  # float32 sums depend on it
INT8 = WhisperInt8Params(2, max_wer_loss=1e9, parts=PARTS)  # a random model has any error rate
PARAMS = ExportWhisperParams(17, max_error=1e-4, check_clips=4, batch_sizes=(1, 3), int8=INT8)
CLIPS = {f"c{n}": noise(seconds, n) for n, seconds in enumerate((0.1, 0.31, 0.49, 0.6))}


def project(folder: Path) -> tuple[Path, ...]:
    """Write the inputs of the stage export_whisper and return its first four arguments."""
    tiny_whisper(folder / "tiny")
    rows = save_clips(folder / "audio", CLIPS, language="sr", normalized="dva psa")
    for part in ("valid", "test"):
        manifest.write(folder / f"{part}.jsonl", rows)
    return folder / "tiny", folder / "valid.jsonl", folder / "test.jsonl", folder / "audio"


def export_project(folder: Path) -> None:
    """Write the inputs of the stage and run it."""
    run(*project(folder), folder / "onnx", folder / "report.json", PARAMS)


def exported(factory) -> Path:
    """Return a folder with `tiny`, `onnx` and `report.json`, made once per run."""
    return artefact(factory, "whisper-onnx", export_project)


def torch_model(folder: Path):
    """Return the tiny model in torch."""
    return load_whisper(folder / "tiny")


def copy_of(folder: Path, target: Path) -> Path:
    """Return a copy of the exported files that a test may change."""
    return Path(shutil.copytree(folder / "onnx", target))
