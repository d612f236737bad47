"""The comparison of a fine-tuned Whisper with its base as a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fonoteka.reporting.markdown import table
from fonoteka.reporting.shares import percent

ROWS = (
    ("base", "base"),
    ("tuned", "tuned_on_the_clips_of_the_base"),
    ("tuned, all clips", "tuned"),
)
"""Names of rows, and the keys of reports/words/<run>.json; the first two are on the same clips."""


def word_table(report: Mapping[str, Any]) -> str:
    """Return the canonical WER of each language with intervals, the WER as written, and the CER.

    Args:
        report: of the stage evaluate_whisper. If the base has decoded all clips, the last two rows
            would be equal, and there is one.
    """
    languages = list(report["base"]["languages"])
    header = ["model", "clips", *(f"WER {code}" for code in languages), "WER", "WER as written",
              "CER"]  # fmt: skip
    same = report["tuned"]["clips"] == report["base"]["clips"]
    rows = [row_of(name, report[key], languages) for name, key in (ROWS[:2] if same else ROWS)]
    return table(header, rows)


def row_of(name: str, scores: Mapping[str, Any], languages: list[str]) -> list[object]:
    """Return the cells of one model."""
    canonical = [scores["languages"][code]["wer"]["canonical"] for code in languages]
    return [
        name, scores["clips"], *map(with_interval, [*canonical, scores["wer"]["canonical"]]),
        percent(scores["wer"]["as_written"]["rate"]), percent(scores["cer"]["canonical"]["rate"]),
    ]  # fmt: skip


def difference_sentence(report: Mapping[str, Any]) -> str:
    """Return the paired difference of the canonical WER as a sentence; below 0 tuning helped."""
    own = report["tuned_minus_base"]["wer"]["canonical"]
    text = f"WER of {report['run']} minus WER of its base, on the same clips: "
    text += f"{100 * own['difference']:+.1f} percentage points"
    if own["low"] is None:
        return f"{text} (one speaker: no interval)."
    bounds = f"{100 * own['low']:+.1f} to {100 * own['high']:+.1f}"
    return f"{text} (95 % CI: {bounds})."


def with_interval(rate: Mapping[str, float | None]) -> str:
    """Return a rate with its interval.

    >>> with_interval({"rate": 0.1234, "low": 0.1, "high": 0.15})
    '12.3 % (10.0-15.0)'
    >>> with_interval({"rate": 0.1234, "low": None, "high": None})
    '12.3 %'
    """
    low, high = rate["low"], rate["high"]
    bounds = "" if low is None or high is None else f" ({100 * low:.1f}-{100 * high:.1f})"
    return f"{percent(rate['rate'])}{bounds}"
