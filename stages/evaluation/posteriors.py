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
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka import manifest
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, read_json
from fonoteka.core.params import load
from fonoteka.core.run_stage import stage
from fonoteka.onnx_export.session import labels_of, open_model, session_posteriors
from fonoteka.phones import LABELS
from fonoteka.scoring.decoding import check_posteriors
from fonoteka.shards import read_arrays, read_clips, write_arrays
from stages.evaluation.segment_rows import Predict, Times, phone_times, pooled_rows, rows_of

Array = NDArray[np.float32]


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


def predictions(
    predict: Predict, pooled: bool, arrays: Mapping[str, Array], times: Mapping[str, Times]
) -> Iterator[tuple[str, Array]]:
    """Yield the log posteriors of each clip and the scores of its segments, each with its key."""
    for key, frames in arrays.items():
        try:
            log_probs = predict(frames)
            yield key, log_probs
            spans_s = times.get(key, ())
            rows = pooled_rows(predict, frames, spans_s) if pooled else rows_of(log_probs, spans_s)
        except ValueError as error:
            raise UserError(f"{key}: {error}") from error
        yield f"{key}#segments", rows


def run(
    model: Path, embeddings: Path, valid: Path, test: Path, segments: Path, out: Path,
    audio: Path | None, params: PosteriorsParams,
) -> None:  # fmt: skip
    """Write the posteriors of one model, and those of its int8 file if `audio` is given."""
    parts = {path: manifest.read(path) for path in (valid, test)}
    for path, utterances in parts.items():
        if not utterances:
            raise UserError(f"{path}: no utterance to score")
    times = phone_times(segments)
    arrays = read_arrays(embeddings, [u.id for us in parts.values() for u in us])
    pooled = read_json(model / "model.json")["kind"] == "mlp"
    results: dict[str, Any] = dict(
        predictions(load_predictor(model, "head.onnx"), pooled, arrays, times)
    )
    if audio is not None:
        predict = load_predictor(model, "model.int8.onnx")
        for key, signal in read_clips(audio, {u.id: u.audio for u in parts[test]}):
            results[f"{key}#int8"] = predict(signal)
    with atomic_folder(out) as part:
        write_arrays(part, results, params.shards)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "embeddings", "valid", "test", "segments", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--audio", type=Path, help="data/audio, the input of model.int8.onnx")
    run(**vars(parser.parse_args()), params=load("posteriors", PosteriorsParams))


if __name__ == "__main__":
    stage(main)
