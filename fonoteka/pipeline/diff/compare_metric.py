"""Compare a number of a report with the same number at another revision.

`make gate` and `make diff` both use this module, so they cannot disagree on what is worse:

- a difference within the tolerance of params.yaml counts as the same;
- a difference whose 95 % interval contains 0 counts as the same, because it may change its sign
  with other test speakers;
- any other difference is better or worse, depending on the direction of the number.

The limit applies to the current value, whatever the base has. Numbers are compared in decimal, as
the reports contain them: 0.095 - 0.09 is not more than 0.005, but in binary arithmetic it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.pipeline.diff.significance import ConfidenceInterval, difference_interval

DIRECTIONS = ("lower", "higher")
BETTER, SAME, WORSE = "better", "same", "worse"
NEW, ALONE, UNDECIDED = "new", "alone", "undecided"

ReportReader = Callable[[str], Any]
"""Returns the parsed JSON of a path, or None if there is no such file."""


@dataclass(frozen=True)
class MetricSpec:
    """A number in a report, with its limit and tolerance.

    Attributes:
        file: the report, from the top of the repository.
        key: path of the number in the report, with dots between the names. `A - B` is the
            difference of two numbers, and each of them may start with another report and a colon.
        direction: which values are better, `lower` or `higher`.
        limit: the worst value that passes.
        tolerance: how much worse than at the base it may be.
    """

    file: str
    key: str
    direction: str
    limit: float
    tolerance: float

    def check(self, name: str) -> None:
        """Refuse values that are not possible; `name` is where the number is in params.yaml."""
        if self.direction not in DIRECTIONS:
            raise UserError(f"{name}.direction must be one of {DIRECTIONS}: {self.direction!r}")
        if not math.isfinite(self.limit):
            raise UserError(f"{name}.limit must be a finite number, found {self.limit}")
        if not (math.isfinite(self.tolerance) and self.tolerance >= 0):
            raise UserError(f"{name}.tolerance must be at least 0, found {self.tolerance}")
        for file, key in self.terms:
            if not key or Path(file).is_absolute() or ".." in Path(file).parts:
                raise UserError(
                    f"{name}: expected a report's path from the top of the repository and a key, "
                    f"found {file!r} and {key!r}"
                )

    @property
    def terms(self) -> list[tuple[str, str]]:
        """The report and the key of the number, or of both numbers of a difference."""
        parts = (term.strip().rpartition(":") for term in self.key.split(" - ", 1))
        return [(file or self.file, key) for file, _, key in parts]

    @property
    def sign(self) -> int:
        """1 if higher values are worse, else -1."""
        return 1 if self.direction == "lower" else -1

    def passes(self, value: Decimal) -> bool:
        """Return whether a value is within the limit."""
        return self.sign * (value - Decimal(str(self.limit))) <= 0


@dataclass(frozen=True)
class MetricComparison:
    """The comparison of a number with its limit and its base.

    Attributes:
        verdict: better, same or worse than at the base; new if the base does not have the number,
            alone if there is no base, undecided if one of the two values cannot be read.
        value, base: the current number and the one at the base, if they can be read.
        interval: the interval of value minus base, if the reports allow one.
        past_limit: whether the value is past its limit.
        reason: why it is worse, past its limit or undecided; else empty.
    """

    verdict: str
    value: Decimal | None = None
    base: Decimal | None = None
    interval: ConfidenceInterval | None = None
    past_limit: bool = False
    reason: str = ""


class AbsentError(UserError):
    """A report or a key is missing."""


class UndefinedError(UserError):
    """A report has null for a number, such as the latency of a model that detects nothing."""


def evaluate(
    spec: MetricSpec, current: ReportReader, base: ReportReader | None
) -> MetricComparison:
    """Compare a number with its limit and its base; one that cannot be read is undecided."""
    try:
        value = read(spec, current)
    except ValueError as error:
        return MetricComparison(UNDECIDED, reason=str(error))
    past_limit, reasons = not spec.passes(value), []
    # The limit comes first: it holds even if there is no base, or the base cannot be read.
    if past_limit:
        side = "above" if spec.sign > 0 else "below"
        limit = plain(Decimal(str(spec.limit)))
        reasons.append(f"{plain(value)} is {side} its limit {limit}")
    verdict, before, interval = ALONE, None, None
    if base is not None:
        try:
            before = read(spec, base)
            interval = _interval(spec, current, base)
        except AbsentError:
            verdict = NEW  # the limit alone decides
        except ValueError as error:
            reasons.append(f"at the base {error}")
            return MetricComparison(
                UNDECIDED, value, past_limit=past_limit, reason=" and ".join(reasons)
            )
    if before is not None:
        verdict = compare(value, before, spec, interval)
        if verdict == WORSE:
            reasons.append(_worse(value, before, spec, interval))
    return MetricComparison(verdict, value, before, interval, past_limit, " and ".join(reasons))


def compare(
    value: Decimal, base: Decimal, spec: MetricSpec, interval: ConfidenceInterval | None
) -> str:
    """Return better, same or worse.

    >>> spec = MetricSpec("a.json", "per", "lower", limit=1, tolerance=0.005)
    >>> compare(Decimal("0.095"), Decimal("0.09"), spec, None)
    'same'
    >>> compare(
    ...     Decimal("0.096"), Decimal("0.09"), spec, ConfidenceInterval(-0.001, 0.013, "paired")
    ... )
    'same'
    >>> compare(
    ...     Decimal("0.096"), Decimal("0.09"), spec, ConfidenceInterval(0.004, 0.008, "paired")
    ... )
    'worse'
    """
    worse_by = spec.sign * (value - base)
    if abs(worse_by) <= Decimal(str(spec.tolerance)):
        return SAME
    if interval and interval.low <= 0 <= interval.high:
        return SAME
    return WORSE if worse_by > 0 else BETTER


def _worse(
    value: Decimal, base: Decimal, spec: MetricSpec, interval: ConfidenceInterval | None
) -> str:
    text = (
        f"{plain(value)} is worse by {plain(spec.sign * (value - base))} than {plain(base)} at "
        f"the base, and the tolerance is {plain(Decimal(str(spec.tolerance)))}"
    )
    if interval:
        text += f" (95 % interval of the difference: {interval.text}, {interval.method})"
    return text


def _interval(
    spec: MetricSpec, current: ReportReader, base: ReportReader
) -> ConfidenceInterval | None:
    """Return the interval of value minus base; a number made of two numbers has none."""
    if len(spec.terms) > 1:
        return None
    ((file, key),) = spec.terms
    try:
        return difference_interval(key, current(file), base(file))
    except ValueError as error:
        raise UserError(f"{file}: {error}") from error


def read(spec: MetricSpec, report: ReportReader) -> Decimal:
    """Return a number, or the difference of two.

    Raises:
        AbsentError: the report or the key is missing.
        UndefinedError: it is null.
        UserError: it is not a finite number.
    """
    first, *rest = (number_in(report, file, key) for file, key in spec.terms)
    return first - rest[0] if rest else first


def number_in(report: ReportReader, file: str, key: str) -> Decimal:
    """Return a number of a report.

    Raises:
        AbsentError: the report or the key is missing.
        UndefinedError: it is null.
        UserError: it is not a finite number.
    """
    entry = report(file)
    if entry is None:
        raise AbsentError(f"{file}: no such report; run dvc repro")
    for name in key.split("."):
        if not isinstance(entry, dict) or name not in entry:
            has = f"there are {sorted(entry)}" if isinstance(entry, dict) else f"it is {entry!r}"
            raise AbsentError(f"{file}: no key {name!r} of {key!r}; {shortened(has)}")
        entry = entry[name]
    if entry is None:
        raise UndefinedError(f"{file}: {key} is null: nothing was measured for it")
    if isinstance(entry, bool) or not isinstance(entry, int | float):
        raise UserError(f"{file}: {key} is {shortened(repr(entry))} and not a number")
    if not (value := Decimal(str(entry))).is_finite():
        raise UserError(f"{file}: {key} is {entry} and not a finite number")
    return value


def shortened(text: str, max_length: int = 160) -> str:
    """Return a text with at most that many characters, so that it fits into a sentence.

    >>> shortened("abcdef", 3)
    'abc...'
    """
    return text if len(text) <= max_length else f"{text[:max_length]}..."


def plain(value: Decimal) -> str:
    """Return a number without an exponent and without trailing zeros.

    >>> plain(Decimal("0.0950")), plain(Decimal("8E+6")), plain(Decimal("-0.0"))
    ('0.095', '8000000', '0')
    """
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text
