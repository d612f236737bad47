"""Put the models side by side: one page, one picture, one JSON for whoever reads on.

Reads   reports/metrics/<name>.json of each model, reports/reference.json, reports/corpus.json,
        reports/alignment.json
Writes  reports/comparison.json, reports/comparison.md, reports/comparison.png,
        reports/per_by_language.csv
Params  compare

Every row is the same test part. Where the test audio is spoken by a machine the page says so above
the numbers, since a reader of numbers does not read below them. Two intervals that overlap do not
say that two models are alike, so the models that matter are compared in pairs, on the same draws of
speakers.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, write_json, write_text
from fonoteka.core.params import load
from fonoteka.reporting.rounding import rounded
from fonoteka.scoring.error_rate import Errors, paired_bootstrap
from fonoteka.tables import write_table
from stages.evaluation.compare.figure import picture
from stages.evaluation.compare.page import page, speech_of

Metrics = dict[str, Any]

KEPT = (
    "per", "per_low", "per_high", "segment_accuracy", "segment_accuracy_low",
    "segment_accuracy_high", "top3", "top3_low", "top3_high", "balanced_accuracy",
    "balanced_accuracy_low", "balanced_accuracy_high", "ece", "ece_low", "ece_high", "parameters",
    "encoder_parameters", "onnx_bytes", "onnx_head_bytes", "onnx_int8_bytes",
    "onnx_head_int8_bytes", "synthetic",
)  # fmt: skip


@dataclass(frozen=True)
class CompareParams:
    """Section `compare`.

    Attributes:
        title: above the page and the picture.
        dpi: of the picture.
        resamples: draws of the speakers for the interval of a difference.
        seed: of the draws.
        digits: decimals of a difference in the JSON.
    """

    title: str
    dpi: int
    resamples: int
    seed: int
    digits: int


@dataclass(frozen=True)
class Lineup:
    """The metrics of all models.

    Attributes:
        singles: of each model that is compared.
        ensemble: name and metrics of the model made of them, where there is one.
        reference: what the stage yardstick says of a head that is not shipped, where it was run.
    """

    singles: dict[str, Metrics]
    ensemble: tuple[str, Metrics] | None = None
    reference: dict[str, Any] | None = None

    @property
    def models(self) -> dict[str, Metrics]:
        """What can be shipped: the singles by name, then the ensemble."""
        return dict(sorted(self.singles.items())) | dict([self.ensemble] if self.ensemble else [])


def compare(lineup: Lineup, params: CompareParams) -> dict[str, Any]:
    """Return the JSON that others read: an entry a model, and comparisons in pairs.

    Raises:
        ValueError: the models, or what is known of the reference, are not of the same test part.
    """
    models = lineup.models
    parts = {(m["speakers"], m["utterances"], m["phones"]) for m in models.values()}
    if len(parts) != 1:
        raise UserError(
            f"the models were scored on different test parts (speakers, utterances, phones): "
            f"{sorted(parts)}; run dvc repro"
        )
    found: dict[str, Any] = {
        "models": {name: entry(m) for name, m in models.items()},
        "paired": [pair(*names, models, params) for names in pairs_of(lineup)],
    }
    return found | ({"reference": beside(lineup.reference, models)} if lineup.reference else {})


def beside(reference: dict[str, Any], models: dict[str, Metrics]) -> dict[str, Any]:
    """Return what is said of the reference: its rate, and how far ours lies above it.

    Raises:
        ValueError: it was measured beside a model, or on voices, that are not there.
    """
    name, speakers = reference["name"], reference["speakers"]
    if name not in models or speakers != models[name]["speakers"]:
        known = {model: m["speakers"] for model, m in models.items()}
        raise UserError(
            f"the reference stands beside {name!r} on {speakers} test speakers, the models with "
            f"theirs are {known}; run dvc repro"
        )
    rates = {key: reference["reference"][key] for key in ("per", "per_low", "per_high")}
    return rates | {
        "parameters": reference["parameters"], "shape": reference["shape"],
        "against": {
            "ours": name, "theirs": "reference", "difference": reference["difference"],
            "difference_low": reference["difference_low"],
            "difference_high": reference["difference_high"],
            "better_draws": reference["share_of_draws_better"],
        },
    }  # fmt: skip


def entry(metrics: Metrics) -> dict[str, Any]:
    """Return what is kept of a model's metrics."""
    return {key: metrics[key] for key in KEPT} | {
        "int8_per": metrics["int8"]["per"] if "int8" in metrics else None,
        "test_speakers": metrics["speakers"], "test_utterances": metrics["utterances"],
        "languages": {k: v["per"] for k, v in metrics["languages"].items()},
        "sources": {k: v["per"] for k, v in metrics["sources"].items()},
    }  # fmt: skip


def pairs_of(lineup: Lineup) -> list[tuple[str, str]]:
    """Return who is compared: the best single with the second, and the ensemble with the best."""
    ranked = sorted(lineup.singles, key=lambda name: (wrong(lineup.singles[name]), name))
    pairs = [(ranked[0], ranked[1])] if len(ranked) > 1 else []
    return pairs + ([(lineup.ensemble[0], ranked[0])] if lineup.ensemble and ranked else [])


def wrong(metrics: Metrics) -> int:
    """Return all errors of a model: exact, where its rate is rounded."""
    return sum(int(metrics[kind]) for kind in ("substitutions", "deletions", "insertions"))


def pair(
    ours: str, theirs: str, metrics: dict[str, Metrics], params: CompareParams
) -> dict[str, Any]:
    """Return how far the error rate of `ours` lies above that of `theirs`; below 0 it is better."""
    sums = [
        {
            speaker: Errors(row["errors"], reference=row["phones"])
            for speaker, row in metrics[name]["by_speaker"].items()
        }
        for name in (ours, theirs)
    ]
    found, better = paired_bootstrap(sums[0], sums[1], params.resamples, params.seed)
    apart = (wrong(metrics[ours]) - wrong(metrics[theirs])) / metrics[ours]["phones"]
    told: dict[str, Any] = rounded(
        {
            "ours": ours, "theirs": theirs, "difference": apart, "difference_low": found.low,
            "difference_high": found.high, "better_draws": better,
        },
        params.digits,
    )  # fmt: skip
    return told


def language_rows(metrics: dict[str, Metrics]) -> list[dict[str, Any]]:
    """Return a row a model and language."""
    return [
        {"model": name, "language": language, "per": rates["per"]}
        for name, m in metrics.items()
        for language, rates in m["languages"].items()
    ]


def run(
    lineup: Lineup, corpus: Path, alignment: Path, out: Path, by_language: Path,
    params: CompareParams,
) -> None:  # fmt: skip
    """Write the comparison as JSON, Markdown and picture beside each other, and a table."""
    comparison = compare(lineup, params)
    text = page(comparison, read_json(corpus), read_json(alignment), params.title)
    title = f"{params.title} ({speech_of(comparison['models'])})"
    picture(lineup.models, comparison.get("reference"), title, out.with_suffix(".png"), params.dpi)
    write_table(by_language, ("model", "language", "per"), language_rows(lineup.models))
    write_text(out.with_suffix(".md"), text)
    write_json(out, comparison)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("metrics", type=Path, help="folder with a file per model")
    parser.add_argument("--ensemble", help="name of the model made of the others")
    parser.add_argument("--reference", type=Path, help="what the stage yardstick found")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--alignment", type=Path, required=True)
    parser.add_argument("--by-language", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="comparison.json")
    args = parser.parse_args()
    reference = read_json(args.reference) if args.reference else None
    lineup = lineup_of(args.metrics, args.ensemble, reference)
    params = load("compare", CompareParams)
    run(lineup, args.corpus, args.alignment, args.out, args.by_language, params)


def lineup_of(metrics: Path, ensemble: str | None, reference: dict[str, Any] | None) -> Lineup:
    """Return the models whose metrics are in a folder.

    Raises:
        UserError: the folder has no metrics, or none of the ensemble.
    """
    models = {path.stem: read_json(path) for path in sorted(metrics.glob("*.json"))}
    if ensemble and ensemble not in models:
        raise UserError(f"{metrics}: no {ensemble}.json; found {sorted(models)}")
    combined = (ensemble, models.pop(ensemble)) if ensemble else None
    if not models:
        raise UserError(f"{metrics}: no metrics of a model; run dvc repro")
    return Lineup(models, combined, reference)
