"""The work that a stage does on one clip, in a form that other processes can do it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Taken = TypeVar("Taken", contravariant=True)  # a task of clips takes every kind of clip


@dataclass(frozen=True)
class Shard(Generic[Item]):
    """The unit that a worker takes: items in a fixed order.

    Attributes:
        name: unique in a plan, for example `shard-03`; messages contain it.
        items: each one picklable and small: ids and paths, not samples.
    """

    name: str
    items: tuple[Item, ...]


class ClipTask(Protocol[Taken, Result]):
    """Work on one item at a time; pickled, so it has paths and parameters, not models."""

    @property
    def name(self) -> str:
        """The stage, part of each key in the cache."""

    @property
    def fingerprint(self) -> str:
        """A hash of all that every result depends on: code, parameters and weights."""

    def open(self) -> Callable[[Taken], Result]:
        """Return the function of one item; called once per worker, so it loads the model."""

    def clip(self, item: Taken) -> str:
        """Return the id of an item's clip, by which an erasure finds its entries."""

    def content(self, item: Taken) -> str:
        """Return a hash of the data of one item, for example of its samples."""

    def encode(self, result: Result) -> bytes:
        """Return a result as bytes, for the cache and for the way between processes."""

    def decode(self, data: bytes) -> Result:
        """Return the result of `encode`."""
