"""Compute the 95 % interval of a difference between the reports of two revisions.

Reports contain an interval of each rate. Two wide intervals that overlap show little, because a
voice that is difficult for one model is difficult for the other too. So, in this order:

- *paired*, for the phone error rate and the segment accuracy: reports contain the counts of each
  speaker. If both sides were tested on the same speakers with as many phones, the bootstrap draws
  the same speakers for both, and resamples the difference. This is the most reliable interval.
- *apart*, for any number with an interval on both sides: the interval of the difference from these
  two intervals, as if they were independent (Newcombe's method 10; Zou and Donner's MOVER). If the
  test split is the same, the two numbers are correlated and this interval is too wide: it may miss
  a difference, but it does not invent one.
- none, for a number without an interval: its tolerance alone decides.

None of them includes the variation with the seed of the training; tolerances cover that.

Source: Bisani and Ney 2004, "Bootstrap estimates for confidence intervals in ASR"; Newcombe 1998,
"Interval estimation for the difference between independent proportions"; Zou and Donner 2008,
"Construction of confidence limits about effect measures".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.core.errors import UserError
from fonoteka.scoring.error_rate import bootstrap_of

PAIRED, APART = "paired", "apart"
# Not from params.yaml, which a branch may change: both sides need the same resampling.
RESAMPLES, SEED = 2000, 1


@dataclass(frozen=True)
class ConfidenceInterval:
    """A 95 % interval of the current number minus the base's, and its method: paired or apart."""

    low: float
    high: float
    method: str

    @property
    def text(self) -> str:
        """The interval with at most four decimals.

        >>> ConfidenceInterval(-0.00412, 0.0, "paired").text
        '-0.0041 to 0'
        """
        low, high = (
            f"{round(bound, 4) + 0.0:.4f}".rstrip("0").rstrip(".")  # + 0.0 turns -0.0 into 0.0
            for bound in (self.low, self.high)
        )
        return f"{low} to {high}"


def difference_interval(key: str, current: Any, base: Any) -> ConfidenceInterval | None:
    """Return the interval of a number's difference, or None if the reports do not allow one.

    Args:
        key: path of the number, with dots between the names; both reports have it.
        current: the whole current report.
        base: the whole report at the base.

    Raises:
        UserError: counts or bounds are present and are not numbers.
    """
    *parents, name = key.split(".")
    for parent in parents:
        current, base = current[parent], base[parent]
    return _paired(name, current, base) or _independent(name, current, base)


def _paired(
    name: str, current: Mapping[str, Any], base: Mapping[str, Any]
) -> ConfidenceInterval | None:
    """Return the paired bootstrap interval, or None unless both sides have the same speakers."""
    ours, theirs = _counts(name, current), _counts(name, base)
    if not ours or not theirs or len(ours) < 2:
        return None
    if {s: n for s, (_, n) in ours.items()} != {s: n for s, (_, n) in theirs.items()}:
        return None
    table = np.array([(ours[s][0], theirs[s][0], ours[s][1]) for s in sorted(ours)], np.float64)
    interval = bootstrap_of(table, _difference, RESAMPLES, SEED)
    assert interval.low is not None
    assert interval.high is not None
    return ConfidenceInterval(interval.low, interval.high, PAIRED)


def _difference(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    difference: NDArray[np.float64] = (sums[..., 0] - sums[..., 1]) / sums[..., 2]
    return difference


def _counts(name: str, report: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Return numerator and denominator of a rate per speaker; empty if the report lacks them.

    Reports do not count correct segments. If there are as many segments as phones, every phone has
    one, and the accuracy of a speaker times its phones is the number of correct segments.
    """
    speakers = report.get("by_speaker") or {}
    if name == "per":
        counts = {s: (row.get("errors"), row.get("phones")) for s, row in speakers.items()}
    elif name == "segment_accuracy" and report.get("segments", 0) == report.get("phones"):
        counts = {s: (row.get(name), row.get("phones")) for s, row in speakers.items()}
    else:
        return {}
    if any(None in pair for pair in counts.values()):
        return {}  # a speaker without a rate, or a report from before speakers were counted
    pairs = {}
    for speaker, cells in counts.items():
        value, phones = (_number(cell, f"by_speaker.{speaker}") for cell in cells)
        if phones > 0:
            pairs[speaker] = (value if name == "per" else value * phones, phones)
    return pairs


def _independent(
    name: str, current: Mapping[str, Any], base: Mapping[str, Any]
) -> ConfidenceInterval | None:
    """Return the interval of the difference of two numbers, as if they were independent.

    With values v, bounds l and u, and index 0 for the base, the interval of d = v - v0 is from
    d - sqrt((v - l)^2 + (u0 - v0)^2) to d + sqrt((u - v)^2 + (v0 - l0)^2).
    """
    sides = []
    for report in (current, base):
        bounds = [report.get(f"{name}{end}") for end in ("", "_low", "_high")]
        if None in bounds:
            return None
        sides.append([_number(bound, f"{name}_low or _high") for bound in bounds])
    (value, low, high), (before, before_low, before_high) = sides
    difference = value - before
    return ConfidenceInterval(
        difference - math.hypot(value - low, before_high - before),
        difference + math.hypot(high - value, before - before_low),
        APART,
    )


def _number(cell: Any, name: str) -> float:
    if isinstance(cell, bool) or not isinstance(cell, int | float) or not math.isfinite(cell):
        raise UserError(f"{name}: expected a number, found {cell!r}")
    return float(cell)
