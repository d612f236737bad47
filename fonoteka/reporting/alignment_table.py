"""The error of placed phones and words as a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fonoteka.reporting.markdown import table
from fonoteka.reporting.shares import percent

METHODS = {
    "aligner": "aligner",
    "aligner_with_priors": "aligner with label priors",
    "plain_ctc": "plain CTC path",
}


def alignment_table(error: Mapping[str, Any]) -> str:
    """Return the start errors of each method, and those of phones per language.

    Args:
        error: `start_error` of reports/alignment.json, of at least one clip.
    """
    languages = [group for group in error["aligner"] if group != "all"]
    header = [
        "method", "phone start: median", "p90", "word start: median", "p90", "within 50 ms",
        *(f"phone median {code}" for code in languages),
    ]  # fmt: skip
    rows = []
    for method, title in METHODS.items():
        groups = error[method]
        phone, word = groups["all"]["phone_start"], groups["all"]["word_start"]
        rows.append([
            title, *map(_ms, (phone["median_ms"], phone["p90_ms"])),
            *map(_ms, (word["median_ms"], word["p90_ms"])), percent(word["within_50_ms"]),
            *(_ms(groups[code]["phone_start"]["median_ms"]) for code in languages),
        ])  # fmt: skip
    return table(header, rows)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"
