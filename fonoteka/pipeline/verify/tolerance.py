"""Check whether the numbers of rebuilt reports are within their tolerances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from fonoteka.pipeline.diff.compare_metric import MetricSpec, ReportReader, plain, read


@dataclass(frozen=True)
class NumberComparison:
    """A number of a report before and after a rebuild, with its tolerance.

    Attributes:
        name: as in params.yaml.
        wanted, got, tolerance: in the unit of the number.
    """

    name: str
    wanted: Decimal
    got: Decimal
    tolerance: Decimal

    @property
    def same(self) -> bool:
        """Whether the two differ by no more than the tolerance, in either direction."""
        return abs(self.got - self.wanted) <= self.tolerance

    def __str__(self) -> str:
        return (
            f"{self.name}: {plain(self.wanted)} in git, {plain(self.got)} rebuilt, and the "
            f"tolerance is {plain(self.tolerance)}"
        )


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
        NumberComparison(name, read(spec, before), read(spec, after), Decimal(str(spec.tolerance)))
        for name, spec in sorted(numbers.items())
        if all(file in rebuilt for file, _ in spec.terms)
    ]
