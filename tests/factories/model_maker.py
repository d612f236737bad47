"""Toy encoders and embeddings, small enough to be made in each test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from corpus_maker import utterance

from fonoteka import manifest
from fonoteka.manifest import Utterance
from fonoteka.models.encoders import ArchitectureParams, feature_extractor, new_encoder
from fonoteka.models.provenance import write_provenance
from fonoteka.shards import write_arrays
from stages.features.encoder.pretrain import PretrainParams
from stages.training.train.tasks import CtcParams, MlpParams

SIZE = ArchitectureParams(
    filters=16, conv_channels=16, hidden=32, layers=1, heads=2, intermediate=32, dropout=0.1
)
PRETRAIN = PretrainParams(
    seed=1, steps=4, round_steps=2, batch_s=1.0, learning_rate=0.01, warmup_fraction=0.25,
    clusters=4, mask_fraction=0.3, mask_span=3, cluster_weight=1.0, ctc_weight=1.0,
    frame_weight=1.0, repeat={}, architecture=SIZE, augment="none",
)  # fmt: skip
torch.set_num_threads(1)  # weights depend on it, and so does how long other tests wait
LOOP = {
    "seed": 1, "epochs": 8, "patience": 8, "learning_rate": 0.02, "warmup_fraction": 0.1,
    "weight_decay": 0.0, "max_grad_norm": 1.0, "hidden": 32, "dropout": 0.0,
}  # fmt: skip
CTC = CtcParams(
    **LOOP,
    dilations=(1,),
    batch_frames=80,
    mask_fraction=0.0,
    mask_frames=2,
    frame_weight=0.0,
    repeat={},
)
MLP = MlpParams(**LOOP, window=1, batch_segments=16)
TOY_PHONES = ("a", "b", "d", "e", "i")


def encoder(name: str = "wav2vec2", seed: int = 0):
    """Return an encoder with random weights in eval mode."""
    torch.manual_seed(seed)
    return new_encoder(name, SIZE).eval()


def save_encoder(folder: Path, name: str = "wav2vec2", seed: int = 0) -> Path:
    """Write an encoder as the stage `encoder` does and return its folder."""
    encoder(name, seed).save_pretrained(folder)
    feature_extractor().save_pretrained(folder)
    write_provenance(folder, "pretrain")
    return folder


def toy_clip(seed: int, inputs: int = 8) -> tuple[tuple[str, ...], np.ndarray, list]:
    """Return phones, embeddings with one direction per phone, and the times of phones."""
    rng = np.random.default_rng(seed)
    phones = tuple(TOY_PHONES[i] for i in rng.integers(len(TOY_PHONES), size=5))
    frames, times = [np.zeros((2, inputs))], []
    for phone in phones:
        start = sum(map(len, frames))
        frames += [np.tile(np.eye(inputs)[TOY_PHONES.index(phone)], (4, 1)), np.zeros((2, inputs))]
        times.append((start / 50, (start + 4) / 50))
    clean = np.concatenate(frames)
    return phones, (clean + 0.05 * rng.standard_normal(clean.shape)).astype(np.float32), times


def toy_corpus(folder: Path, train: int = 24, valid: int = 6) -> tuple[Path, Path, Path, Path]:
    """Write embeddings, train.jsonl, valid.jsonl and segments.parquet of the toy problem."""
    parts: dict[str, list[Utterance]] = {"train": [], "valid": []}
    arrays = {}
    for seed in range(train + valid):
        phones, frames, times = toy_clip(seed)
        u = utterance(
            f"mine/s{seed}", seed, phones=phones, duration_s=len(frames) / 50,
            phone_times_s=tuple(times),
        )  # fmt: skip
        parts["train" if seed < train else "valid"].append(u)
        arrays[u.id] = frames
    (folder / "embeddings").mkdir(parents=True)
    write_arrays(folder / "embeddings", arrays, 2)
    for part, rows in parts.items():
        manifest.write(folder / f"{part}.jsonl", rows)
    write_segments(folder / "segments.parquet", parts["train"])
    names = ("embeddings", "train.jsonl", "valid.jsonl", "segments.parquet")
    return tuple(folder / name for name in names)


def write_segments(path: Path, utterances: list[Utterance], part: str = "train") -> None:
    """Write the segments of phones, and of the silence before the first."""
    rows = [
        (u.id, part, "phone", phone, start, end)
        for u in utterances
        for phone, (start, end) in zip(u.phones, u.phone_times_s, strict=True)
    ]
    rows += [(u.id, part, "silence", "", 0.0, u.phone_times_s[0][0]) for u in utterances]
    columns = ["utterance", "part", "kind", "symbol", "start_s", "end_s"]
    pd.DataFrame(rows, columns=columns).to_parquet(path, index=False)


class KilledError(Exception):
    """Raised instead of a kill."""


def killed_at(number: int, function):
    """Return a function that fails at its n-th call."""
    calls = iter(range(1, 1000))

    def called(*args):
        if next(calls) == number:
            raise KilledError("killed")
        return function(*args)

    return called
