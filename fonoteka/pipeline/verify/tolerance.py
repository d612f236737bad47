"""Check whether the numbers of rebuilt reports are within their tolerances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from fonoteka.pipeline.diff.compare_metric import (
    MetricSpec,
    ReportReader,
    UndefinedError,
    plain,
    read,
)


@dataclass(frozen=True)
class NumberComparison:
    """A number of a report before and after a rebuild, with its tolerance.

    Attributes:
        name: as in params.yaml.
        wanted, got: in the unit of the number; None if the report has null.
        tolerance: in the unit of the number.
    """

    name: str
    wanted: Decimal | None
    got: Decimal | None
    tolerance: Decimal

    @property
    def same(self) -> bool:
        """Whether they differ by at most the tolerance, in either direction, or are both null."""
        if self.wanted is None or self.got is None:
            return self.wanted is self.got
        return abs(self.got - self.wanted) <= self.tolerance

    def __str__(self) -> str:
        return (
            f"{self.name}: {_text(self.wanted)} in git, {_text(self.got)} rebuilt, and the "
            f"tolerance is {plain(self.tolerance)}"
        )


def _text(value: Decimal | None) -> str:
    return "null" if value is None else plain(value)


def compare_numbers(
    numbers: Mapping[str, MetricSpec],
    paths: Iterable[str],
    before: ReportReader,
    after: ReportReader,
) -> list[NumberComparison]:
    """Compare the numbers whose reports were rebuilt.

    Args:
        numbers: with their tolerances, by name.
        paths: the outputs that were rebuilt.
        before: returns the reports of the last commit.
        after: returns the rebuilt reports.

    Raises:
        UserError: a number cannot be read.
    """
    rebuilt = set(paths)
    return [
        NumberComparison(
            name, _read(spec, before), _read(spec, after), Decimal(str(spec.tolerance))
        )
        for name, spec in sorted(numbers.items())
        if all(file in rebuilt for file, _ in spec.terms)
    ]


def _read(spec: MetricSpec, report: ReportReader) -> Decimal | None:
    # null is a result too: models that are trained for one epoch, as in the profile `small`, may
    # never detect speech, and then have no latency.
    try:
        return read(spec, report)
    except UndefinedError:
        return None
