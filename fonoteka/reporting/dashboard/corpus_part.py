"""The corpus of a dashboard: tables of reports/corpus.json, and histograms of the splits."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fonoteka.core.errors import UserError
from fonoteka.manifest import PARTS, Utterance
from fonoteka.reporting.dashboard.clips import DashboardClips

Splits = Mapping[str, Sequence[Utterance]]
Table = dict[str, Any]
COUNTS = {
    "utterances": "utterances", "speakers": "speakers", "hours": "hours",
    "synthetic_hours": "hours of synthetic speech", "phones": "phones", "sessions": "sessions",
    "with_phone_times": "utterances with phone times", "changed_copies": "changed copies",
}  # fmt: skip
MEASURES = {
    "duration_s": "duration, s", "level_dbfs": "RMS level, dBFS", "peak_dbfs": "peak, dBFS",
    "snr_db": "SNR (estimated), dB",
}  # fmt: skip
LANGUAGE_UNITS = ("utterances", "hours", "speakers")
QUANTILES = ("known", "unknown", "min", "p5", "median", "p95", "max")
REASONS = {
    "refused": "refused", "quarantined": "quarantined", "left_out_of_parts": "left out of splits",
    "dropped_in_preprocessing": "dropped in preprocessing",
}  # fmt: skip


def table(name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """Return a table; the first column names the rows."""
    return {"name": name, "columns": [*columns], "rows": [[*row] for row in rows]}


def corpus_tables(report: Mapping[str, Any]) -> list[Table]:
    """Return the numbers of reports/corpus.json as tables, without the counts of phones."""
    parts = {part: report["parts"][part] for part in PARTS if part in report["parts"]}
    lost = [["files", report["files"]], ["accepted", report["accepted"]]]
    for key, label in REASONS.items():
        lost += [[f"{label}: {reason}", count] for reason, count in sorted(report[key].items())]
    advice = [[each] for each in report["recommendations"]]
    return [
        table("Splits", ["", *parts], split_rows(parts)),
        language_table(parts),
        table("Measures", ["", *QUANTILES], measure_rows(parts)),
        table("Shared between splits", ["", "count"], sorted(report["leakage"].items())),
        table("Not in a split", ["", "clips"], lost),
        *([table("Recommendations", [""], advice)] if advice else []),
    ]


def split_rows(parts: Mapping[str, Any]) -> list[list[Any]]:
    """Return one row per count, one column per split."""
    rows = [[label, *(own.get(key) for own in parts.values())] for key, label in COUNTS.items()]
    for key, label in (("speakers_by_sex", "speakers, sex"), ("scripts", "utterances, script")):
        values = sorted({value for own in parts.values() for value in own[key]})
        rows += [
            [f"{label} {value}", *(own[key].get(value, 0) for own in parts.values())]
            for value in values
        ]
    return rows


def language_table(parts: Mapping[str, Any]) -> Table:
    """Return one row per language, with its utterances, hours and speakers in each split."""
    rows = [
        [code, *(
            own["languages"].get(code, {}).get(unit, 0)
            for own in parts.values() for unit in LANGUAGE_UNITS
        )]
        for code in languages_of(parts)
    ]  # fmt: skip
    columns = [f"{part} {unit}" for part in parts for unit in LANGUAGE_UNITS]
    return table("Languages", ["", *columns], rows)


def measure_rows(parts: Mapping[str, Any]) -> list[list[Any]]:
    """Return one row per measure and split, one column per quantile."""
    return [
        [f"{label}, {part}", *(own["measures"][key].get(name) for name in QUANTILES)]
        for key, label in MEASURES.items()
        for part, own in parts.items()
    ]


def languages_of(parts: Mapping[str, Any]) -> list[str]:
    """Return the languages of all splits, sorted."""
    return sorted({code for own in parts.values() for code in own["languages"]})


def licence_table(clips: DashboardClips) -> Table:
    """Return the licences of the test clips, with the clips that may be quoted and copied."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    rows = zip(clips.utterances, clips.shown, clips.licensed, strict=True)
    for u, shown, licensed in rows:
        counts[f"{u.source}: {u.licence}"].update(clips=1, texts=shown, audio=licensed)
    columns = ("clips", "texts", "audio")
    return table(
        "Licences of the test clips", ["", "clips", "texts may be shown", "audio may be copied"],
        [[name, *(own[column] for column in columns)] for name, own in sorted(counts.items())],
    )  # fmt: skip


def histogram(
    name: str, unit: str, values: Mapping[str, Sequence[float]], bins: int
) -> dict[str, Any] | None:
    """Return counts per bin of equal width, the same bins for all splits; None without a value.

    Args:
        name: of the histogram.
        unit: of the values; empty for counts, whose bins begin at whole numbers.
        values: of each split, finite.
        bins: at most so many.

    >>> histogram("phones", "", {"test": [1, 2, 2, 6]}, 3)["edges"]
    [1, 3, 5, 7]
    """
    everything = [value for own in values.values() for value in own]
    if not everything:
        return None
    low = math.floor(min(everything))
    # A bin of counts has whole edges and contains its lower edge alone, so the last lies above.
    top = max(everything) + (0 if unit else 1)
    step = max(top - low, 1e-9) / bins
    width = _readable_width(step) if unit else max(1, math.ceil(step))
    count = max(1, math.ceil((top - low) / width - 1e-9))
    edges = [round(low + width * number, 6) for number in range(count + 1)]
    return {
        "name": name, "unit": unit, "edges": edges,
        "counts": {
            part: np.histogram(own, edges)[0].tolist() for part, own in values.items()
        },
    }  # fmt: skip


def _readable_width(step: float) -> float:
    """Return the next larger of 1, 2 and 5 times a power of ten.

    >>> _readable_width(0.13), _readable_width(3.0)
    (0.2, 5.0)
    """
    power: float = 10.0 ** math.floor(math.log10(step))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= step - 1e-12)


def histograms(
    splits: Splits, measures: Mapping[str, Mapping[str, float]], bins: int
) -> list[dict[str, Any]]:
    """Return the histograms of the splits.

    Args:
        splits: the utterances of train, valid and test.
        measures: `snr_db` and `level_dbfs` of recordings, by id; a value can be missing.
        bins: at most so many per histogram.
    """
    values: list[tuple[str, str, Callable[[Utterance], float | None]]] = [
        ("duration of clips", "s", lambda u: u.duration_s),
        ("phones per clip", "", lambda u: len(u.phones)),
        ("words per clip", "", lambda u: len(u.normalized.split())),
        ("SNR (estimated)", "dB", lambda u: measures["snr_db"].get(u.id)),
        ("RMS level as recorded", "dBFS", lambda u: measures["level_dbfs"].get(u.id)),
    ]
    result = []
    for name, unit, value in values:
        by_split = {
            part: [x for u in rows if (x := value(u)) is not None] for part, rows in splits.items()
        }
        result.append(histogram(name, unit, by_split, bins))
    return [each for each in result if each is not None]


def bars(report: Mapping[str, Any], splits: Splits) -> list[dict[str, Any]]:
    """Return bar charts: phones and hours of the report, and minutes per speaker without names."""
    parts = {part: report["parts"][part] for part in PARTS if part in report["parts"]}
    phones = sorted(report["phones"], key=lambda phone: (-report["phones"][phone]["train"], phone))
    languages = languages_of(parts)
    minutes = {part: speaker_minutes(splits.get(part, ())) for part in parts}
    most = max(map(len, minutes.values()), default=0)
    return [
        {
            "name": "phones", "label": "phone", "labels": phones,
            "counts": {part: [report["phones"][p][part] for p in phones] for part in parts},
        },
        {
            "name": "hours per language", "label": "language", "labels": languages,
            "counts": {
                part: [own["languages"].get(code, {}).get("hours", 0) for code in languages]
                for part, own in parts.items()
            },
        },
        {
            "name": "minutes per speaker, longest first", "label": "speaker",
            "labels": [str(number + 1) for number in range(most)],
            "counts": {part: own + [0] * (most - len(own)) for part, own in minutes.items()},
        },
    ]  # fmt: skip


def speaker_minutes(rows: Sequence[Utterance]) -> list[float]:
    """Return the minutes of each speaker, longest first, without the names."""
    durations: dict[str, list[float]] = defaultdict(list)
    for u in rows:
        durations[u.speaker].append(u.duration_s)
    return sorted((round(math.fsum(own) / 60, 2) for own in durations.values()), reverse=True)


def corpus_part(
    report: Mapping[str, Any], file: Path, splits: Splits, clips: DashboardClips,
    measures: Mapping[str, Mapping[str, float]], bins: int,
) -> dict[str, Any]:  # fmt: skip
    """Return the corpus part of the document.

    Args:
        report: reports/corpus.json.
        file: its path.
        splits: the utterances of train, valid and test.
        clips: of the test split.
        measures: `snr_db` and `level_dbfs` of recordings, by id.
        bins: most bins of a histogram.

    Raises:
        UserError: the report counts other clips than the splits have.
    """
    for part, rows in splits.items():
        counted = report["parts"][part]["utterances"]
        if counted != len(rows):
            raise UserError(
                f"{file}: parts.{part}.utterances is {counted}, but the split has {len(rows)}; the "
                "files are of two builds, run dvc repro"
            )
    return {
        "file": file.as_posix(),
        "tables": [*corpus_tables(report), licence_table(clips)],
        "histograms": histograms(splits, measures, bins),
        "bars": bars(report, splits),
    }
