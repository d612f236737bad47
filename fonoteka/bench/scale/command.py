"""Measure how stages grow with the corpus and the workers; fail if a figure misses its limit.

    python -m fonoteka bench scale [curve] [training] [encoder] [executors] [hand_over] [forecast]
        [--clips 100,1000] [--stages inventory,dedupe] [--busy]

Reads   params.yaml, reports/bench/planning.json
Writes  reports/bench/scale.json: the parts that were measured; exits 1 if a limit is missed

curve      each stage at several numbers of clips, and with one clip more
training   alignment, trainings of one epoch and evaluation at several numbers of clips
encoder    each stage per hour of speech, with an encoder of the usual size; one worker beside two
executors  whether all executors of this machine write the same bytes
hand_over  what a shard costs besides its work
forecast   the time of 1,000 and 10,000 hours, from planning.json and the part `hand_over`
"""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any

from fonoteka.bench.report import Benchmark, run_benchmarks
from fonoteka.bench.scale import hand_over, page
from fonoteka.bench.scale.curve import measure_curve
from fonoteka.bench.scale.forecast import forecast
from fonoteka.bench.scale.stage_commands import chosen_stages
from fonoteka.bench.scale.training import measure_training
from fonoteka.bench.scale.workers import compare_executors, measure_encoder
from fonoteka.compute.execution import VARIABLE
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.core.params import PARAMS
from fonoteka.reporting.machine import Demand, demanded, require

REPORT, PLANNING = Path("reports/bench/scale.json"), Path("reports/bench/planning.json")
EXECUTOR_CLIPS, SHARDS = 100, 200
HAND_OVER_LIMIT_MS = 20.0


def bench_scale(
    names: Collection[str], clips: str, stages: str, more: bool, encoder_clips: str, rounds: int,
    busy: bool,
) -> None:  # fmt: skip
    """Run the benchmarks of scale; see the command line and `run_benchmarks`.

    Raises:
        UserError: a number or a name on the command line is wrong.
    """
    params = Path.cwd() / PARAMS
    sizes, few_many = numbers(clips, "--clips"), numbers(encoder_clips, "--encoder-clips")
    chosen = chosen_stages([name for name in stages.split(",") if name])
    if len({*few_many}) != 2:
        raise UserError(f"--encoder-clips: expected two numbers, found {encoder_clips!r}")
    benchmarks = {
        "curve": Benchmark(
            lambda: measure_curve(params, sizes, chosen, _part("curve").get("sizes", {}), more),
            page.curve_page, REPORT, "curve",
        ),
        "training": Benchmark(
            lambda: measure_training(params, sizes, _part("training").get("sizes", {})),
            page.training_page, REPORT, "training",
        ),
        "encoder": Benchmark(
            partial(measure_encoder, params, few_many, rounds), page.encoder_page, REPORT,
            "encoder",
        ),
        "executors": Benchmark(
            partial(compare_executors, params, EXECUTOR_CLIPS), page.executors_page, REPORT,
            "executors",
        ),
        "hand_over": Benchmark(measure_hand_over, page.hand_over_page, REPORT, "hand_over"),
        "forecast": Benchmark(_forecast, page.forecast_page, REPORT, "forecast"),
    }  # fmt: skip
    run_benchmarks(benchmarks, names, busy)


def numbers(text: str, option: str) -> list[int]:
    """Return the numbers of an option, each at least 1.

    Raises:
        UserError: one is not.

    >>> numbers("100,1000", "--clips")
    [100, 1000]
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    if wrong := [word for word in words if not word.isdecimal() or int(word) < 1]:
        raise UserError(f"{option}: expected numbers such as 100,1000, found {wrong[0]!r}")
    return [int(word) for word in words]


def measure_hand_over() -> dict[str, Any]:
    """Return the times of a shard by executor, with their limit."""
    before = os.environ.get(VARIABLE)
    try:
        times = hand_over.times(["serial", "processes", "dask"], SHARDS)
    finally:
        os.environ.pop(VARIABLE, None)
        if before is not None:
            os.environ[VARIABLE] = before
    rounded = {
        name: {key: round(value, 3) for key, value in each.items()} for name, each in times.items()
    }
    demands = [
        Demand(f"scale.{name}.shard_ms", each["shard_ms"], HAND_OVER_LIMIT_MS, at_most=True)
        for name, each in rounded.items()
    ]
    return {"times": rounded, "sla": demanded(demands)}


def _part(name: str) -> dict[str, Any]:
    report: dict[str, Any] = read_json(REPORT).get(name, {}) if REPORT.is_file() else {}
    return report


def _forecast() -> dict[str, Any]:
    require([PLANNING])
    return forecast(read_json(PLANNING), _part("hand_over").get("times", {}))
