"""How much a harvest may take, and how fast."""

from __future__ import annotations

from dataclasses import dataclass, fields

from fonoteka.core.errors import UserError

MIB = 1 << 20


@dataclass(frozen=True)
class HarvestLimits:
    """The limits of a run; each is above 0, except `delay_s`, which may be 0.

    Attributes:
        delay_s: between two requests to a host; a longer Crawl-delay of its robots.txt counts.
        max_wait_s: longest wait that a server may ask for; a longer one refuses the item.
        max_bytes: of a recording.
        max_total_bytes: of all recordings of a run.
        max_items: recordings that a run downloads.
        bytes_per_s: rate of a download.
        retries: of a request that fails, or of a connection that is cut.
    """

    delay_s: float = 1.0
    max_wait_s: float = 120.0
    max_bytes: int = 512 * MIB
    max_total_bytes: int = 20 * 1024 * MIB
    max_items: int = 10_000
    bytes_per_s: float = 4.0 * MIB
    retries: int = 3

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (value > 0 or (value == 0 and field.name == "delay_s")):
                raise UserError(f"{field.name.replace('_', ' ')} is {value}; expected more than 0")
