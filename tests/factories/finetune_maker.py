"""Clips with one tone per text, and the parameters of a fine-tuning of a few steps."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import yaml
from clip_maker import save_clips
from whisper_maker import tiny_whisper

from fonoteka import manifest
from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.manifest import Utterance
from fonoteka.whisper.examples import MaskParams
from fonoteka.whisper.finetune import FineTuneParams
from fonoteka.whisper.lora import LoraParams

NO_MASKS = MaskParams(time_masks=0, time_frames=0, band_masks=0, bands=0)
PARAMS = FineTuneParams(
    seed=1, trainable="all", frozen=(), frozen_layers=0, script="latin", device="cpu", batch=4,
    accumulate=1, steps=6, learning_rate=0.01, warmup_fraction=0.1, weight_decay=0.01,
    max_grad_norm=1.0, label_smoothing=0.0, valid_every=2, valid_clips=4, patience=9,
    checkpoint_every=2, masks=NO_MASKS,
    lora=LoraParams(rank=2, alpha=4.0, targets=("q_proj", "v_proj")), repeat={},
)  # fmt: skip
TEXTS = {"hr": "da", "sr": "не", "en": "the"}


def tone(hertz: float, seconds: float) -> np.ndarray:
    times = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (0.3 * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


def toy_split(folder: Path, count: int, first: int = 0) -> list[Utterance]:
    """Write clips into `folder` and return their utterances: three languages, one tone each."""
    languages = list(TEXTS)
    clips = {
        f"c{n:02d}": tone(300 * (1 + n % 3), 0.3 + 0.1 * (n % 5))
        for n in range(first, first + count)
    }
    utterances = save_clips(folder, clips)
    return [
        Utterance(**vars(u) | {"language": languages[n % 3], "text": TEXTS[languages[n % 3]]})
        for n, u in enumerate(utterances, start=first)
    ]


def toy_run(folder: Path, train: int = 10, valid: int = 4) -> list[Path]:
    """Write a tiny model, two splits and their audio; return the paths in the stage's order."""
    base = tiny_whisper(folder / "base")
    utterances = toy_split(folder / "audio", train + valid)
    manifest.write(folder / "train.jsonl", utterances[:train])
    manifest.write(folder / "valid.jsonl", utterances[train:])
    return [base, folder / "train.jsonl", folder / "valid.jsonl", folder / "audio"]


def write_params(folder: Path, params: FineTuneParams) -> None:
    """Write the params.yaml of a run of the stage."""
    sections = {"compute": {"threads": 1}, "train_whisper": plain(asdict(params))}
    (folder / "params.yaml").write_text(yaml.safe_dump(sections))


def plain(value):
    """Return tuples as lists, as YAML has them."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, tuple) else value
