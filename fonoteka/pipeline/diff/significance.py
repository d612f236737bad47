"""Say what of a difference between two revisions' reports is chance: another draw of voices.

A report holds an interval of each rate, and two wide intervals that overlap say little: what makes
a voice hard makes it hard for both models. So, in this order:

- *paired*, for the phone error rate and the segment accuracy: reports hold each speaker's counts,
  so where both were tested on the same speakers with as many phones, both meet the same draws of
  them, and the difference is what is drawn. This is the interval to trust.
- *apart*, for any number with an interval on both sides: the interval of the difference from the
  two, as if they were independent (Newcombe's method 10; Zou and Donner's MOVER). Where the test
  part changed that is what can be said. Where it didn't the two rise and fall together, so this
  interval is too wide: it may miss a difference, and doesn't make one up.
- none, for a number without an interval: its tolerance alone says what counts.

None of them knows of what another seed of the training would change; tolerances are for that.

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
# Not from params.yaml, which a branch may change: what is chance is the same on both sides of it.
RESAMPLES, SEED = 2000, 1


@dataclass(frozen=True)
class Chance:
    """A 95 % interval of the number here minus the number at the base, and how it was found."""

    low: float
    high: float
    how: str

    @property
    def said(self) -> str:
        """The interval as a person reads it.

        >>> Chance(-0.00412, 0.0, "paired").said
        '-0.0041 to 0'
        """
        low, high = (
            f"{round(bound, 4) + 0.0:.4f}".rstrip("0").rstrip(".")  # + 0.0: there is no -0
            for bound in (self.low, self.high)
        )
        return f"{low} to {high}"


def chance(key: str, here: Any, base: Any) -> Chance | None:
    """Return the interval of a number's difference, or None where the reports don't allow one.

    Args:
        key: names on the way to the number, with dots between them; both reports have it.
        here: the whole report as it is.
        base: the same at the base.

    Raises:
        ValueError: counts or bounds are there and are no numbers.
    """
    *above, name = key.split(".")
    for step in above:
        here, base = here[step], base[step]
    return _paired(name, here, base) or _apart(name, here, base)


def _paired(name: str, here: Mapping[str, Any], base: Mapping[str, Any]) -> Chance | None:
    """Return the interval over draws of speakers that both sides share, if all are shared."""
    ours, theirs = _counts(name, here), _counts(name, base)
    if not ours or not theirs or len(ours) < 2:
        return None
    if {s: of for s, (_, of) in ours.items()} != {s: of for s, (_, of) in theirs.items()}:
        return None
    table = np.array([(ours[s][0], theirs[s][0], ours[s][1]) for s in sorted(ours)], np.float64)
    found = bootstrap_of(table, _difference, RESAMPLES, SEED)
    assert found.low is not None
    assert found.high is not None
    return Chance(found.low, found.high, PAIRED)


def _difference(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    difference: NDArray[np.float64] = (sums[..., 0] - sums[..., 1]) / sums[..., 2]
    return difference


def _counts(name: str, report: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Return for each speaker what a rate counts and of how many; empty where that isn't told.

    Right segments are not counted in reports, but where there are as many segments as phones every
    phone has one, and a speaker's accuracy times its phones is their number.
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
    found = {}
    for speaker, (what, of) in counts.items():
        what, of = _number(what, f"by_speaker.{speaker}"), _number(of, f"by_speaker.{speaker}")
        if of > 0:
            found[speaker] = (what if name == "per" else what * of, of)
    return found


def _apart(name: str, here: Mapping[str, Any], base: Mapping[str, Any]) -> Chance | None:
    """Return the interval of the difference of two numbers that were measured apart.

    With values v, bounds l and u, and 0 for the base, the difference d = v - v0 reaches from
    d - sqrt((v - l)^2 + (u0 - v0)^2) to d + sqrt((u - v)^2 + (v0 - l0)^2).
    """
    sides = []
    for report in (here, base):
        bounds = [report.get(f"{name}{end}") for end in ("", "_low", "_high")]
        if None in bounds:
            return None
        sides.append([_number(bound, f"{name}_low or _high") for bound in bounds])
    (value, low, high), (before, before_low, before_high) = sides
    difference = value - before
    return Chance(
        difference - math.hypot(value - low, before_high - before),
        difference + math.hypot(high - value, before - before_low),
        APART,
    )


def _number(found: Any, where: str) -> float:
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        raise UserError(f"{where}: expected a number, found {found!r}")
    return float(found)
