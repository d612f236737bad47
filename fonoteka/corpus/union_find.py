"""Disjoint sets of names, joined two by two."""

from __future__ import annotations

from typing import Generic, TypeVar

Name = TypeVar("Name", str, tuple[str, str])


class UnionFind(Generic[Name]):
    """Disjoint sets, each represented by its first name in sorted order.

    The representative depends on the members alone, not on the order in which they were joined.
    Each search halves its path: `O(log n)` per call, amortised.

    >>> sets = UnionFind[str]()
    >>> sets.join("b", "a")
    >>> sets.join("c", "b")
    >>> sets.first("c"), sets.first("x")
    ('a', 'x')
    """

    def __init__(self) -> None:
        self._above: dict[Name, Name] = {}

    def first(self, name: Name) -> Name:
        """Return the first name of the set that contains a name; a new name is a set of its own."""
        while (above := self._above.get(name, name)) != name:
            self._above[name] = self._above.get(above, above)
            name = above
        return name

    def join(self, name: Name, other: Name) -> None:
        """Make name set of the two that contain these names."""
        low, high = sorted((self.first(name), self.first(other)))
        self._above[high] = low
