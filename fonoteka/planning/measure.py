"""Measure what a finished build has cost.

    python -m fonoteka planning measure [BUILD] [--also BUILD]

Reads   logs/, dvc.lock, params.yaml, reports/corpus.json and reports/bench/ of the build
Writes  reports/bench/planning.json

`--also` names builds with the same parameters but for their size: with two sizes, the constant of a
stage is separated from its rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fonoteka.core.errors import UserError
from fonoteka.planning.build import HOUR_S, FinishedBuild
from fonoteka.planning.closure import EVERYTHING, models_of, needed_stages, outputs_of
from fonoteka.planning.comparable import require_comparable
from fonoteka.planning.inference import inference
from fonoteka.planning.rates import StageCost, StageRate, fit_rate
from fonoteka.planning.stage_runs import StageRun
from fonoteka.planning.storage import checkpoint_bytes, storage
from fonoteka.planning.work import FIXED, StageWork, group_of, work_of
from fonoteka.reporting.machine import machine, significant

REPORT = Path("reports/bench/planning.json")


def measure(build: FinishedBuild, also: Sequence[FinishedBuild] = ()) -> dict[str, Any]:
    """Return what a build has cost.

    Args:
        build: the build whose stages, hours and sizes are reported.
        also: builds of other sizes, for the rates.

    Raises:
        UserError: another build has other parameters.
    """
    for other in also:
        require_comparable(build, other)
    measured = [stage for stage in build.lock if stage in build.runs]
    if not measured:
        raise UserError(
            f"{build.name}: none of the stages in dvc.lock has a finished run in logs; "
            "run `make repro`"
        )
    factors, missing = inference(build.folder)
    runs = [build.runs[stage] for stage in measured]
    return {
        "measured": _day(max(run.run for run in runs)),
        "machine": machine(),
        "build": _build_entry(runs),
        "builds": 1 + len(also),
        "hours": {
            "train": build.hours.train, "valid": build.hours.valid, "test": build.hours.test,
            "all": round(build.hours.all, 4),
        },
        "stages": {stage: _stage_entry(stage, build, also) for stage in measured},
        "steps": {
            stage: entry for stage in measured if (entry := _step_entry(stage, build))
        },
        "inference": [row | {"rtf": significant(row["rtf"])} for row in factors],
        "storage": storage(build),
        "checkpoint_bytes_at_most": checkpoint_bytes(build),
        "models": _model_entries(build),
        "missing": _missing(build) + missing,
    }  # fmt: skip


def rates_of(stage: str, builds: Sequence[FinishedBuild]) -> tuple[StageWork, StageRate] | None:
    """Return the work of a stage in the first build, and its rate over all of them.

    None if no build has a finished run of it.
    """
    costs, first = [], None
    for build in builds:
        work = work_of(stage, build.hours, build.params_of(stage))
        first = first or work
        if run := build.runs.get(stage):
            costs.append(StageCost(work.amount, run.whole_cpu_s, run.import_cpu_s))
    return (first, fit_rate(costs)) if costs and first else None


def _stage_entry(stage: str, build: FinishedBuild, also: Sequence[FinishedBuild]) -> dict[str, Any]:
    fitted = rates_of(stage, [build, *also])
    assert fitted
    work, rate = fitted
    run = build.runs[stage]
    return {
        "group": group_of(stage, str(build.lock[stage].get("cmd", ""))),
        "unit": work.unit,
        "work": significant(work.amount),
        "passes": None if work.passes is None else significant(work.passes),
        "cpu_s": round(run.whole_cpu_s, 2),
        "import_cpu_s": run.import_cpu_s,
        "seconds": run.seconds,
        "peak_mib": run.peak_mib,
        "peak_process_mib": run.peak_process_mib,
        "constant_s": significant(rate.constant_s),
        "per_unit_s": significant(rate.per_unit_s),
        "low": significant(rate.low),
        "high": significant(rate.high),
        "measurements": rate.measurements,
        # Work grows with the hours at the same number of passes, steps included.
        "per_hour_s": significant(rate.per_unit_s * work.amount / build.hours.all)
        if work.unit != FIXED
        else 0.0,
    }


def _step_entry(stage: str, build: FinishedBuild) -> dict[str, Any] | None:
    """Return the processor seconds per training step, in windows of the run; None without steps."""
    run = build.runs[stage]
    if not run.steps:
        return None
    entry: dict[str, Any] = {"steps": run.steps, "windows": len(run.step_cpu_s)}
    if run.step_cpu_s:
        low, median, high = np.quantile(run.step_cpu_s, [0.05, 0.5, 0.95])
        entry |= {
            "median_s": significant(float(median)), "low_s": significant(float(low)),
            "high_s": significant(float(high)),
        }  # fmt: skip
    # The whole run, with reading, validation and writing.
    whole = (run.whole_cpu_s - run.import_cpu_s) / run.steps
    entry |= {"whole_run_s": significant(whole)}
    if passes := work_of(stage, build.hours, build.params_of(stage)).passes:
        speech_s = passes * build.hours.train * HOUR_S / run.steps
        entry |= {
            "speech_s": significant(speech_s), "whole_run_per_s": significant(whole / speech_s)
        }  # fmt: skip
    return entry


def _model_entries(build: FinishedBuild) -> dict[str, dict[str, Any]]:
    lock = build.lock
    models = models_of(lock) | {EVERYTHING: tuple(lock)}
    entries = {}
    for model, targets in models.items():
        stages = needed_stages(lock, targets)
        entries[model] = {"stages": stages, "outputs": outputs_of(lock, stages)}
    return entries


def _build_entry(runs: Sequence[StageRun]) -> dict[str, Any]:
    cpu_s, seconds = sum(run.cpu_s for run in runs), sum(run.seconds for run in runs)
    import_s = sum(run.import_cpu_s for run in runs)
    return {
        "cores": max(run.cores for run in runs),
        "stages": len(runs),
        "cpu_s": round(cpu_s, 1),
        "import_cpu_s": round(import_s, 1),
        "seconds": round(seconds, 1),
        "cpu_share": round((cpu_s - import_s) / seconds, 2) if seconds else None,
    }


def _missing(build: FinishedBuild) -> list[str]:
    """Return what the logs lack, one sentence each."""
    return [
        *(f"{stage}: no finished run in logs" for stage in build.unmeasured),
        *(
            f"{stage}: a later run did not finish; the last finished one counts"
            for stage in build.later
        ),
        *(
            f"{stage}: the run continued at step {run.first_step} of {run.steps}; its seconds "
            "are scaled to all steps"
            for stage, run in sorted(build.runs.items())
            if run.first_step > 1
        ),
    ]


def _day(run: str) -> str:
    """Return the ISO date in the name of a run.

    >>> _day("20261130T015559Z-13027")
    '2026-11-30'
    """
    return f"{run[:4]}-{run[4:6]}-{run[6:8]}"


def models_with_missing_stages(report: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the stages of each model that a report has no cost for."""
    gaps = {
        model: [stage for stage in entry["stages"] if stage not in report["stages"]]
        for model, entry in report["models"].items()
    }
    return {model: stages for model, stages in gaps.items() if stages}
