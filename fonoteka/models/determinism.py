"""How much of the machine a stage may use: bytes depend on threads, so they are a parameter."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from fonoteka.core.errors import UserError


@dataclass(frozen=True)
class ComputeParams:
    """Section `compute`.

    Attributes:
        threads: for one matrix product; part of the result, see `configure`.
    """

    threads: int

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise UserError(f"compute.threads must be at least 1, found {self.threads}")


def configure(threads: int) -> None:
    """Fix torch's thread count and let only algorithms run that repeat bit for bit.

    oneDNN keeps scratch memory for each shape it has met; with clips of a thousand lengths that
    grows to a gigabyte and is hardly ever used again, so it may keep few.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")
    import torch  # not at the top: most stages that import this module never need torch

    torch.set_num_threads(threads)
    # The same switch as use_deterministic_algorithms(True), which also tells torch.compile of it:
    # that imports the compiler, 3.2 CPU seconds, and nothing here is compiled.
    torch.set_deterministic_debug_mode("error")


def seed_of(*parts: object) -> int:
    """Return a 32-bit seed that depends on the given parts alone.

    Randomness is drawn anew from (seed, what, epoch), never from a running generator, so that a
    resumed run draws what an undisturbed one draws.

    >>> seed_of(1, "epoch", 2) == seed_of(1, "epoch", 2) != seed_of(1, "epoch", 3)
    True
    """
    text = "\0".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
