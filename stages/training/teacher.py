"""Compute what the teacher of a streaming recogniser predicts on the training clips.

Reads   data/models/<teacher>/model.json and model.safetensors, its embeddings, train.jsonl
Writes  data/teacher/<teacher>/: shard-NN.safetensors, id to log posteriors `[T, V]`; train.jsonl
Params  teacher, compute

The clips are those that the teacher was trained on, so its posteriors are surer than on others; a
pupil that predicts the same phones in the same frames is what they are for.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass
from pathlib import Path

from fonoteka import manifest
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder
from fonoteka.core.params import load
from fonoteka.core.run_stage import stage
from fonoteka.models.determinism import ComputeParams, configure
from fonoteka.models.heads import load_head, posteriors
from fonoteka.shards import read_arrays, write_arrays


@dataclass(frozen=True)
class TeacherParams:
    """Section `teacher`.

    Attributes:
        shards: files to spread the clips over.
    """

    shards: int


def run(model: Path, embeddings: Path, train: Path, out: Path, params: TeacherParams) -> None:
    """Write the posteriors of one model on the training clips.

    Raises:
        UserError: there is no clip, or one has no embeddings.
    """
    utterances = manifest.read(train)
    if not utterances:
        raise UserError(f"{train}: no utterance to teach on")
    head, _ = load_head(model)
    arrays = read_arrays(embeddings, [u.id for u in utterances])
    with atomic_folder(out) as part:
        log_probs = {key: posteriors(head, frames) for key, frames in arrays.items()}
        write_arrays(part, log_probs, params.shards)
        shutil.copy(train, part / "train.jsonl")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "embeddings", "train", "out"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    configure(load("compute", ComputeParams).threads)
    run(**vars(args), params=load("teacher", TeacherParams))


if __name__ == "__main__":
    stage(main)
