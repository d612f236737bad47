"""Shapes of nested lists, and sentences about those that are not as they must be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fonoteka.core.errors import UserError

FLOAT32_MAX = 3.4028235677973366e38
"""From here on a number rounds to infinity: the largest float32 and half a step more."""

DEEPEST = 5
"""No weights of RTNeural have more axes."""


@dataclass(frozen=True)
class Fed:
    """How many numbers a layer is given, None where that is not known, and who says so."""

    size: int | None
    source: str

    def __str__(self) -> str:
        return f"{self.size} inputs (from {self.source})"


@dataclass(frozen=True)
class Said:
    """A sentence about a place in a file; where it is no fault, it is a note."""

    where: str
    message: str
    fault: bool = True


def whole(value: Any) -> bool:
    """Return whether a value is a whole number of at least 1; 2.0 is one to RTNeural too.

    >>> whole(2), whole(2.0), whole(0), whole(True), whole(None)
    (True, True, False, False, False)
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return bool(number and 1 <= value < 2**31 and value == int(value))


def extent(value: Any, deepest: int = DEEPEST) -> tuple[int, ...]:
    """Return the shape of a nested list.

    Raises:
        ValueError: its rows differ in length, or something in it is no number of float32.

    >>> extent([[1, 2.5], [3, 4]]), extent(7)
    ((2, 2), ())
    """
    if isinstance(value, list):
        if not deepest:
            raise UserError("its lists are nested too deep")
        inner = {extent(item, deepest - 1) for item in value}
        if len(inner) > 1:
            raise UserError("its rows are of different lengths")
        return (len(value), *(inner.pop() if inner else ()))
    if isinstance(value, bool) or not isinstance(value, int | float):
        kind = "null" if value is None else type(value).__name__
        raise UserError(f"it holds {kind} where a number should be")
    if not abs(value) < FLOAT32_MAX:
        raise UserError(f"it holds {value}, which is infinite as a float32")
    return ()


def by(shape: Sequence[int]) -> str:
    """Return a shape as people write it.

    >>> by((3, 4)), by(()), by((0,))
    ('3 x 4', 'a single number', '0')
    """
    return " x ".join(map(str, shape)) or "a single number"


def fits(value: Any, name: str, wanted: Sequence[int], why: str, does: str) -> Iterator[Said]:
    """Yield what is wrong with an array that should be of the shape `wanted`."""
    try:
        found = extent(value)
    except ValueError as error:
        yield Said("", f"{name}: {error}; RTNeural throws or runs with garbage")
        return
    if found != tuple(wanted):
        turned = "; it looks untransposed" if sorted(found) == sorted(wanted) else ""
        yield Said("", f"{name} is {by(found)}, but {why} need {by(wanted)}; {does}{turned}")
