"""Choose the best ensemble of the models on valid, and score it on unseen voices.

Reads   data/posteriors/<name> and data/models/<name>/model.json of each model, valid.jsonl,
        test.jsonl, segments.parquet
Writes  data/models/ensemble/model.json, data/posteriors/ensemble, reports/ensemble.json
Params  ensemble

Every two and three of the models are combined in two ways, see `rover`.
Members and weights are chosen on the validation part alone. The best ensemble of each method is
then scored on the test part, once, against the single model that is best there. The average is
shipped even if the vote has fewer errors: it has posteriors, so it is one ONNX file with the same
interface as the others.
On the validation part an ensemble's score is too good, because its weights were chosen there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fonoteka import manifest
from fonoteka.alignment.phone_rows import read_phone_rows
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, read_json, write_json
from fonoteka.core.params import load
from fonoteka.phones import LABELS
from fonoteka.reporting.rounding import rounded
from fonoteka.shards import StoredArrays, array_shard, stream_arrays
from stages.evaluation.ensemble.report import SHIPPED, Part, part_of, report
from stages.evaluation.ensemble.rover import average
from stages.evaluation.ensemble.search import Array, Candidate, Recipe, best_of, search
from stages.evaluation.observation import open_posteriors
from stages.evaluation.segment_rows import Times, rows_of, times_of

SAME = ("labels", "sample_rate_hz", "frames_per_second")


@dataclass(frozen=True)
class EnsembleParams:
    """Section `ensemble`.

    Attributes:
        step: between two weights of a member; divides 1.
        null_confidence: values tried for `vote`, see `stages.evaluation.ensemble.rover.elect`.
        resamples: draws of the speakers for an interval.
        seed: of the draws.
        digits: decimals of a rate in the report.
    """

    step: float
    null_confidence: tuple[float, ...]
    resamples: int
    seed: int
    digits: int


def read_members(folders: Sequence[Path], ids: Iterable[str]) -> dict[str, StoredArrays]:
    """Return the frame posteriors of each model, under its folder's name; none is in memory.

    Args:
        folders: one per model.
        ids: of the utterances that each folder must contain, and no other.

    Raises:
        ValueError: there are fewer than two models or two of one name, or one contains other
            utterances, frames or labels than expected, or a NaN.
    """
    names = [folder.name for folder in folders]
    if len(names) < 2 or len(set(names)) != len(names):
        raise UserError(f"an ensemble needs two or more different models, found {names}")
    wanted, log_probs = set(ids), {}
    for folder in folders:
        parts = open_posteriors(folder).places
        arrays = StoredArrays({key: part for key, part in parts.items() if "#" not in key})
        if odd := sorted(wanted ^ set(arrays)):
            raise UserError(
                f"{folder}: {len(wanted - set(arrays))} utterances of the parts are missing and "
                f"{len(set(arrays) - wanted)} are of neither, first {odd[0]!r}; run dvc repro"
            )
        log_probs[folder.name] = arrays
    for key in sorted(wanted):
        shapes = {name: arrays.shape(key) for name, arrays in log_probs.items()}
        if len(set(shapes.values())) != 1 or shapes[names[0]][1:] != (len(LABELS),):
            raise UserError(
                f"{key}: expected posteriors of the same frames and {len(LABELS)} labels, "
                f"found {shapes}; run dvc repro"
            )
        for folder in folders:
            if not (log_probs[folder.name][key] < np.inf).all():
                raise UserError(f"{folder}: {key!r} holds a NaN or +inf; the model is broken")
    return log_probs


def read_metadata(models: Sequence[Path], names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the contents of each member's model.json.

    Raises:
        ValueError: one has no folder, other labels than this code, or another rate than the first.
    """
    folders = {folder.name: folder for folder in models}
    if set(folders) != set(names):
        raise UserError(f"posteriors of {sorted(names)}, but models {sorted(folders)}")
    metadata = {name: read_json(folders[name] / "model.json") for name in names}
    first = next(iter(metadata.values()))
    for name, model in metadata.items():
        path = folders[name] / "model.json"
        if model["labels"] != list(LABELS):
            raise UserError(f"{path}: its labels are not those of this code; train it again")
        for key in SAME:
            if model[key] != first[key]:
                raise UserError(f"{path}: {key} is {model[key]}, of others {first[key]}")
    return metadata


def posteriors(
    recipe: Recipe, log_probs: Mapping[str, Mapping[str, Array]], times: Mapping[str, Times],
    keys: Iterable[str],
) -> Iterator[tuple[str, Array]]:  # fmt: skip
    """Yield averaged log posteriors of each clip, and scores of each phone segment from them.

    Args:
        recipe: the members and their weights.
        log_probs: log posteriors `[T, V]` of each clip by each model.
        times: start and end in seconds of each clip's segments.
        keys: the ids of the clips in the order wanted.

    Yields:
        id and `[T, V]`, then `id#segments` and `[S, V - 1]`: one row per segment, ordered as
        `times`.
    """
    for key in keys:
        mean = average([log_probs[name][key] for name in recipe.members], recipe.weights)
        yield key, mean
        yield f"{key}#segments", rows_of(mean, times.get(key, ()))


def ensemble_metadata(
    candidate: Candidate, metadata: dict[str, dict[str, Any]], valid: Part
) -> dict[str, Any]:
    """Return the ensemble's model.json, with all that is needed to build it again."""
    recipe = candidate.recipe
    members = [
        {"name": name, "weight": weight}
        | {key: metadata[name][key] for key in ("encoder", "weights_sha256")}
        for name, weight in zip(recipe.members, recipe.weights, strict=True)
    ]
    return {
        "name": "ensemble", "kind": "ensemble", "method": recipe.method, "members": members,
        **{key: metadata[recipe.members[0]][key] for key in SAME},
        "valid_per": round(candidate.wrong / sum(map(len, valid.references)), 6),
    }  # fmt: skip


def run(
    members: list[Path], models: list[Path], valid: Path, test: Path, segments: Path,
    out_model: Path, out_posteriors: Path, report_to: Path, params: EnsembleParams,
) -> None:  # fmt: skip
    """Search, score and write the ensemble."""
    parts = {path: manifest.read(path) for path in (valid, test)}
    log_probs = read_members(members, (u.id for rows in parts.values() for u in rows))
    metadata = read_metadata(models, log_probs)
    valid_part, test_part = (part_of(rows, log_probs, str(path)) for path, rows in parts.items())
    candidates = search(
        valid_part.references, valid_part.log_probs, params.step, params.null_confidence
    )
    result = report(valid_part, test_part, candidates, params.resamples, params.seed)
    best = best_of(candidates, SHIPPED)
    phones = read_phone_rows(segments)
    times = {u.id: times_of(phones.get(u.id, ())) for rows in parts.values() for u in rows}
    description = ensemble_metadata(best, metadata, valid_part)
    shards = len(list(members[0].glob("shard-*.safetensors")))
    keys = sorted(times, key=lambda key: array_shard(key, shards))
    with atomic_folder(out_posteriors) as folder:
        stream_arrays(folder, posteriors(best.recipe, log_probs, times, keys), shards)
    write_json(out_model, description)
    write_json(report_to, rounded(result, params.digits))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("members", type=Path, nargs="+", help="data/posteriors/<name> of each")
    parser.add_argument("--models", type=Path, nargs="+", required=True)
    for name in ("valid", "test", "segments", "out-model", "out-posteriors"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True, dest="report_to")
    run(**vars(parser.parse_args()), params=load("ensemble", EnsembleParams))
