"""Ranges of swept values, and their distributions in Optuna."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from fonoteka.core.errors import UserError
from fonoteka.core.params import build

DIGITS = 3
"""Significant digits of a suggested float: more would not be read, and no training needs them."""


@dataclass(frozen=True)
class FloatRange:
    """A number from `low` to `high`, uniform or, with `log`, uniform in its logarithm."""

    low: float
    high: float
    log: bool

    def distribution(self) -> BaseDistribution:
        """Return Optuna's distribution."""
        return FloatDistribution(self.low, self.high, log=self.log)

    def value(self, suggested: Any) -> float:
        """Return a suggestion with `DIGITS` significant digits, within the range."""
        return min(self.high, max(self.low, float(f"{suggested:.{DIGITS}g}")))

    def encoded(self, value: Any) -> Any:
        """Return a value as Optuna stores it."""
        return value


@dataclass(frozen=True)
class IntRange:
    """A whole number from `low` to `high`, both included."""

    low: int
    high: int
    log: bool

    def distribution(self) -> BaseDistribution:
        """Return Optuna's distribution."""
        return IntDistribution(self.low, self.high, log=self.log)

    def value(self, suggested: Any) -> int:
        """Return a suggestion as it is."""
        return int(suggested)

    def encoded(self, value: Any) -> Any:
        """Return a value as Optuna stores it."""
        return value


@dataclass(frozen=True)
class ChoiceRange:
    """One of some YAML values, lists included, in no order.

    Optuna takes plain values alone, so it is given their JSON.
    """

    choices: tuple[Any, ...]

    def distribution(self) -> BaseDistribution:
        """Return Optuna's distribution."""
        return CategoricalDistribution([json.dumps(choice) for choice in self.choices])

    def value(self, suggested: Any) -> Any:
        """Return the value whose JSON was suggested."""
        return json.loads(suggested)

    def encoded(self, value: Any) -> Any:
        """Return a value as Optuna stores it."""
        return json.dumps(value)


Range = FloatRange | IntRange | ChoiceRange


def _numbers(target: type[FloatRange] | type[IntRange]) -> Callable[[Mapping[str, Any], str], Any]:
    def read(values: Mapping[str, Any], place: str) -> Any:
        limits = build(values, target, place)
        if limits.low >= limits.high:
            raise UserError(
                f"{place}: low {limits.low} is not below high {limits.high}; widen the range, or "
                "set one value under fixed"
            )
        if limits.log and limits.low <= 0:
            raise UserError(f"{place}: low {limits.low} has no logarithm; use log: false")
        return limits

    return read


def _choices(values: Mapping[str, Any], place: str) -> ChoiceRange:
    if set(values) != {"choices"} or not isinstance(values["choices"], list):
        raise UserError(f"{place}: expected kind and a list of choices, found {sorted(values)}")
    choices = tuple(values["choices"])
    if len({json.dumps(choice) for choice in choices}) < max(2, len(choices)):
        raise UserError(f"{place}: expected two or more different choices, found {list(choices)}")
    return ChoiceRange(choices)


KINDS: Mapping[str, Callable[[Mapping[str, Any], str], Any]] = MappingProxyType(
    {"categorical": _choices, "float": _numbers(FloatRange), "int": _numbers(IntRange)}
)


def read_range(values: Any, place: str) -> Range:
    """Return the range that a mapping describes; errors begin with `place`.

    Raises:
        UserError: the kind is unknown, a key is missing or unknown, or the range is impossible.

    >>> read_range({"kind": "int", "low": 1, "high": 9, "log": False}, "a.yaml: ctc.epochs")
    IntRange(low=1, high=9, log=False)
    """
    if not isinstance(values, Mapping) or values.get("kind") not in KINDS:
        kind = values.get("kind") if isinstance(values, Mapping) else values
        raise UserError(f"{place}: kind {kind!r} is not one of {', '.join(KINDS)}")
    rest = {key: value for key, value in values.items() if key != "kind"}
    space_range: Range = KINDS[values["kind"]](rest, place)
    return space_range
