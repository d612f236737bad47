"""A sequence whose values are made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Value = TypeVar("Value")


class LazySequence(Sequence[Value], Generic[Item, Value]):
    """Values in the order of their items; in memory are the items alone.

    >>> lengths = LazySequence(["da", "ne", "možda"], len)
    >>> lengths[2], list(lengths)
    (5, [2, 2, 5])
    """

    def __init__(self, items: Sequence[Item], value_of: Callable[[Item], Value]) -> None:
        """Take the items, and the function that makes the value of one."""
        self.items, self.value_of = items, value_of

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: Any) -> Any:
        return self.value_of(self.items[index])
