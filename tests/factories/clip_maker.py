"""Clips of noise, and no torch: what light tests of sound need."""

from __future__ import annotations

import json
import tarfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import yaml
from corpus_maker import utterance

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, flac_bytes
from fonoteka.audio.recipe import NONE, RECIPES, AugmentRecipe, Band, Noise, Reverb, Speed, Tilt
from fonoteka.manifest import Utterance
from fonoteka.shards import add_to_tar

CHANGED = AugmentRecipe("changed", (
    Speed("speed", 1.0, 0.2), Tilt("tilt", 1.0, (-0.5, 0.5)),
    Reverb("reverb", 1.0, (0.1, 0.5), (0.1, 0.5)), Noise("noise", 1.0, (10.0, 20.0), (0.0, 0.95)),
    Band("band", 1.0, (3200.0, 3900.0)),
))  # fmt: skip


def speed_alone(largest: float) -> AugmentRecipe:
    """A recipe that changes the speed and nothing else."""
    return AugmentRecipe("speed", (Speed("speed", 1.0, largest),))


def write_recipes(folder: Path, *recipes: AugmentRecipe) -> None:
    """Write the recipes that stages read when they run in `folder`, besides one without changes."""
    path = folder / RECIPES
    path.parent.mkdir(parents=True, exist_ok=True)
    named = {recipe.name: [asdict(change) for change in recipe.changes] for recipe in recipes}
    text = json.dumps({NONE.name: []} | named)  # in which a tuple is a list
    path.write_text(yaml.safe_dump(json.loads(text)))


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
