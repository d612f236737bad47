"""Compare the forecast of a build with its logs.

    python -m fonoteka planning check BUILD BUILD [BUILD ...]

Each build is forecast from the others alone: from its parameters and hours, and from the rates of
stages that the others have. A forecast never uses a build of the same size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.planning.build import FinishedBuild
from fonoteka.planning.comparable import require_comparable
from fonoteka.planning.measure import rates_of
from fonoteka.planning.work import work_of
from fonoteka.reporting.rounding import rounded

WORST = 5
"""Stages that are listed with the largest errors in seconds."""


@dataclass(frozen=True)
class ForecastCheck:
    """The forecast of one build beside its logs, in processor seconds.

    Attributes:
        build: its name.
        hours: of its corpus.
        fitted_on: names of the builds that the rates are from.
        stages: that are compared.
        cpu_s: in the logs.
        forecast_s: in the forecast.
        error: of the forecast, relative to the logs.
        work_cpu_s: in the logs, without imports, which are the same in every build.
        work_error: the relative error of the forecast without imports.
        worst: the stages with the largest errors: name, seconds in the logs, in the forecast.
    """

    build: str
    hours: float
    fitted_on: tuple[str, ...]
    stages: int
    cpu_s: float
    forecast_s: float
    error: float
    work_cpu_s: float
    work_error: float
    worst: tuple[tuple[str, float, float], ...]


def check(builds: Sequence[FinishedBuild]) -> list[ForecastCheck]:
    """Return the forecast of each build from the builds of other sizes.

    Raises:
        UserError: there are fewer than two sizes, or the builds differ in more than their size.
    """
    for other in builds[1:]:
        require_comparable(builds[0], other)
    sizes = {_size(build) for build in builds}
    if len(sizes) < 2:
        raise UserError(
            f"planning check: {len(builds)} builds of {len(sizes)} size; name two sizes at least, "
            "because a forecast must not rest on the build that it is compared with"
        )
    return [
        forecast(build, [other for other in builds if _size(other) != _size(build)])
        for build in builds
    ]


def forecast(build: FinishedBuild, others: Sequence[FinishedBuild]) -> ForecastCheck:
    """Return the forecast of a build from others.

    Raises:
        UserError: no stage is in the logs of both sides.
    """
    rows = []
    for stage, run in build.runs.items():
        if stage not in build.lock or (fitted := rates_of(stage, others)) is None:
            continue
        work = work_of(stage, build.hours, build.params_of(stage))
        rows.append((stage, run, fitted[1].cost_s(work.amount)))
    if not rows:
        raise UserError(f"{build.name}: no stage of it has a finished run in another build")
    cpu_s = sum(run.whole_cpu_s for _, run, _ in rows)
    imports_s = sum(run.import_cpu_s for _, run, _ in rows)
    forecast_s = sum(cost for *_, cost in rows)
    worst = sorted(rows, key=lambda row: -abs(row[2] - row[1].whole_cpu_s))[:WORST]
    return ForecastCheck(
        build=build.name,
        hours=build.hours.all,
        fitted_on=tuple(other.name for other in others),
        stages=len(rows),
        cpu_s=cpu_s,
        forecast_s=forecast_s,
        error=forecast_s / cpu_s - 1,
        work_cpu_s=cpu_s - imports_s,
        work_error=(forecast_s - cpu_s) / max(cpu_s - imports_s, 1e-9),
        worst=tuple((stage, run.whole_cpu_s, cost) for stage, run, cost in worst),
    )


def entry(checks: Sequence[ForecastCheck], max_error: float) -> dict[str, Any]:
    """Return the entry of planning.json for some forecasts.

    Args:
        checks: the forecasts.
        max_error: the largest relative error that passes.
    """
    rows = [asdict(each) | {"fitted_on": [*each.fitted_on]} for each in checks]
    listed = [row | {"worst": [list(stage) for stage in row["worst"]]} for row in rows]
    return {"max_error": max_error, "builds": rounded(listed, 4)}


def _size(build: FinishedBuild) -> tuple[tuple[str, float], ...]:
    """Return the work of all stages: two builds of one profile have the same."""
    stages = sorted(build.lock)
    return tuple(
        (stage, work_of(stage, build.hours, build.params_of(stage)).amount) for stage in stages
    )
