"""Section `inventory` of params.yaml."""

from __future__ import annotations

from dataclasses import dataclass

from fonoteka.core.errors import UserError


@dataclass(frozen=True)
class InventoryParams:
    """Section `inventory`.

    Attributes:
        corpora: the folders of data/raw that are used.
        untranscribed: `refuse` a clip without a transcript, or `quarantine` it.
        min_s: shorter clips are a problem.
        max_s: longer clips are a problem.
        max_bytes: larger files are not opened.
        max_channels: files with more are a problem.
        max_decode_s: wall-clock limit per file; a decoder that takes longer is ended.
        memory_mib: limit per worker; at least 64.
        silent_below_dbfs: a clip whose loudest sample is below it is a problem; at most 0.
        max_clipped_fraction: a clip with more samples at full scale is a problem; 0 to 1.
    """

    corpora: tuple[str, ...]
    untranscribed: str
    min_s: float
    max_s: float
    max_bytes: int
    max_channels: int
    max_decode_s: float
    memory_mib: int
    silent_below_dbfs: float
    max_clipped_fraction: float

    def __post_init__(self) -> None:
        """Raise for values with which no clip or no corpus could be used."""
        if not self.corpora or len(set(self.corpora)) < len(self.corpora):
            raise UserError(
                f"inventory.corpora must name one or more folders of data/raw, each once, "
                f"found {list(self.corpora)}"
            )
        if self.untranscribed not in ("refuse", "quarantine"):
            raise UserError(
                f"inventory.untranscribed must be refuse or quarantine, "
                f"found {self.untranscribed!r}"
            )
        if not 0 <= self.min_s < self.max_s:
            raise UserError(
                f"inventory.min_s must be 0 or more and below max_s, "
                f"found {self.min_s} and {self.max_s}"
            )
        if self.silent_below_dbfs > 0:
            raise UserError(
                f"inventory.silent_below_dbfs must be 0 or less, found {self.silent_below_dbfs}"
            )
        # With smaller values no file could be read.
        least = {"max_bytes": 1, "max_channels": 1, "max_decode_s": 0.1, "memory_mib": 64}
        for name, smallest in least.items():
            if getattr(self, name) < smallest:
                raise UserError(
                    f"inventory.{name} must be at least {smallest}, found {getattr(self, name)}"
                )
        if not 0 <= self.max_clipped_fraction <= 1:
            raise UserError(
                f"inventory.max_clipped_fraction must be within 0 and 1, "
                f"found {self.max_clipped_fraction}"
            )
