"""Run the shipped models once over valid and test; all scores are computed from these posteriors.

Reads   data/models/<name>, its embeddings, valid.jsonl, test.jsonl, segments.parquet; with
        --audio also data/audio
Writes  data/posteriors/<name>/shard-NN.safetensors
            id           `[T, V]`      log posteriors of head.onnx
            id#segments  `[S, V - 1]`  log probabilities of the phones in each phone segment, in the
                                       order of segments.parquet
            id#int8      `[T, V]`      test clips: log posteriors of model.int8.onnx
Params  posteriors

The MLP reads a segment as one vector, the mean of its frames, as in its training. For any other
model a phone's score is its highest posterior in the segment. The later stages read both alike.

A clip is scored again only if its embeddings, its audio or its segments have changed, and the
results of one shard of work are in memory at a time.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as decode_arrays
from safetensors.numpy import save as encode_arrays

from fonoteka import manifest
from fonoteka.alignment.phone_rows import read_phone_rows
from fonoteka.compute.map_shards import map_shards
from fonoteka.compute.plan_shards import plan_by_key
from fonoteka.compute.source_fingerprint import source_fingerprint
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, read_json, sha256_file, sha256_json
from fonoteka.core.params import load
from fonoteka.core.run_stage import stage
from fonoteka.onnx_export.session import labels_of, open_model, session_posteriors
from fonoteka.phones import LABELS
from fonoteka.scoring.decoding import check_posteriors
from fonoteka.shards import (
    ArrayPart,
    FilePart,
    array_parts,
    clip_parts,
    clip_signal,
    stream_arrays,
)
from stages.evaluation.segment_rows import Predict, Times, pooled_rows, rows_of, times_of

Array = NDArray[np.float32]
HEAD, INT8 = "head.onnx", "model.int8.onnx"


@dataclass(frozen=True)
class PosteriorsParams:
    """Section `posteriors`.

    Attributes:
        shards: files to spread the clips over.
    """

    shards: int


def load_predictor(model: Path, name: str) -> Predict:
    """Return a function from one clip's embeddings or samples to its log posteriors `[T, V]`.

    Raises:
        ValueError: the file is missing, damaged or foreign, or its labels differ from those of
            model.json or of this project.
    """
    path = model / name
    session = open_model(path)
    labels = labels_of(session, path)
    if labels != read_json(model / "model.json")["labels"]:
        raise UserError(f"{path}: its labels differ from {model / 'model.json'}; export it again")
    if labels != list(LABELS):
        raise UserError(f"{path}: its labels differ from the phone inventory; train it again")

    def predict(clip: Array) -> Array:
        log_probs: Array = session_posteriors(session, clip[None])[0]
        check_posteriors(log_probs, LABELS)
        return log_probs

    return predict


class ClipPosteriors(NamedTuple):
    """One clip: its embeddings, its phone segments, and its audio if the int8 file is to be run."""

    id: str
    embeddings: ArrayPart
    times: Times
    audio: FilePart | None


@dataclass(frozen=True)
class PosteriorsTask:
    """Run the files of a model on one clip; the result is by the end of the key: `#segments`."""

    model: Path
    fingerprint: str
    name: str = "posteriors"

    def open(self) -> Callable[[ClipPosteriors], dict[str, Array]]:
        """Load the model and return the function of one clip."""
        predict = load_predictor(self.model, HEAD)
        pooled = read_json(self.model / "model.json")["kind"] == "mlp"
        loaded: list[Predict] = []

        def score(item: ClipPosteriors) -> dict[str, Array]:
            frames = item.embeddings.read()
            results = predictions(predict, pooled, item.id, frames, item.times)
            if item.audio is not None:
                # Not before the first clip that needs it: `valid` needs the head alone.
                loaded[:] = loaded or [load_predictor(self.model, INT8)]
                results["#int8"] = loaded[0](clip_signal(item.audio))
            return results

        return score

    def clip(self, item: ClipPosteriors) -> str:
        """Return the id of the clip."""
        return item.id

    def content(self, item: ClipPosteriors) -> str:
        """Return hashes of the embeddings and the FLAC file, with the times of the segments."""
        read = item.embeddings.data, item.audio
        hashes = [part and hashlib.sha256(part.read()).hexdigest() for part in read]
        return sha256_json([hashes, item.embeddings.shape, item.times])

    def encode(self, result: dict[str, Array]) -> bytes:
        """Return the arrays as bytes of a safetensors file."""
        return bytes(encode_arrays(result))

    def decode(self, data: bytes) -> dict[str, Array]:
        """Return the arrays of `encode`."""
        arrays: dict[str, Array] = decode_arrays(data)
        return arrays


def posteriors_task(model: Path) -> PosteriorsTask:
    """Return the task, with a fingerprint of code, model and processor."""
    files = [model / name for name in ("model.json", HEAD, INT8)]
    weights = {path.name: sha256_file(path) for path in files if path.is_file()}
    return PosteriorsTask(model, sha256_json([source_fingerprint(__name__), weights]))


def predictions(
    predict: Predict, pooled: bool, key: str, frames: Array, times: Times
) -> dict[str, Array]:
    """Return the log posteriors of a clip and, under `#segments`, the scores of its segments."""
    try:
        log_probs = predict(frames)
        rows = pooled_rows(predict, frames, times) if pooled else rows_of(log_probs, times)
    except ValueError as error:
        raise UserError(f"{key}: {error}") from error
    return {"": log_probs, "#segments": rows}


def run(
    model: Path, embeddings: Path, valid: Path, test: Path, segments: Path, out: Path,
    audio: Path | None, params: PosteriorsParams,
) -> None:  # fmt: skip
    """Write the posteriors of one model, and those of its int8 file if `audio` is given."""
    references: dict[Path, dict[str, str]] = {}
    for path in (valid, test):
        references[path] = {u.id: u.audio for u in manifest.read(path)}
        if not references[path]:
            raise UserError(f"{path}: no utterance to score")
    phones = read_phone_rows(segments)
    frames = array_parts(embeddings, [*references[valid], *references[test]])
    sounds = {} if audio is None else clip_parts(audio, references[test])
    items = [
        ClipPosteriors(key, frames[key], times_of(phones.get(key, ())), sounds.get(key))
        for key in sorted(frames)
    ]
    plan = plan_by_key(items, attrgetter("id"), params.shards)
    results = (
        (item.id + end, array)
        for shard, arrays in map_shards(posteriors_task(model), plan)
        for item, by_end in zip(shard.items, arrays, strict=True)
        for end, array in by_end.items()
    )
    with atomic_folder(out) as part:
        stream_arrays(part, results, params.shards)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "embeddings", "valid", "test", "segments", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--audio", type=Path, help="data/audio, the input of model.int8.onnx")
    run(**vars(parser.parse_args()), params=load("posteriors", PosteriorsParams))


if __name__ == "__main__":
    stage(main)
