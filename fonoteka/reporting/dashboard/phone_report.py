"""The numbers of reports/metrics/<name>.json in a dashboard, each with its key in the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.reporting.dashboard.clips import DashboardClips
from fonoteka.reporting.dashboard.group_rates import Draws, Entry, length_edges, rows_by
from fonoteka.scoring.error_rate import Errors

PHONES = "phones"
"""The one normalisation of phones."""
# Keys of a report that have an interval, and those that have none, with the label of each.
RATES = {
    "segment_accuracy": "segment accuracy", "top3": "top-3 accuracy",
    "balanced_accuracy": "balanced accuracy", "ece": "ECE",
}  # fmt: skip
COUNTS = {
    "utterances": "clips", "speakers": "speakers", "phones": "phones",
    "substitutions": "substitutions", "deletions": "deletions", "insertions": "insertions",
    "segments": "segments", "parameters": "parameters of the head",
    "encoder_parameters": "parameters of the encoder", "onnx_bytes": "bytes of the ONNX file",
    "onnx_int8_bytes": "bytes of the int8 file",
}  # fmt: skip


GROUPS = {
    "language": "languages", "speaker": "by_speaker", "source": "sources", "length": "lengths",
}  # fmt: skip


def check_counts(report: Mapping[str, Any], errors: Sequence[Errors], file: Path) -> None:
    """Raise if the clips and the report are not of one build.

    Raises:
        UserError: the report counts other errors or phones than the decoded clips have.
    """
    # A report leaves clips without a reference out of its rates.
    total = sum((own for own in errors if own.reference), Errors())
    counts = {
        "substitutions": total.substitutions, "deletions": total.deletions,
        "insertions": total.insertions, "phones": total.reference,
    }  # fmt: skip
    expected = {key: report[key] for key in counts}
    if counts != expected:
        raise UserError(
            f"{file}: counts {expected}, but the posteriors and test.jsonl give {counts}; the "
            "files are of two builds, run dvc repro"
        )


def report_entry(report: Mapping[str, Any], name: str) -> dict[str, Entry]:
    """Return the report's numbers of each language, speaker, source or length, by value."""
    bounds = name in ("language", "source")
    return {
        value: {"rate": own["per"], "units": own["phones"], "clips": own["utterances"]}
        | ({"low": own["per_low"], "high": own["per_high"]} if bounds else {})
        for value, own in report[GROUPS[name]].items()
    }


def extra_rows(report: Mapping[str, Any]) -> list[list[Any]]:
    """Return the further numbers of a report: label, value, interval, and key in the report."""
    rows = [
        [label, report[key], report[f"{key}_low"], report[f"{key}_high"], key]
        for key, label in RATES.items()
    ]
    if int8 := report.get("int8"):
        for key, label in (("per", "PER of the int8 file"), ("difference", "its difference")):
            rows.append([label, int8[key], int8[f"{key}_low"], int8[f"{key}_high"], f"int8.{key}"])
    rows += [[label, report.get(key), None, None, key] for key, label in COUNTS.items()]
    return [row for row in rows if row[1] is not None]


def phone_report(
    clips: DashboardClips, errors: Sequence[Errors], report: Mapping[str, Any], file: Path,
    draws: Draws,
) -> dict[str, Any]:  # fmt: skip
    """Return what the page shows of a report.

    Raises:
        UserError: the report names other speakers than the clips have.
    """
    speakers = {clips.speakers[index] for index, own in enumerate(errors) if own.reference}
    if speakers != set(report["by_speaker"]):
        odd = sorted(speakers ^ set(report["by_speaker"]))
        raise UserError(
            f"{file}: {len(odd)} speakers are in the report or the clips alone, first {odd[0]!r}; "
            "the files are of two builds or of two values of privacy.name_people, run dvc repro"
        )
    edges = length_edges(report["lengths"])
    entries = {name: report_entry(report, name) for name in GROUPS}
    rows = rows_by(clips, errors, edges, draws, entries)
    rate = {"value": report["per"], "low": report["per_low"], "high": report["per_high"]}
    return {
        "file": file.as_posix(),
        "rate": {PHONES: rate | {"key": "per"}},
        "extra": extra_rows(report),
        "by": {PHONES: rows},
        "ece": report["ece"],
        "reliability": [
            {
                "low": row["from"], "high": row["to"], "confidence": row["confidence"],
                "accuracy": row["accuracy"], "count": row["segments"],
            }
            for row in report["reliability"]
        ],
    }  # fmt: skip
