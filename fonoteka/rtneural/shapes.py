"""Shapes of nested lists, and diagnostics for wrong shapes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fonoteka.core.errors import UserError

FLOAT32_MAX = 3.4028235677973366e38
"""Numbers from here on round to infinity: the largest float32 plus half a step."""

MAX_AXES = 5
"""The largest number of axes of any weights in RTNeural."""


@dataclass(frozen=True)
class LayerInput:
    """The number of inputs of a layer, None if unknown, and the place that declares it."""

    size: int | None
    source: str

    def __str__(self) -> str:
        return f"{self.size} inputs (from {self.source})"


@dataclass(frozen=True)
class Diagnostic:
    """One fault or note about a place in a file.

    Attributes:
        location: `layers[2] (gru)`, or "file".
        message: the value found, the value expected, and the effect in RTNeural.
        fault: RTNeural fails or computes something else; False: a note, the result is right.
    """

    location: str
    message: str
    fault: bool = True

    def __str__(self) -> str:
        return f"{self.location}: {self.message}"


def is_positive_integer(value: Any) -> bool:
    """Return whether a value is a whole number of at least 1; RTNeural accepts 2.0 too.

    >>> [is_positive_integer(value) for value in (2, 2.0, 0, True, None)]
    [True, True, False, False, False]
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return bool(number and 1 <= value < 2**31 and value == int(value))


def step_size(shape: Sequence[Any]) -> int:
    """Return the numbers per step of an `in_shape` or `shape`, which may have planes.

    >>> step_size([None, None, 3]), step_size([None, None, 3, 2])
    (3, 6)
    """
    return int(shape[-1] if len(shape) != 4 else shape[2] * shape[3])


def shape_of(value: Any, max_depth: int = MAX_AXES) -> tuple[int, ...]:
    """Return the shape of a nested list.

    Raises:
        ValueError: its rows differ in length, or an element is not a float32 number.

    >>> shape_of([[1, 2.5], [3, 4]]), shape_of(7)
    ((2, 2), ())
    """
    if isinstance(value, list):
        if not max_depth:
            raise UserError("its lists are nested too deep")
        inner = {shape_of(item, max_depth - 1) for item in value}
        if len(inner) > 1:
            raise UserError("its rows have different lengths")
        return (len(value), *(inner.pop() if inner else ()))
    if isinstance(value, bool) or not isinstance(value, int | float):
        kind = "null" if value is None else type(value).__name__
        raise UserError(f"it contains {kind} instead of a number")
    if not abs(value) < FLOAT32_MAX:
        raise UserError(f"it contains {value}, which is infinite as a float32")
    return ()


def format_shape(shape: Sequence[int]) -> str:
    """Return a shape as text.

    >>> format_shape((3, 4)), format_shape(()), format_shape((0,))
    ('3 x 4', 'a single number', '0')
    """
    return " x ".join(map(str, shape)) or "a single number"


def check_shape(
    value: Any, name: str, expected: Sequence[int], source: str, effect: str
) -> Iterator[Diagnostic]:
    """Yield a diagnostic if an array does not have a shape.

    Args:
        value: the array, as nested lists.
        name: of the array, for the message.
        expected: its shape.
        source: the sizes that determine the shape, a plural.
        effect: what RTNeural does with another shape.
    """
    try:
        shape = shape_of(value)
    except ValueError as error:
        yield Diagnostic("", f"{name}: {error}; RTNeural throws or runs with garbage")
        return
    if shape != tuple(expected):
        hint = "; it looks untransposed" if sorted(shape) == sorted(expected) else ""
        message = f"{name} is {format_shape(shape)}, but {source} need {format_shape(expected)}"
        yield Diagnostic("", f"{message}; {effect}{hint}")
