"""Deterministic computation: thread count, algorithms and seeds."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fonoteka.core.errors import UserError

CPU, CUDA, AUTO = DEVICES = ("cpu", "cuda", "auto")


@dataclass(frozen=True)
class ComputeParams:
    """Section `compute`.

    Attributes:
        threads: threads per matrix product; results depend on it, see `configure`.
        device: `cpu` with float32, `cuda` with bfloat16 autocast, or `auto` for a GPU if torch
            finds one; see `fonoteka.models.device`.
    """

    threads: int
    device: str

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise UserError(f"compute.threads must be at least 1, found {self.threads}")
        if self.device not in DEVICES:
            raise UserError(
                f"compute.device: {self.device!r} is not one of {', '.join(DEVICES)}; change it in "
                "params.yaml"
            )


def configure(threads: int) -> None:
    """Set torch's thread count and allow deterministic algorithms only.

    oneDNN caches scratch memory per input shape; with clips of a thousand lengths that grows to a
    gigabyte of little use, so the cache is limited to 16 shapes.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")
    import torch  # not at the top: most stages that import this module do not need torch

    torch.set_num_threads(threads)
    # The same switch as use_deterministic_algorithms(True), which also imports the compiler of
    # torch.compile, 3.2 CPU seconds, and nothing here is compiled.
    torch.set_deterministic_debug_mode("error")
    # This mode also fills all new tensors with NaN, 5 % of a training step. It would reveal a read
    # of memory that nothing wrote, which is a fault of torch that its own tests look for.
    # The stubs do not know that torch puts an object with this property in place of the module.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


@contextmanager
def onednn_off() -> Iterator[None]:
    """Let torch compute convolutions as products of matrices, without oneDNN."""
    import torch

    before = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.backends.mkldnn.enabled = before


def seed_of(*parts: object) -> int:
    """Return a 32-bit seed that depends on the given parts alone.

    Random numbers come from a new generator per (seed, purpose, epoch), so a resumed run draws the
    same numbers as an uninterrupted one.

    >>> seed_of(1, "epoch", 2) == seed_of(1, "epoch", 2) != seed_of(1, "epoch", 3)
    True
    """
    text = "\0".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
