"""Find out which models are better together, how, and whether that holds on voices never heard.

Reads   data/posteriors/<name> and data/models/<name>/model.json of each model, valid.jsonl,
        test.jsonl, segments.parquet
Writes  data/models/ensemble/model.json, data/posteriors/ensemble, reports/ensemble.json
Params  ensemble

Every two and three of the models are combined in two ways, see `rover`.
Members and weights are chosen on the validation part alone. Of each way the best one is then scored
on the test part, once, against the single model that is best there. The averaging one is shipped,
whatever the vote scores: it has posteriors, so it is one ONNX file with the same interface as the
others.
On the validation part an ensemble looks better than it is, since its weights were chosen there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fonoteka import manifest
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, read_json, write_json
from fonoteka.core.params import load
from fonoteka.phones import LABELS
from fonoteka.reporting.rounding import rounded
from fonoteka.shards import write_arrays
from stages.evaluation.ensemble.report import SHIPPED, Part, part_of, report
from stages.evaluation.ensemble.rover import average
from stages.evaluation.ensemble.search import Array, Recipe, Tried, best_of, search
from stages.evaluation.observation import read_posteriors
from stages.evaluation.segment_rows import Times, phone_times, rows_of

SAME = ("labels", "sample_rate_hz", "frames_per_second")


@dataclass(frozen=True)
class EnsembleParams:
    """Section `ensemble`.

    Attributes:
        step: between two weights of a member; divides 1.
        null_confidence: those tried in voting, see `stages.evaluation.ensemble.rover.elect`.
        resamples: draws of the speakers for an interval.
        seed: of the draws.
        digits: decimals of a rate in the report.
    """

    step: float
    null_confidence: tuple[float, ...]
    resamples: int
    seed: int
    digits: int


def read_members(folders: Sequence[Path], ids: Iterable[str]) -> dict[str, dict[str, Array]]:
    """Return the frame posteriors of each model, under its folder's name.

    Args:
        folders: one a model.
        ids: of all utterances that each of them must hold, and no other.

    Raises:
        ValueError: there are fewer than two models or two of one name, or one has other utterances,
            frames or labels than it should, or a NaN.
    """
    names = [folder.name for folder in folders]
    if len(names) < 2 or len(set(names)) != len(names):
        raise UserError(f"an ensemble needs two or more different models, found {names}")
    wanted, said = set(ids), {}
    for folder in folders:
        arrays = {key: a for key, a in read_posteriors(folder).items() if "#" not in key}
        if odd := sorted(wanted ^ set(arrays)):
            raise UserError(
                f"{folder}: {len(wanted - set(arrays))} utterances of the parts are missing and "
                f"{len(set(arrays) - wanted)} are of neither, first {odd[0]!r}; run dvc repro"
            )
        said[folder.name] = arrays
    for key in sorted(wanted):
        shapes = {name: arrays[key].shape for name, arrays in said.items()}
        if len(set(shapes.values())) != 1 or shapes[names[0]][1:] != (len(LABELS),):
            raise UserError(
                f"{key}: expected posteriors of the same frames and {len(LABELS)} labels, "
                f"found {shapes}; run dvc repro"
            )
        for folder in folders:
            if not (said[folder.name][key] < np.inf).all():
                raise UserError(f"{folder}: {key!r} holds a NaN or +inf; the model is broken")
    return said


def read_facts(models: Sequence[Path], names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return model.json of each member.

    Raises:
        ValueError: one has no folder, other labels than this code, or another rate than the first.
    """
    folders = {folder.name: folder for folder in models}
    if set(folders) != set(names):
        raise UserError(f"posteriors of {sorted(names)}, but models {sorted(folders)}")
    facts = {name: read_json(folders[name] / "model.json") for name in names}
    first = next(iter(facts.values()))
    for name, about in facts.items():
        where = folders[name] / "model.json"
        if about["labels"] != list(LABELS):
            raise UserError(f"{where}: its labels are not those of this code; train it anew")
        for key in SAME:
            if about[key] != first[key]:
                raise UserError(f"{where}: {key} is {about[key]}, of others {first[key]}")
    return facts


def posteriors(
    recipe: Recipe, said: dict[str, dict[str, Array]], times: Mapping[str, Times]
) -> dict[str, Array]:
    """Return averaged log posteriors, and scores of each phone segment from them.

    Args:
        recipe: who takes part, with what weight.
        said: log posteriors `[T, V]` of each clip by each model.
        times: start and end in seconds of each clip's segments.

    Returns:
        id to `[T, V]`, and `id#segments` to `[S, V - 1]`, a row a segment in the order of `times`.
    """
    arrays: dict[str, Array] = {}
    for key in said[recipe.members[0]]:
        log_probs = average([said[name][key] for name in recipe.members], recipe.weights)
        arrays[key] = log_probs
        arrays[f"{key}#segments"] = rows_of(log_probs, times.get(key, ()))
    return arrays


def model_facts(tried: Tried, facts: dict[str, dict[str, Any]], valid: Part) -> dict[str, Any]:
    """Return the ensemble's model.json, with whatever is needed to put it together again."""
    recipe = tried.recipe
    members = [
        {"name": name, "weight": weight}
        | {key: facts[name][key] for key in ("backbone", "weights_sha256")}
        for name, weight in zip(recipe.members, recipe.weights, strict=True)
    ]
    return {
        "name": "ensemble", "kind": "ensemble", "method": recipe.method, "members": members,
        **{key: facts[recipe.members[0]][key] for key in SAME},
        "valid_per": round(tried.wrong / sum(map(len, valid.references)), 6),
    }  # fmt: skip


def run(
    members: list[Path], models: list[Path], valid: Path, test: Path, segments: Path,
    out_model: Path, out_posteriors: Path, report_to: Path, params: EnsembleParams,
) -> None:  # fmt: skip
    """Search, score and write the ensemble."""
    parts = {path: manifest.read(path) for path in (valid, test)}
    said = read_members(members, (u.id for rows in parts.values() for u in rows))
    facts = read_facts(models, said)
    chosen_on, tested_on = (part_of(rows, said, str(path)) for path, rows in parts.items())
    found = search(chosen_on.references, chosen_on.log_probs, params.step, params.null_confidence)
    told = report(chosen_on, tested_on, found, params.resamples, params.seed)
    best = best_of(found, SHIPPED)
    arrays = posteriors(best.recipe, said, phone_times(segments))
    about = model_facts(best, facts, chosen_on)
    with atomic_folder(out_posteriors) as folder:
        write_arrays(folder, arrays, len(list(members[0].glob("shard-*.safetensors"))))
    write_json(out_model, about)
    write_json(report_to, rounded(told, params.digits))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("members", type=Path, nargs="+", help="data/posteriors/<name> of each")
    parser.add_argument("--models", type=Path, nargs="+", required=True)
    for name in ("valid", "test", "segments", "out-model", "out-posteriors"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True, dest="report_to")
    run(**vars(parser.parse_args()), params=load("ensemble", EnsembleParams))
