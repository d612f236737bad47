"""The comparison of prefix beam search with the best path as a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fonoteka.reporting.markdown import table
from fonoteka.reporting.shares import percent


def beam_table(report: Mapping[str, Any]) -> str:
    """Return the error rates of the best path, the beam and the streamed beam of each model.

    Args:
        report: of the stage evaluate_beam.
    """
    header = [
        "model", "PER, best path", "PER, beam", "difference in points", "shipped",
        "PER, streamed beam", "commit lag: median", "p90", "width", "LM weight", "per phone",
    ]  # fmt: skip
    return table(header, [row_of(name, row) for name, row in sorted(report["models"].items())])


def row_of(name: str, row: Mapping[str, Any]) -> list[object]:
    """Return the cells of one model."""
    lag, chosen = row["stream"]["commit_lag_ms"], row["chosen"]
    return [
        name, percent(row["greedy"]["per"]), percent(row["beam"]["per"]),
        points_with_interval(row["beam"]), "yes" if row["beam"]["shipped"] else "no",
        percent(row["stream"]["per"]), _ms(lag["p50"]), _ms(lag["p90"]), chosen["width"],
        f"{chosen['lm_weight']:g}", f"{chosen['insertion']:+g}",
    ]  # fmt: skip


def points_with_interval(row: Mapping[str, Any]) -> str:
    """Return a difference of two rates in percentage points, with its interval.

    >>> points_with_interval({"difference": -0.0123, "difference_low": -0.02,
    ...                       "difference_high": -0.004})
    '-1.23 (-2.00 to -0.40)'
    >>> points_with_interval({"difference": 0.0, "difference_low": None, "difference_high": None})
    '+0.00'
    """
    low, high = row["difference_low"], row["difference_high"]
    bounds = "" if low is None or high is None else f" ({_points(low)} to {_points(high)})"
    return f"{_points(row['difference'])}{bounds}"


def _points(share: float) -> str:
    return f"{round(100 * share, 2) + 0.0:+.2f}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"
