"""Hours of processors, storage and prices for more hours of speech, from planning.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fonoteka.planning.build import HOUR_S
from fonoteka.planning.prices import PlanningParams, PublishedParams

GB = 1e9
COLUMNS = ("corpus", "encoders", "embeddings", "training", "export")


@dataclass(frozen=True)
class ModelForecast:
    """What one model needs from recordings to its package.

    Attributes:
        core_hours: of processors, by column of PLANNING.md.
        storage_gb: of all its outputs, once.
        compute_eur: price of the processors.
        storage_eur: price of the storage per month.
        missing: stages that were not measured, which the hours lack.
    """

    core_hours: dict[str, float]
    storage_gb: float
    compute_eur: float
    storage_eur: float
    missing: tuple[str, ...]

    @property
    def total_hours(self) -> float:
        """Hours of processors of all columns."""
        return sum(self.core_hours.values())


def stage_cpu_s(
    stage: str, entry: Mapping[str, Any], hours: float, passes: Mapping[str, float]
) -> float:
    """Return the processor seconds of a stage for a corpus of so many hours.

    The work grows with the hours: `constant + seconds per hour x hours`. With other passes than in
    the build, the seconds per hour are multiplied by the ratio of the two.

    Args:
        stage: its name.
        entry: of the stage in planning.json.
        hours: of speech in all splits.
        passes: over the training split, by the name of the stage or of its group `stage@...`.
    """
    wanted = passes.get(stage, passes.get(stage.partition("@")[0]))
    ratio = wanted / entry["passes"] if wanted is not None and entry["passes"] else 1.0
    return float(entry["constant_s"] + entry["per_hour_s"] * ratio * hours)


def forecast_model(
    report: Mapping[str, Any], model: str, hours: float, params: PlanningParams
) -> ModelForecast:
    """Return what a model needs for a corpus of so many hours.

    Args:
        report: planning.json.
        model: its name in the report.
        hours: of speech in all splits.
        params: section `planning`.
    """
    stages, entry = report["stages"], report["models"][model]
    core_hours = dict.fromkeys(COLUMNS, 0.0)
    for stage in entry["stages"]:
        if stage in stages:
            cpu_s = stage_cpu_s(stage, stages[stage], hours, params.passes)
            core_hours[stages[stage]["group"]] += cpu_s / HOUR_S
    per_hour, constant = report["storage"]["bytes_per_hour"], report["storage"]["bytes"]
    stored = sum(
        per_hour.get(path, 0.0) * hours + constant.get(path, 0) for path in entry["outputs"]
    )
    prices = params.prices
    return ModelForecast(
        core_hours,
        stored / GB,
        sum(core_hours.values()) * prices.cpu_core_hour_eur,
        stored / GB * prices.storage_gb_month_eur,
        tuple(stage for stage in entry["stages"] if stage not in stages),
    )


def gpu_hours(published: PublishedParams, report: Mapping[str, Any], hours: float) -> float:
    """Return the hours of a GPU that a published training scales to.

    The hours of training speech are those of the training split, with the build's share of it.
    """
    share = float(report["hours"]["train"]) / float(report["hours"]["all"])
    return published.gpu_h / published.audio_h * hours * share
