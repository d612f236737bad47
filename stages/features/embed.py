"""Embed every clip with the frozen encoder: one vector per 20 ms.

Reads   data/models/encoder/<name>, data/splits/*.jsonl, data/audio
Writes  data/embeddings/<name>/shard-NN.safetensors: id to `[T, D]` float32
Params  embed, compute, and the recipe of configs/augment.yaml that embed.augment names

Each clip is embedded alone. Padding in a batch would change an encoder's output, so an embedding
depends only on the clip and the encoder. With `--augmented-copies 2` two copies of each training
clip are embedded too, changed as by a new speaker or room: `id#1`, `id#2`.

A GPU embeds one clip at a time too, with bfloat16 autocast: zeros after a clip change a frame by
half its size, and clips of equal length are rare.

A clip that an earlier run has embedded is neither decoded nor embedded again, and the embeddings of
one shard of work are in memory at a time.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as decode_arrays
from safetensors.numpy import save as encode_arrays

from fonoteka import manifest
from fonoteka.audio.augment import augment
from fonoteka.audio.dsp import Signal
from fonoteka.audio.recipe import AugmentRecipe, load_recipe
from fonoteka.audio.surroundings import Surroundings
from fonoteka.compute.clip_task import Shard
from fonoteka.compute.map_shards import map_shards
from fonoteka.compute.plan_shards import plan_by_key
from fonoteka.compute.processor import gpu_models
from fonoteka.compute.source_fingerprint import source_fingerprint
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, sha256_file, sha256_json
from fonoteka.core.params import load
from fonoteka.core.run_stage import stage
from fonoteka.models.clip_encoder import ClipEncoder, load_clip_encoder
from fonoteka.models.determinism import CPU, ComputeParams, configure, onednn_off, seed_of
from fonoteka.models.device import choose_device
from fonoteka.shards import FilePart, clip_parts, clip_signal, stream_arrays

Array = NDArray[np.float32]
ON_CPU = ComputeParams(1, CPU)


@dataclass(frozen=True)
class EmbedParams:
    """Section `embed`.

    Attributes:
        seed: of the views.
        shards: files to spread the clips over.
        augment: name of the recipe of the views.
        around: silence and noise around a view.
    """

    seed: int
    shards: int
    augment: str
    around: Surroundings


def clip_embeddings(
    encoder: ClipEncoder, key: str, signal: Signal, views: int, seed: int, recipe: AugmentRecipe,
    around: Surroundings,
) -> Iterator[tuple[str, Array]]:  # fmt: skip
    """Yield a clip's embeddings and those of its views."""
    yield key, encoder.embed(signal)
    for view in range(1, views + 1):
        rng = np.random.default_rng(seed_of(seed, key, view))
        changed, _ = augment(signal, recipe, rng)
        yield f"{key}#{view}", encoder.embed(around.add_to(changed, rng).signal)


class EmbedItem(NamedTuple):
    """One clip, where its FLAC file is, and the number of its views."""

    id: str
    part: FilePart
    views: int


@dataclass(frozen=True)
class EmbedTask:
    """Embed one clip and its views; the result has the clip first."""

    encoder_folder: Path
    seed: int
    recipe: AugmentRecipe
    around: Surroundings
    compute: ComputeParams
    fingerprint: str
    name: str = "embed"

    def open(self) -> Callable[[EmbedItem], list[Array]]:
        """Load the encoder and return the function of one clip."""
        configure(self.compute.threads)
        encoder = load_clip_encoder(self.encoder_folder, choose_device(self.compute.device))

        def embed_one(item: EmbedItem) -> list[Array]:
            # One clip at a time, oneDNN's convolutions take 1.6 times as long as products of
            # matrices: 19 ms for a clip of 2.3 s instead of 12. With the 20 s of a training batch
            # both are equal.
            with onednn_off():
                signal = clip_signal(item.part)
                pairs = clip_embeddings(
                    encoder, item.id, signal, item.views, self.seed, self.recipe, self.around
                )
                return [array for _, array in pairs]

        return embed_one

    def clip(self, item: EmbedItem) -> str:
        """Return the id of the clip."""
        return item.id

    def content(self, item: EmbedItem) -> str:
        """Return a hash of the FLAC file, which is not decoded for it, and the number of views."""
        return f"{hashlib.sha256(item.part.read()).hexdigest()} {item.views}"

    def encode(self, result: list[Array]) -> bytes:
        """Return embeddings as bytes of a safetensors file."""
        return bytes(encode_arrays({str(n): array for n, array in enumerate(result)}))

    def decode(self, data: bytes) -> list[Array]:
        """Return the embeddings of `encode`."""
        arrays = decode_arrays(data)
        return [arrays[str(number)] for number in range(len(arrays))]


def embed_task(
    encoder_folder: Path, params: EmbedParams, recipe: AugmentRecipe, compute: ComputeParams
) -> EmbedTask:
    """Return the task, with a fingerprint of code, parameters, weights and processor.

    The number of shards changes no embedding.
    """
    files = [path for path in sorted(encoder_folder.glob("*")) if path.is_file()]
    weights = {path.name: sha256_file(path) for path in files}
    drawn = {
        "seed": params.seed, "augment": asdict(recipe), "around": asdict(params.around),
        "threads": compute.threads,
    }  # fmt: skip
    # The models of the GPUs come from the system and not from torch: a process that has started
    # CUDA cannot fork workers that use it.
    gpus = [] if compute.device == CPU else [compute.device, *gpu_models()]
    mark = sha256_json([source_fingerprint(__name__), weights, drawn, gpus])
    return EmbedTask(encoder_folder, params.seed, recipe, params.around, compute, mark)


def run(
    encoder_folder: Path, splits: list[Path], audio: Path, out: Path, copies: int,
    params: EmbedParams, recipe: AugmentRecipe, compute: ComputeParams = ON_CPU,
) -> None:  # fmt: skip
    """Embed the clips of all parts; the first of `splits` is the training part."""
    if copies < 0 or params.shards < 1:
        raise UserError(
            "embed: augmented_copies must be at least 0 and shards at least 1, found "
            f"{copies} and {params.shards}; change them in params.yaml"
        )
    references: dict[str, str] = {}
    views: dict[str, int] = {}
    for number, path in enumerate(splits):  # one manifest in memory at a time
        for u in manifest.read(path):
            references[u.id], views[u.id] = u.audio, 0 if number else copies
    parts = clip_parts(audio, references)
    items = [EmbedItem(key, parts[key], views[key]) for key in sorted(parts)]
    plan = plan_by_key(items, attrgetter("id"), params.shards)
    task = embed_task(encoder_folder, params, recipe, compute)
    with atomic_folder(out) as part:
        stream_arrays(part, _embeddings(task, plan, len(references)), params.shards)


def _embeddings(
    task: EmbedTask, plan: Sequence[Shard[EmbedItem]], clips: int
) -> Iterator[tuple[str, Array]]:
    """Yield all embeddings with their keys, in the order of the plan."""
    done = 0
    for shard, results in map_shards(task, plan):
        for item, arrays in zip(shard.items, results, strict=True):
            for view, array in enumerate(arrays):
                yield (f"{item.id}#{view}" if view else item.id), array
        done += len(results)
        print(f"clip {done} of {clips}", flush=True)


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
    splits = [args.train, args.valid, args.test]
    params = load("embed", EmbedParams)
    run(
        args.encoder_folder, splits, args.audio, args.out, args.copies, params,
        load_recipe(params.augment, "embed.augment"), load("compute", ComputeParams),
    )  # fmt: skip


if __name__ == "__main__":
    stage(main)
