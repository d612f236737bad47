"""Score one model, as it is shipped, on unseen speakers.

Reads   data/posteriors/<name>, test.jsonl, segments.parquet, reports/onnx/<name>.json and, for
        pseudonyms, speakers.csv
Writes  reports/metrics/<name>.json, reports/phones/<name>.csv, reports/confusion/<name>.png and
        data/plots/<name>/confusion.csv
Params  evaluate, privacy

The phone error rate compares decoded phones with the reference. The segment accuracy is the share
of segments whose phone is right, with the boundaries given, on the same segments for every model.
Both have an interval over speakers, because they vary most between draws of speakers.

No model is loaded here: the posteriors are those of the shipped files, and one pass over them gives
every number of every report.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fonoteka import manifest
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, write_json
from fonoteka.core.params import load
from fonoteka.pseudonyms import PrivacyParams, pseudonyms_of
from fonoteka.reporting.rounding import rounded
from fonoteka.tables import write_table
from stages.evaluation.evaluate.figure import picture
from stages.evaluation.evaluate.summary import (
    CONFUSION_COLUMNS,
    PHONE_COLUMNS,
    by_length,
    confusion,
    confusion_rows,
    grouped,
    int8_figures,
    most_frequent,
    phone_errors,
    phone_rows,
    reliability_rows,
    segment_figures,
    speakers_of,
)
from stages.evaluation.observation import (
    Observation,
    observe,
    open_posteriors,
    read_segments,
)

BY_NAME: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class EvaluateParams:
    """Section `evaluate`.

    Attributes:
        resamples: draws of the speakers for an interval.
        seed: of the draws.
        digits: decimals of a rate in the report.
        confidence_bins: of equal width, for the calibration error.
        lengths: longest utterance of each bin but the last, in phones.
        most_frequent: number of the most frequent errors that are listed per kind.
        dpi: of the picture.
    """

    resamples: int
    seed: int
    digits: int
    confidence_bins: int
    lengths: tuple[int, ...]
    most_frequent: int
    dpi: int

    def __post_init__(self) -> None:
        if not self.lengths or [*self.lengths] != sorted({n for n in self.lengths if n > 0}):
            raise UserError(
                f"evaluate.lengths must rise from above 0, found {list(self.lengths)}; "
                "change it in params.yaml"
            )


def summary(observations: list[Observation], params: EvaluateParams) -> dict[str, Any]:
    """Return rates, intervals and counts of utterances with a reference."""
    draws = params.resamples, params.seed
    return phone_errors(observations, *draws) | segment_figures(
        observations, params.confidence_bins, *draws
    )


def of_speaker(observations: list[Observation]) -> dict[str, Any]:
    """Return one speaker's rates, with the counts that a paired comparison draws from."""
    errors = sum(o.errors.wrong for o in observations)
    phones = sum(len(o.utterance.phones) for o in observations)
    segments = sum(len(o.labels) for o in observations)
    right = sum(int(o.right.sum()) for o in observations)
    return {
        "errors": errors, "per": errors / phones, "phones": phones,
        "segment_accuracy": right / segments if segments else None,
        "utterances": len(observations),
    }  # fmt: skip


def report(
    observations: list[Observation], params: EvaluateParams, names: Mapping[str, str] = BY_NAME
) -> dict[str, Any]:
    """Return the whole report: all, and by language, corpus, speaker and length.

    An utterance without a reference has no rate, so it is only counted.

    Args:
        observations: of the test part.
        params: section `evaluate`.
        names: speakers' pseudonyms; a speaker without one keeps the name.

    Raises:
        ValueError: no utterance has a reference.
    """
    spoken = [o for o in observations if o.utterance.phones]
    silent = [o for o in observations if not o.utterance.phones]
    if not spoken:
        raise UserError(f"none of {len(observations)} test utterances holds a phone")
    languages = grouped(spoken, lambda o: o.utterance.language)
    sources = grouped(spoken, lambda o: o.utterance.source)
    result = summary(spoken, params) | {
        "synthetic": any(o.utterance.synthetic for o in spoken),
        "languages": {name: summary(group, params) for name, group in languages.items()},
        "sources": {name: summary(group, params) for name, group in sources.items()},
        "by_speaker": {
            names.get(name, name): of_speaker(group)
            for name, group in speakers_of(spoken).items()
        },
        "lengths": by_length(spoken, params.lengths),
        "empty_references": {
            "utterances": len(silent), "insertions": sum(o.errors.insertions for o in silent),
        },
        "utterances_without_segments": sum(not len(o.labels) for o in spoken),
        "reliability": reliability_rows(spoken, params.confidence_bins),
        **most_frequent(spoken, params.most_frequent),
    }  # fmt: skip
    if spoken[0].int8_pairs is not None:
        result["int8"] = int8_figures(spoken, params.resamples, params.seed) | {
            "decoded_symbols": sum(o.decoded for o in observations),
            "decoded_symbols_changed": sum(o.int8_changed for o in observations),
        }
    rounded_result: dict[str, Any] = rounded(result, params.digits)
    return rounded_result


def sizes(exported: dict[str, Any]) -> dict[str, Any]:
    """Return parameters and bytes of the shipped files; None if a model has no such file."""
    parameters, files = exported["parameters"], exported["bytes"]
    return {
        "parameters": parameters.get("head"), "encoder_parameters": parameters.get("encoder"),
        "onnx_bytes": files.get("model"), "onnx_head_bytes": files.get("head"),
        "onnx_int8_bytes": files.get("model_int8"),
        "onnx_head_int8_bytes": files.get("head_int8"),
    }  # fmt: skip


@dataclass(frozen=True)
class EvaluateOutputs:
    """The files that the stage writes.

    Attributes:
        metrics: the report, JSON.
        phones: one row per phone, CSV.
        picture: the confusion matrix, PNG.
        confusion: one row per segment, CSV, as DVC's confusion plots read it.
    """

    metrics: Path
    phones: Path
    picture: Path
    confusion: Path


def run(
    name: str, posteriors: Path, test: Path, segments: Path, exported: Path, out: EvaluateOutputs,
    params: EvaluateParams, speakers: Path | None = None,
) -> None:  # fmt: skip
    """Score one model; with the table of all `speakers`, people get pseudonyms."""
    utterances = manifest.read(test)
    if not utterances:
        raise UserError(f"{test}: no utterance to test on")
    labelled = read_segments(segments, utterances)
    arrays = open_posteriors(posteriors)
    observations = list(observe(utterances, arrays, labelled.phones, place=str(posteriors)))
    people = {u.speaker for u in utterances if not u.synthetic}
    names = BY_NAME if speakers is None else pseudonyms_of(people, speakers)
    result = report(observations, params, names) | sizes(read_json(exported))
    result["segment_times"] = labelled.origins
    spoken = [o for o in observations if o.utterance.phones]
    table = [rounded(row, params.digits) for row in phone_rows(spoken)]
    write_table(out.phones, PHONE_COLUMNS, table)
    write_table(out.confusion, CONFUSION_COLUMNS, confusion_rows(spoken))
    speech = "synthetic speech" if result["synthetic"] else "real speech"
    picture(confusion(spoken), f"{name}, {speech}", out.picture, params.dpi)
    write_json(out.metrics, result)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="name of the model, for the figure's title")
    for name in ("posteriors", "test", "segments", "exported"):
        parser.add_argument(name, type=Path)
    for name in ("metrics", "phones", "picture", "confusion", "speakers"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    args = parser.parse_args()
    privacy = load("privacy", PrivacyParams)
    run(
        args.name, args.posteriors, args.test, args.segments, args.exported,
        EvaluateOutputs(args.metrics, args.phones, args.picture, args.confusion),
        load("evaluate", EvaluateParams), None if privacy.name_people else args.speakers,
    )  # fmt: skip
