"""The phones of a dashboard: what each recogniser decoded, beside the numbers of its report.

Posteriors are decoded and aligned by `fonoteka.scoring`, as the stage `evaluate` does it, and the
counts are compared with the report: a page whose clips and numbers are of two builds is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.core.errors import UserError
from fonoteka.phones import INVENTORY
from fonoteka.reporting.dashboard.clips import TIE_BREAK, DashboardClips, count_columns, ops_of
from fonoteka.reporting.dashboard.curves import curves_of
from fonoteka.reporting.dashboard.group_rates import Draws
from fonoteka.reporting.dashboard.phone_report import PHONES, check_counts, phone_report
from fonoteka.scoring.decoding import DecodedSegment, greedy
from fonoteka.scoring.error_rate import Errors, aligned, count_errors
from fonoteka.shards import open_arrays

_SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%()*+,-./:;=?@[]^_{|}~"
CODES: Mapping[str, str] = dict(zip(INVENTORY, _SIGNS, strict=False))
"""One character per phone: a text of phones is then a string, 2 bytes per phone shorter in JSON."""


@dataclass(frozen=True)
class DecodedClips:
    """What one recogniser decoded.

    Attributes:
        hypotheses: codes of the phones of each clip; `n`.
        ops: the alignment of each with its reference; `n`, None for a clip without a reference.
        errors: of each; `n`.
        confidence: mean over the decoded phones of the highest posterior; None without a phone.
        pairs: how often each reference phone was decoded as each phone.
    """

    hypotheses: list[str]
    ops: list[str | None]
    errors: list[Errors]
    confidence: list[float | None]
    pairs: Counter[tuple[str, str]]


def coded(phones: Sequence[str]) -> str:
    """Return phones as codes.

    >>> coded(["a", "b"])
    'AB'
    """
    return "".join(CODES[phone] for phone in phones)


def mean_confidence(
    log_probs: NDArray[np.float32], phones: Sequence[DecodedSegment]
) -> float | None:
    """Return the mean over the decoded phones of each one's highest posterior; None without any.

    Args:
        log_probs: log posteriors of a clip, `[T, V]`.
        phones: decoded from them.

    >>> best = np.log(np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]], dtype="f4"))
    >>> mean_confidence(best, [DecodedSegment("a", 1, 3)]), mean_confidence(best, [])
    (0.8, None)
    """
    peaks = log_probs.max(axis=1)
    confidences = [float(peaks[phone.start : phone.end].max()) for phone in phones]
    return round(min(float(np.exp(confidences).mean()), 1.0), 3) if confidences else None


def decode_clips(clips: DashboardClips, folder: Path) -> DecodedClips:
    """Return what the posteriors in a folder decode to.

    Raises:
        UserError: posteriors of a clip are missing, NaN or of other labels.
    """
    arrays = open_arrays(folder, [u.id for u in clips.utterances])
    decoded = DecodedClips([], [], [], [], Counter())
    for u in clips.utterances:
        try:
            segments = greedy(arrays[u.id])
        except UserError as error:
            raise UserError(f"{folder}: {u.id!r}: {error}") from error
        add_clip(decoded, u.phones, [segment.symbol for segment in segments])
        decoded.confidence.append(mean_confidence(arrays[u.id], segments))
    return decoded


def add_clip(decoded: DecodedClips, reference: Sequence[str], hypothesis: Sequence[str]) -> None:
    """Add the alignment and the errors of a clip to those of the clips before it."""
    pairs = aligned(reference, hypothesis)
    decoded.hypotheses.append(coded(hypothesis))
    decoded.ops.append(ops_of(pairs) if reference else None)
    decoded.errors.append(count_errors(pairs))
    decoded.pairs.update((left, right) for left, right in pairs if left and right)


def confusion(pairs: Mapping[tuple[str, str], int]) -> dict[str, Any]:
    """Return how often each reference phone was decoded as each phone; the diagonal is hits."""
    labels = [phone for phone in INVENTORY if any(phone in pair for pair in pairs)]
    counts = [[pairs.get((row, column), 0) for column in labels] for row in labels]
    return {"rows": labels, "columns": labels, "counts": counts}


def phone_model(
    name: str, clips: DashboardClips, decoded: DecodedClips, report: Mapping[str, Any],
    file: Path, curves: Path, draws: Draws,
) -> dict[str, Any]:  # fmt: skip
    """Return a recogniser's part of the document.

    Args:
        name: of the model.
        clips: of the test split.
        decoded: what the model decoded.
        report: its report.
        file: of the report.
        curves: folder with the model's curves; a model that was not trained has none.
        draws: for intervals that the report does not have.

    Raises:
        UserError: the report is of another build.
    """
    check_counts(report, decoded.errors, file)
    return {
        "name": name,
        "hypotheses": {PHONES: clips.quoted(decoded.hypotheses)},
        "ops": {PHONES: clips.quoted(decoded.ops)},
        **count_columns(PHONES, decoded.errors),
        "confidence": decoded.confidence,
        "report": phone_report(clips, decoded.errors, report, file, draws),
        "confusion": confusion(decoded.pairs),
        "confusion_note": "Substitutions in all clips, counted by the stage dashboard; a click "
        "lists those with shown texts.",
        "curves": curves_of(curves, "epoch"),
    }


def phone_task(
    clips: DashboardClips, models: Sequence[Mapping[str, Any]], comparison: Mapping[str, Any],
    file: Path,
) -> dict[str, Any]:  # fmt: skip
    """Return the task of recognising phones.

    Args:
        clips: of the test split.
        models: as `phone_model` returns them.
        comparison: reports/comparison.json.
        file: its path.

    Raises:
        UserError: the comparison is of another build than the reports of the models.
    """
    names = {model["name"] for model in models}
    for model in models:
        name, rate = model["name"], model["report"]["rate"][PHONES]["value"]
        compared = comparison["models"].get(name, {}).get("per")
        if compared != rate:
            raise UserError(
                f"{file}: models.{name}.per is {compared}, but {model['report']['file']} has "
                f"{rate}; the files are of two builds, run dvc repro"
            )
    references = [coded(u.phones) or None for u in clips.utterances]
    pairs = [
        {
            "a": row["ours"], "b": row["theirs"], "normalisation": PHONES,
            "difference": row["difference"], "low": row["difference_low"],
            "high": row["difference_high"], "better_draws": row["better_draws"],
            "file": file.as_posix(), "key": f"paired.{number}",
        }
        for number, row in enumerate(comparison["paired"])
        if {row["ours"], row["theirs"]} <= names
    ]  # fmt: skip
    return {
        "name": "phones", "unit": "phone", "rate": "PER",
        "tie_break": TIE_BREAK,
        "alphabet": {"labels": [*INVENTORY], "codes": coded(INVENTORY)},
        "normalisations": [PHONES],
        "references": {PHONES: clips.quoted(references)},
        "units": {PHONES: [len(u.phones) for u in clips.utterances]},
        "models": [*models],
        "pairs": pairs,
    }  # fmt: skip
