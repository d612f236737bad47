"""The processes of one training, started by torchrun; without it there is one.

Each process (rank) computes a part of every batch. Their gradients are summed, so all ranks make
the same update, and the loss is that of one process with the whole batch. Rank 0 alone validates,
logs, prints and writes.

`DistributedDataParallel` is not used: it takes the mean of the ranks' gradients, which is another
loss if their parts have different numbers of phones, and it wraps `forward` alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from fonoteka.core.errors import UserError
from fonoteka.models.determinism import CPU
from fonoteka.models.device import choose_device

Value = TypeVar("Value")

BUCKET = 2**22
"""Values that are summed at once, 16 MiB: a call takes 0.1 ms whatever its size."""
WAIT = timedelta(hours=2)
"""Longest wait for another rank; rank 0 validates alone, and the others wait for it."""


@dataclass(frozen=True)
class Ranks:
    """One process of a training, and how it reaches the others.

    Attributes:
        rank: its number, from 0.
        count: of the processes.
        device: of this process.
    """

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes, logs and validates."""
        return self.rank == 0

    @property
    def mark(self) -> list[Any]:
        """What a checkpoint depends on: the type of the device, and the number of processes."""
        return [self.device.type, self.count]

    def sum_gradients(self, weights: Sequence[nn.Parameter]) -> None:
        """Replace the gradient of each weight by its sum over all ranks.

        A weight without a gradient in any rank keeps None, so that no optimiser touches it.
        """
        if self.count == 1:
            return
        present = torch.tensor([w.grad is not None for w in weights], dtype=torch.float32)
        present = self._sum(present.to(self.device)).cpu()
        used = [w for w, ranks in zip(weights, present.tolist(), strict=True) if ranks]
        for bucket in buckets([w.numel() for w in used]):
            some = [used[i] for i in bucket]
            grads = [torch.zeros_like(w) if w.grad is None else w.grad for w in some]
            total = self._sum(torch.cat([grad.reshape(-1) for grad in grads]))
            sizes = [w.numel() for w in some]
            for weight, grad in zip(some, torch.split(total, sizes), strict=True):
                weight.grad = grad.reshape(weight.shape).clone()

    def sum(self, value: float) -> float:
        """Return the sum of the ranks' values."""
        if self.count == 1:
            return value
        return float(self._sum(torch.tensor([value], dtype=torch.float64, device=self.device)))

    def most(self, value: int) -> int:
        """Return the largest of the ranks' values."""
        if self.count == 1:
            return value
        largest = torch.tensor([value], dtype=torch.int64, device=self.device)
        self._together(lambda: dist.all_reduce(largest, dist.ReduceOp.MAX))
        return int(largest)

    def from_first(self, compute: Callable[[], Value]) -> Value:
        """Return what a function returns on rank 0; the other ranks do not call it."""
        if self.count == 1:
            return compute()
        values = [compute() if self.first else None]
        self._together(lambda: dist.broadcast_object_list(values, 0, device=self.device))
        return values[0]  # type: ignore[return-value]

    def agree(self, name: str, value: str) -> None:
        """Check that all ranks have the same value.

        Raises:
            UserError: another rank has another one.
        """
        if self.count == 1:
            return
        first = self.from_first(lambda: value)
        if self.sum(float(value != first)):
            raise UserError(
                f"the processes of this training differ in their {name}: rank 0 has {first[:12]}, "
                f"rank {self.rank} has {value[:12]}; start them in copies of one folder"
            )

    def in_turn(self, function: Callable[[], None]) -> None:
        """Call a function on rank 0 and then on the others, which find what rank 0 has written."""
        self.from_first(function)
        if not self.first:
            function()

    def _sum(self, tensor: Tensor) -> Tensor:
        self._together(lambda: dist.all_reduce(tensor))
        return tensor

    def _together(self, call: Callable[[], object]) -> None:
        """Exchange values with the other ranks.

        Raises:
            UserError: another rank has ended, or did not answer.
        """
        try:
            call()
        except RuntimeError as error:  # DistBackendError of nccl is one too
            reason = str(error).strip().splitlines()[0] if str(error).strip() else "no reason"
            raise UserError(
                f"rank {self.rank} of {self.count}: another process of this training ended or does "
                f"not answer ({reason}); see its message, then start all again: they continue at "
                "the last checkpoint"
            ) from error


ALONE = Ranks(0, 1, torch.device(CPU))


def buckets(sizes: Sequence[int], limit: int = BUCKET) -> Iterator[list[int]]:
    """Yield the numbers of consecutive tensors of at most `limit` values together.

    >>> list(buckets([3, 3, 3, 9, 1], 6))
    [[0, 1], [2], [3], [4]]
    """
    some: list[int] = []
    total = 0
    for number, size in enumerate(sizes):
        if some and total + size > limit:
            yield some
            some, total = [], 0
        some.append(number)
        total += size
    if some:
        yield some


@contextmanager
def training_processes(device: str) -> Iterator[Ranks]:
    """Join the processes that torchrun started, if it did, and leave them after the block.

    Output of other ranks than 0 is dropped, except for stderr.

    Args:
        device: `compute.device`; gloo connects the processes on processors, nccl those on GPUs.

    Raises:
        UserError: the device is unknown or not here, or the processes do not find each other.
    """
    count = _number("WORLD_SIZE", 1)
    if count == 1:
        yield Ranks(0, 1, choose_device(device))
        return
    # RANK counts all processes, LOCAL_RANK those of this machine, which is the number of its GPU.
    rank = _number("RANK", 0)
    own = choose_device(device, _number("LOCAL_RANK", 0))
    backend = "gloo" if own.type == CPU else "nccl"
    try:
        dist.init_process_group(backend, timeout=WAIT, world_size=count, rank=rank)
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"rank {rank} of {count}: the processes do not find each other "
            f"({str(error).strip().splitlines()[0]}); start them with torchrun"
        ) from error
    ranks = Ranks(rank, count, own)
    try:
        if ranks.first:
            yield ranks
        else:
            with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
                yield ranks
    finally:
        dist.destroy_process_group()


def one_process(device: str, stage: str) -> Ranks:
    """Return this process for a stage that torchrun cannot share out.

    Raises:
        UserError: torchrun has started several, or as for `choose_device`.
    """
    if (count := _number("WORLD_SIZE", 1)) > 1:
        raise UserError(
            f"{stage}: started in {count} processes, but it trains in one; start it without "
            "torchrun"
        )
    return Ranks(0, 1, choose_device(device))


def _number(variable: str, default: int) -> int:
    """Return a number that torchrun sets in the environment."""
    text = os.environ.get(variable, str(default))
    if not text.isdecimal():
        raise UserError(f"{variable} is {text!r}; expected a number, as torchrun sets it")
    return int(text)
