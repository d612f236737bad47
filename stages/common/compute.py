"""How much of the machine a stage may use: section `compute` of params.yaml."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ComputeParams:
    """Section `compute`.

    Attributes:
        threads: threads of one process; part of what a trained model's bytes depend on.
        workers: processes side by side; no stage's bytes depend on it.
    """

    threads: int
    workers: int

    def __post_init__(self) -> None:
        """Refuse numbers with which nothing would run."""
        for name, value in (("threads", self.threads), ("workers", self.workers)):
            if value < 1:
                raise ValueError(f"compute.{name} must be 1 or more, found {value}")
