"""Check whether the numbers of rebuilt reports are within their tolerances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from fonoteka.pipeline.diff.compare_metric import MetricSpec, ReportReader, plain, read


@dataclass(frozen=True)
class Kept:
    """A number of a report before and after, and whether it is within its tolerance.

    Attributes:
        name: as in params.yaml.
        wanted, got, tolerance: in the number's own unit.
    """

    name: str
    wanted: Decimal
    got: Decimal
    tolerance: Decimal

    @property
    def same(self) -> bool:
        """Whether the two differ by no more than the tolerance, in whichever direction."""
        return abs(self.got - self.wanted) <= self.tolerance

    def __str__(self) -> str:
        return (
            f"{self.name}: {plain(self.wanted)} in git, {plain(self.got)} rebuilt, and "
            f"{plain(self.tolerance)} is tolerated"
        )


def held(
    numbers: Mapping[str, MetricSpec], paths: Iterable[str], there: ReportReader, here: ReportReader
) -> list[Kept]:
    """Return those numbers whose reports were rebuilt.

    Args:
        numbers: with their tolerances.
        paths: what was rebuilt.
        there: gives the reports as they were.
        here: gives the reports as they are now.

    Raises:
        ValueError: a number can't be read.
    """
    rebuilt = set(paths)
    return [
        Kept(name, read(asked, there), read(asked, here), Decimal(str(asked.tolerance)))
        for name, asked in sorted(numbers.items())
        if all(file in rebuilt for file, _ in asked.terms)
    ]
