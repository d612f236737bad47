"""The cost of a stage as `constant + rate x work`, from one or more builds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class StageCost:
    """What one run of a stage cost.

    Attributes:
        work: its work, in the unit of the stage; 0 if it does not grow.
        cpu_s: processor seconds, with imports.
        import_cpu_s: of these, imports.
    """

    work: float
    cpu_s: float
    import_cpu_s: float


@dataclass(frozen=True)
class StageRate:
    """The cost of a stage: `constant_s + per_unit_s * work`.

    Attributes:
        constant_s: processor seconds of a run without work; at least the imports.
        per_unit_s: processor seconds per unit of work.
        low: lowest rate of a single run, with the same constant.
        high: highest.
        measurements: runs that it rests on.
    """

    constant_s: float
    per_unit_s: float
    low: float
    high: float
    measurements: int

    def cost_s(self, work: float) -> float:
        """Return the processor seconds of a run with so much work."""
        return self.constant_s + self.per_unit_s * work


def fit_rate(costs: Sequence[StageCost]) -> StageRate:
    """Return the rate that fits the runs of a stage best.

    Runs of one size cannot tell the constant from the rate: then the constant is the imports, and
    all other seconds grow with the work. That overestimates larger builds rather than smaller ones.
    With two sizes or more both are fitted by least squares of the relative errors, because the
    seconds of a run vary by a share and not by an amount.

    Args:
        costs: of runs with the same parameters but for their size, at least one.

    >>> fit_rate([StageCost(2.0, 14.0, 4.0)])
    StageRate(constant_s=4.0, per_unit_s=5.0, low=5.0, high=5.0, measurements=1)
    >>> rate = fit_rate([StageCost(1.0, 12.0, 4.0), StageCost(3.0, 16.0, 4.0)])
    >>> round(rate.constant_s, 6), round(rate.per_unit_s, 6)
    (10.0, 2.0)
    """
    assert costs
    work = np.array([cost.work for cost in costs])
    cpu_s = np.array([cost.cpu_s for cost in costs])
    import_s = float(np.mean([cost.import_cpu_s for cost in costs]))
    weights = 1.0 / np.maximum(cpu_s, 1e-3)
    if not work.any():
        return StageRate(float(np.mean(cpu_s)), 0.0, 0.0, 0.0, len(costs))
    constant, rate = import_s, 0.0
    if len({*work}) > 1:
        table = np.stack([np.ones_like(work), work], axis=1) * weights[:, None]
        constant, rate = map(float, np.linalg.lstsq(table, cpu_s * weights, rcond=None)[0])
    if rate < 0:
        # More work cost less, within what runs vary: the stage does not grow measurably.
        return StageRate(float(np.mean(cpu_s)), 0.0, 0.0, 0.0, len(costs))
    if constant < import_s or len({*work}) == 1:
        # The best line through the imports.
        constant = import_s
        rest = np.maximum(cpu_s - constant, 0.0)
        rate = float(np.sum(rest * work * weights**2) / np.sum((work * weights) ** 2))
    single = np.maximum(cpu_s[work > 0] - constant, 0.0) / work[work > 0]
    return StageRate(constant, rate, float(single.min()), float(single.max()), len(costs))
