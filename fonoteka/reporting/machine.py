"""What every report about speed needs: the machine, quantiles, ratios, demands."""

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

from fonoteka.core.errors import UserError

GIB = 2**30
CPUINFO = Path("/proc/cpuinfo")
# What decides how fast fp32 and int8 products are on x86-64 and on ARM.
INSTRUCTIONS = (
    "avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8", "asimd", "asimddp", "i8mm",
)  # fmt: skip
PACKAGES = ("numpy", "onnxruntime", "torch", "transformers")


@dataclass(frozen=True)
class Demand:
    """A figure of which a limit is asked.

    Attributes:
        figure: its name.
        value: as measured.
        limit: the worst value that will do.
        at_most: a larger value is a worse one.
    """

    figure: str
    value: float
    limit: float
    at_most: bool

    @property
    def met(self) -> bool:
        """Whether the value will do; one that is not a number won't."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit

    @property
    def said(self) -> str:
        """The figure and why it won't do.

        >>> Demand("head.median_ms", 0.7, 0.5, at_most=True).said
        'head.median_ms is 0.7, above 0.5'
        """
        return f"{self.figure} is {self.value}, {'above' if self.at_most else 'below'} {self.limit}"


def demanded(demands: Sequence[Demand]) -> dict[str, Any]:
    """Return what a report says of its demands, by figure."""
    return {
        d.figure: {k: v for k, v in asdict(d).items() if k != "figure"} | {"met": d.met}
        for d in demands
    }


def missed(reports: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return each figure of some reports that missed its limit, and by what.

    >>> missed([{"sla": demanded([Demand("ms", 0.7, 0.5, at_most=True)])}, {}])
    ['ms is 0.7, above 0.5']
    """
    return [
        Demand(figure, asked["value"], asked["limit"], asked["at_most"]).said
        for report in reports
        for figure, asked in report.get("sla", {}).items()
        if not asked["met"]
    ]


def significant(value: float) -> float:
    """Return a number with four digits that mean something.

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
    """Return how many times as fast something is as each baseline: their medians over its own.

    >>> times_as_fast(2.0, {"reference": 5.0})
    {'reference': 2.5}
    """
    return {name: round(other / median, 3) for name, other in baselines.items()}


def require(paths: Iterable[Path]) -> None:
    """Refuse to measure what isn't there.

    Raises:
        ValueError: a file or a folder is missing.
    """
    if missing := [path for path in paths if not path.exists()]:
        more = f" and {len(missing) - 1} more are missing" if len(missing) > 1 else ": no such file"
        raise UserError(f"{missing[0]}{more}; run `make repro`")


def machine() -> dict[str, Any]:
    """Return what a time depends on: processor, memory, versions, and who else is at work.

    `load_at_start` is the number of processes at work in the last minute; above 0.5 others had part
    of the machine. Neither its name nor a path is told.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    facts = cpu_facts(CPUINFO.read_text(encoding="utf-8") if CPUINFO.is_file() else "")
    return {
        "processor": facts.get("model name") or platform.processor() or platform.machine(),
        "instructions": [
            name
            for name in INSTRUCTIONS
            if name in (facts.get("flags") or facts.get("Features") or "").split()
        ],
        "cores": os.cpu_count() or 1,
        "memory_gib": round(memory / GIB, 1),
        "load_at_start": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def cpu_facts(text: str) -> dict[str, str]:
    r"""Return what Linux says of the first processor.

    >>> cpu_facts("model name : One CPU\nflags : avx2 fma\n\nmodel name : Another")
    {'model name': 'One CPU', 'flags': 'avx2 fma'}
    """
    lines = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {name.strip(): said.strip() for name, _, said in lines}
