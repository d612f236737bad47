"""Embed every clip with the frozen encoder: one vector per 20 ms.

Reads   data/models/encoder/<name>, data/splits/*.jsonl, data/audio
Writes  data/embeddings/<name>/shard-NN.safetensors: id to `[T, D]` float32
Params  embed, compute, and the recipe of configs/augment.yaml that embed.augment names

Each clip is embedded alone. Padding in a batch would change an encoder's output, so an embedding
depends only on the clip and the encoder. With `--augmented-copies 2` two copies of each training
clip are embedded too, changed as by a new speaker or room: `id#1`, `id#2`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fonoteka import manifest
from fonoteka.audio.augment import augment
from fonoteka.audio.dsp import Signal
from fonoteka.audio.recipe import AugmentRecipe, load_recipe
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder
from fonoteka.core.params import load
from fonoteka.core.run_stage import stage
from fonoteka.models.clip_encoder import ClipEncoder, load_clip_encoder
from fonoteka.models.determinism import ComputeParams, configure, onednn_off, seed_of
from fonoteka.shards import read_clips, write_arrays


@dataclass(frozen=True)
class EmbedParams:
    """Section `embed`.

    Attributes:
        seed: of the views.
        shards: files to spread the clips over.
        augment: name of the recipe of the views.
    """

    seed: int
    shards: int
    augment: str


def clip_embeddings(
    encoder: ClipEncoder, key: str, signal: Signal, views: int, seed: int, recipe: AugmentRecipe
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield a clip's embeddings and those of its views."""
    yield key, encoder.embed(signal)
    for view in range(1, views + 1):
        rng = np.random.default_rng(seed_of(seed, key, view))
        changed, _ = augment(signal, recipe, rng)
        yield f"{key}#{view}", encoder.embed(changed)


def run(
    encoder_folder: Path, splits: list[Path], audio: Path, out: Path, copies: int,
    params: EmbedParams, recipe: AugmentRecipe,
) -> None:  # fmt: skip
    """Embed the clips of all parts; the first of `splits` is the training part."""
    if copies < 0 or params.shards < 1:
        raise UserError(
            "embed: augmented_copies must be at least 0 and shards at least 1, found "
            f"{copies} and {params.shards}; change them in params.yaml"
        )
    encoder = load_clip_encoder(encoder_folder)
    parts = [manifest.read(path) for path in splits]
    trained = {u.id for u in parts[0]}
    views = {u.id: copies * (u.id in trained) for us in parts for u in us}
    references = {u.id: u.audio for us in parts for u in us}
    arrays: dict[str, NDArray[np.float32]] = {}
    # One clip at a time, oneDNN's convolutions take 1.6 times as long as products of matrices:
    # 19 ms for a clip of 2.3 s instead of 12. With the 20 s of a training batch both are equal.
    with onednn_off(), atomic_folder(out) as part:
        for number, (key, signal) in enumerate(read_clips(audio, references), start=1):
            arrays |= clip_embeddings(encoder, key, signal, views[key], params.seed, recipe)
            if number % 200 == 0:
                print(f"clip {number} of {len(references)}", flush=True)
        write_arrays(part, arrays, params.shards)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encoder_folder", type=Path)
    parser.add_argument("train", type=Path)
    parser.add_argument("valid", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("audio", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--augmented-copies", type=int, default=0, dest="copies")
    args = parser.parse_args()
    configure(load("compute", ComputeParams).threads)
    splits = [args.train, args.valid, args.test]
    params = load("embed", EmbedParams)
    recipe = load_recipe(params.augment, "embed.augment")
    run(args.encoder_folder, splits, args.audio, args.out, args.copies, params, recipe)


if __name__ == "__main__":
    stage(main)
