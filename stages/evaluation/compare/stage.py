"""Compare the models: one page, one figure, and one JSON for other programs.

Reads   reports/metrics/<name>.json of each model, reports/reference.json, reports/corpus.json,
        reports/alignment.json, reports/words/<run>.json, reports/streaming.json
Writes  reports/comparison.json, reports/comparison.md, reports/comparison.png,
        reports/per_by_language.csv
Params  compare

All rows are scores on the same test split. If the test audio is synthetic, the page states it above
the numbers, because it changes what they mean. Two models may differ although their intervals
overlap, so the most important pairs are compared on the same draws of speakers.
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

METRIC_KEYS = (
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
        ensemble: name and metrics of the model made of them, if there is one.
        reference: the report of the stage compare_heads, if it was run.
    """

    singles: dict[str, Metrics]
    ensemble: tuple[str, Metrics] | None = None
    reference: dict[str, Any] | None = None

    @property
    def models(self) -> dict[str, Metrics]:
        """The models that can be shipped: the singles by name, then the ensemble."""
        return dict(sorted(self.singles.items())) | dict([self.ensemble] if self.ensemble else [])


def compare(lineup: Lineup, params: CompareParams) -> dict[str, Any]:
    """Return the JSON for other programs: one entry per model, and comparisons in pairs.

    Raises:
        UserError: the models, or the baseline head, were not scored on the same test split.
    """
    models = lineup.models
    # A file of an earlier split can be read as well as a new one, but its rate is of other clips.
    parts = {(m["speakers"], m["utterances"], m["phones"]) for m in models.values()}
    if len(parts) != 1:
        raise UserError(
            f"the models were scored on different test splits (speakers, utterances, phones): "
            f"{sorted(parts)}; run dvc repro"
        )
    result: dict[str, Any] = {
        "models": {name: entry(m) for name, m in models.items()},
        "paired": [pair(*names, models, params) for names in pairs_of(lineup)],
    }
    return result | (
        {"reference": reference_entry(lineup.reference, models)} if lineup.reference else {}
    )


def reference_entry(reference: dict[str, Any], models: dict[str, Metrics]) -> dict[str, Any]:
    """Return the entry of the baseline head: its PER, and the difference of the shipped head.

    Raises:
        UserError: it was compared with a missing model, or on another number of speakers.
    """
    name, speakers = reference["name"], reference["speakers"]
    if name not in models or speakers != models[name]["speakers"]:
        counts = {model: m["speakers"] for model, m in models.items()}
        raise UserError(
            f"the baseline head was compared with {name!r} on {speakers} test speakers, but the "
            f"models and their numbers of speakers are {counts}; run dvc repro"
        )
    rates = {key: reference["reference"][key] for key in ("per", "per_low", "per_high")}
    return rates | {
        "parameters": reference["parameters"], "shape": reference["shape"],
        "against": {
            "ours": name, "theirs": "baseline head", "difference": reference["difference"],
            "difference_low": reference["difference_low"],
            "difference_high": reference["difference_high"],
            "better_draws": reference["share_of_draws_better"],
        },
    }  # fmt: skip


def entry(metrics: Metrics) -> dict[str, Any]:
    """Return those of a model's metrics that the comparison shows."""
    return {key: metrics[key] for key in METRIC_KEYS} | {
        "int8_per": metrics["int8"]["per"] if "int8" in metrics else None,
        "test_speakers": metrics["speakers"], "test_utterances": metrics["utterances"],
        "languages": {k: v["per"] for k, v in metrics["languages"].items()},
        "sources": {k: v["per"] for k, v in metrics["sources"].items()},
    }  # fmt: skip


def pairs_of(lineup: Lineup) -> list[tuple[str, str]]:
    """Return the pairs to compare: the best two singles, and the ensemble with the best single."""
    ranked = sorted(lineup.singles, key=lambda name: (wrong(lineup.singles[name]), name))
    pairs = [(ranked[0], ranked[1])] if len(ranked) > 1 else []
    return pairs + ([(lineup.ensemble[0], ranked[0])] if lineup.ensemble and ranked else [])


def wrong(metrics: Metrics) -> int:
    """Return the number of a model's errors, which is exact; its rate is rounded."""
    return sum(int(metrics[kind]) for kind in ("substitutions", "deletions", "insertions"))


def pair(
    ours: str, theirs: str, metrics: dict[str, Metrics], params: CompareParams
) -> dict[str, Any]:
    """Return the error rate of `ours` minus that of `theirs`; below 0 `ours` is better."""
    sums = [
        {
            speaker: Errors(row["errors"], reference=row["phones"])
            for speaker, row in metrics[name]["by_speaker"].items()
        }
        for name in (ours, theirs)
    ]
    # Paired by speaker: both models find the same voices hard, so the interval of the
    # difference is narrower than those of the two rates.
    interval, better = paired_bootstrap(sums[0], sums[1], params.resamples, params.seed)
    difference = (wrong(metrics[ours]) - wrong(metrics[theirs])) / metrics[ours]["phones"]
    result: dict[str, Any] = rounded(
        {
            "ours": ours, "theirs": theirs, "difference": difference,
            "difference_low": interval.low, "difference_high": interval.high,
            "better_draws": better,
        },
        params.digits,
    )  # fmt: skip
    return result


def language_rows(metrics: dict[str, Metrics]) -> list[dict[str, Any]]:
    """Return one row per model and language."""
    return [
        {"model": name, "language": language, "per": rates["per"]}
        for name, m in metrics.items()
        for language, rates in m["languages"].items()
    ]


def run(
    lineup: Lineup, corpus: Path, alignment: Path, out: Path, by_language: Path,
    params: CompareParams, words: Path | None = None, streams: Path | None = None,
) -> None:  # fmt: skip
    """Write the comparison as JSON, Markdown and figure of the same name, and a table."""
    comparison = compare(lineup, params)
    optional = (read_json(path) if path else None for path in (words, streams))
    text = page(comparison, read_json(corpus), read_json(alignment), params.title, *optional)
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
    parser.add_argument("--reference", type=Path, help="report of the stage compare_heads")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--alignment", type=Path, required=True)
    parser.add_argument("--words", type=Path, help="report of a fine-tuned Whisper")
    parser.add_argument("--streams", type=Path, help="report of the stage evaluate_streaming")
    parser.add_argument("--by-language", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="comparison.json")
    args = parser.parse_args()
    reference = read_json(args.reference) if args.reference else None
    lineup = lineup_of(args.metrics, args.ensemble, reference)
    params = load("compare", CompareParams)
    run(
        lineup, args.corpus, args.alignment, args.out, args.by_language, params, args.words,
        args.streams,
    )  # fmt: skip


def lineup_of(metrics: Path, ensemble: str | None, reference: dict[str, Any] | None) -> Lineup:
    """Return the models whose metrics are in a folder.

    Raises:
        UserError: the folder contains no metrics, or none of the ensemble.
    """
    models = {path.stem: read_json(path) for path in sorted(metrics.glob("*.json"))}
    if ensemble and ensemble not in models:
        raise UserError(f"{metrics}: no {ensemble}.json; found {sorted(models)}")
    combined = (ensemble, models.pop(ensemble)) if ensemble else None
    if not models:
        raise UserError(f"{metrics}: no metrics of a model; run dvc repro")
    return Lineup(models, combined, reference)
