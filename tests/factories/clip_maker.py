"""Clips of noise, and no torch: what light tests of sound need."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
from corpus_maker import utterance

from fonoteka.audio.augment import AugmentParams
from fonoteka.audio.dsp import SAMPLE_RATE_HZ, flac_bytes
from fonoteka.manifest import Utterance
from fonoteka.shards import add_to_tar

UNCHANGED = AugmentParams(
    speed=0.0, tilt=0.0, band_probability=0.0, reverb_probability=0.0, noise_probability=0.0,
    noise_db_min=10.0, noise_db_max=10.0,
)  # fmt: skip
CHANGED = AugmentParams(
    speed=0.2, tilt=0.5, band_probability=1.0, reverb_probability=1.0, noise_probability=1.0,
    noise_db_min=10.0, noise_db_max=20.0,
)  # fmt: skip


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    """Sound without silence: white noise at a tenth of full scale."""
    samples = round(seconds * SAMPLE_RATE_HZ)
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def save_clips(folder: Path, clips: dict[str, np.ndarray], **more: object) -> list[Utterance]:
    """Write 16 kHz clips into one shard and return their utterances, ids being the keys."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / "shard-00.tar", "w") as tar:
        for key, signal in clips.items():
            add_to_tar(tar, f"{key}.flac", flac_bytes(signal))
    return [
        utterance(
            f"mine/s{number}", number, id=key, audio=f"shard-00.tar/{key}.flac",
            duration_s=len(signal) / SAMPLE_RATE_HZ, **more,
        )
        for number, (key, signal) in enumerate(clips.items())
    ]  # fmt: skip
