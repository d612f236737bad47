"""Parts of benchmark reports: the machine, quantiles, ratios and limits."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fonoteka.compute.processor import CPUINFO, INSTRUCTIONS, cpuinfo_entries
from fonoteka.core.errors import UserError

GIB = 2**30
PACKAGES = ("numpy", "onnxruntime", "torch", "transformers")


@dataclass(frozen=True)
class Demand:
    """A measured value with its limit.

    Attributes:
        name: of the value.
        value: the measured value.
        limit: the worst acceptable value.
        at_most: whether the limit is a maximum; else it is a minimum.
    """

    name: str
    value: float
    limit: float
    at_most: bool

    @property
    def met(self) -> bool:
        """Whether the value is within the limit; NaN is not."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit

    @property
    def message(self) -> str:
        """The value and the limit that it exceeds.

        >>> Demand("head.median_ms", 0.7, 0.5, at_most=True).message
        'head.median_ms is 0.7, above 0.5'
        """
        return f"{self.name} is {self.value}, {'above' if self.at_most else 'below'} {self.limit}"


def demanded(demands: Sequence[Demand]) -> dict[str, Any]:
    """Return the entries of a report for its limits, by name."""
    return {
        demand.name: {k: v for k, v in asdict(demand).items() if k != "name"} | {"met": demand.met}
        for demand in demands
    }


def missed(reports: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a message for each value in reports that is not within its limit.

    >>> missed([{"sla": demanded([Demand("ms", 0.7, 0.5, at_most=True)])}, {}])
    ['ms is 0.7, above 0.5']
    """
    return [
        Demand(name, entry["value"], entry["limit"], entry["at_most"]).message
        for report in reports
        for name, entry in report.get("sla", {}).items()
        if not entry["met"]
    ]


def significant(value: float) -> float:
    """Return a number with four significant digits.

    >>> significant(0.00123456), significant(12345.6)
    (0.001235, 12350.0)
    """
    return float(f"{value:.4g}")


def quantiles(times_ms: ArrayLike) -> dict[str, float]:
    """Return the median and the 99th percentile of times in ms, to 0.1 us.

    >>> quantiles([1.0, 2.0, 3.0])
    {'median_ms': 2.0, 'p99_ms': 2.98}
    """
    median, p99 = np.quantile(np.asarray(times_ms, dtype=np.float64), [0.5, 0.99])
    return {"median_ms": round(float(median), 4), "p99_ms": round(float(p99), 4)}


def times_as_fast(median: float, baselines: Mapping[str, float]) -> dict[str, float]:
    """Return the speed-up over each baseline: the ratio of medians.

    >>> times_as_fast(2.0, {"reference": 5.0})
    {'reference': 2.5}
    """
    return {name: round(other / median, 3) for name, other in baselines.items()}


def require(paths: Iterable[Path]) -> None:
    """Require that all files and folders exist.

    Raises:
        UserError: a file or a folder is missing.
    """
    if missing := [path for path in paths if not path.exists()]:
        more = f" and {len(missing) - 1} more are missing" if len(missing) > 1 else ": no such file"
        raise UserError(f"{missing[0]}{more}; run `make repro`")


def machine() -> dict[str, Any]:
    """Return the properties that timings depend on: processor, memory, versions and load.

    `load_at_start` is the load average of the last minute; above 0.5 other processes used the
    machine. Host name and paths are excluded.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    entries = cpuinfo_entries(CPUINFO.read_text(encoding="utf-8") if CPUINFO.is_file() else "")
    return {
        "processor": entries.get("model name") or platform.processor() or platform.machine(),
        "instructions": [
            name
            for name in INSTRUCTIONS
            if name in (entries.get("flags") or entries.get("Features") or "").split()
        ],
        "cores": os.cpu_count() or 1,
        "memory_gib": round(memory / GIB, 1),
        "load_at_start": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }
