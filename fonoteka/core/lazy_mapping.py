"""A mapping whose values are read when they are asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

Place = TypeVar("Place")
Value = TypeVar("Value")


class LazyMapping(Mapping[str, Value], Generic[Place, Value]):
    """Values by key; in memory are their places alone, in the order they were given in."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        """Take the place of each value, which `read` understands."""
        self.places = places

    @abstractmethod
    def read(self, place: Place) -> Value:
        """Return the value at a place."""

    def __getitem__(self, key: str) -> Value:
        return self.read(self.places[key])

    def __contains__(self, key: object) -> bool:
        return key in self.places  # that of Mapping reads the value

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)
