"""A batch in parts: over several processes, and one after the other if its memory is short.

The gradient of a batch is the sum of those of its parts, because the loss of a part is a sum of its
items divided by a count of the whole batch. So the number of parts changes a result by rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor

from fonoteka.models.determinism import CUDA, seed_of
from fonoteka.models.device import free_bytes, half_precision
from fonoteka.models.parallel.ranks import Ranks

Item = TypeVar("Item")

USABLE = 0.7
"""Share of the free memory that saved tensors may take; backward needs about 30 % beside them."""
SAMPLED = 8
"""A batch's memory is measured on a part of this many, which has to fit."""


@dataclass(frozen=True)
class BatchPart:
    """One of the parts of a batch.

    Attributes:
        index: its number, from 0.
        count: parts of the batch.
        again: whether this process had another part of the batch before, so that both share what
            was drawn for the whole batch.
        seed: of the draws in the model, such as dropout; None to use torch's present state.
    """

    index: int = 0
    count: int = 1
    again: bool = False
    seed: int | None = None

    def take(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return the items of this part, those of similar length spread over all parts.

        >>> BatchPart(1, 2).take("abcde"), BatchPart().take("abc"), BatchPart(3, 4).take("ab")
        ('bd', 'abc', '')
        """
        return items[self.index :: self.count]

    @contextmanager
    def draws(self) -> Iterator[None]:
        """Let processes draw different numbers in the block and the same ones after it."""
        if self.seed is None:
            yield
            return
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            yield


WHOLE = BatchPart()


def parts_for(batch_bytes: int, free: int | None) -> int:
    """Return into how many parts a batch is split.

    Args:
        batch_bytes: what its backward pass needs to keep, see `SavedBytes`.
        free: bytes of the device, None if they are not limited.

    >>> parts_for(100, None), parts_for(100, 200), parts_for(100, 100), parts_for(100, 10)
    (1, 1, 2, 15)
    """
    if free is None:
        return 1
    return max(1, math.ceil(batch_bytes / max(1.0, USABLE * free)))


@dataclass
class SavedBytes:
    """Counts the bytes that autograd keeps for the backward pass, on any device.

    Attributes:
        total: bytes so far; tensors that share memory count once.
    """

    total: int = 0
    _seen: set[int] = field(default_factory=set)

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count inside the block; weights that are saved count too."""
        with torch.autograd.graph.saved_tensors_hooks(self._pack, _unpack):
            yield

    def _pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._seen:
            self._seen.add(storage.data_ptr())
            self.total += storage.nbytes()
        return tensor


def parts_of_rank(ranks: Ranks, per_rank: int, *seed: object) -> list[BatchPart]:
    """Return the parts of a batch that this rank computes.

    Args:
        ranks: the processes of the training.
        per_rank: parts that each of them computes, one after the other.
        seed: of the draws inside the model, the same on all ranks; one process has no use for it.
    """
    first, count = ranks.rank * per_rank, ranks.count * per_rank
    return [
        BatchPart(n, count, n > first, None if ranks.count == 1 else seed_of(*seed, "part", n))
        for n in range(first, first + per_rank)
    ]


def fitting_parts(ranks: Ranks, loss: Callable[[BatchPart], object]) -> int:
    """Return the number of parts per rank, from what a small part of a batch needs.

    Args:
        ranks: the processes of the training.
        loss: computes the loss of a part; it is not called if memory is not limited.
    """
    free = free_bytes(ranks.device)
    if free is None:
        return 1
    saved = SavedBytes()
    cards = [ranks.device.index] if ranks.device.type == CUDA else []
    # A resumed run measures again, and has to draw the same numbers as if it had not.
    with torch.random.fork_rng(cards), saved.counting(), half_precision(ranks.device):
        loss(BatchPart(ranks.rank * SAMPLED, SAMPLED * ranks.count))
    # Cards may differ in what is free, but the ranks share a batch only if they agree.
    return ranks.most(parts_for(saved.total * SAMPLED, free))


def _unpack(tensor: Tensor) -> Tensor:
    return tensor
