"""Time the recognition of streams beside window recompute: real-time factor, deadlines, lag.

Reads   data/models/<model>, test.jsonl, data/audio, segments.parquet
Writes  reports/bench/streaming.json
Params  bench_streaming

A hop is one chunk of samples; its deadline is the arrival of the next one. The engine and the
baseline take turns, stream by stream, on one core. Their hops are computed one after another, and
the time at which each would be ready in a live stream follows from the times of computation; with
`paced_s` a part of the streams is fed at the speed of the clock too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fonoteka import manifest
from fonoteka.alignment.phone_rows import read_phone_rows
from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.bench import report
from fonoteka.bench.report import Benchmark, run_benchmarks
from fonoteka.bench.stream_timing import (
    ENGINE,
    FIGURES,
    PACED,
    Candidates,
    TimedStream,
    time_streams,
)
from fonoteka.bench.timer import Times, measure_alone
from fonoteka.core.errors import UserError
from fonoteka.core.params import load
from fonoteka.realtime.joined_streams import JoinParams, joined_streams
from fonoteka.reporting.machine import Demand, demanded, quantiles, require, significant


@dataclass(frozen=True)
class StreamingLimits:
    """Limits of the engine on one core.

    Attributes:
        max_rtf: seconds of computation per second of audio, at most.
        max_missed: hops that are ready after the next one has arrived, at most.
        max_lag_p90_ms: from the end of a phone to its commit, with computation, at most.
    """

    max_rtf: float
    max_missed: int
    max_lag_p90_ms: float


@dataclass(frozen=True)
class StreamingBenchParams:
    """Section `bench_streaming`.

    Attributes:
        model: the folder in data/models.
        streams: number of test streams.
        join: how clips are joined to streams.
        candidates: the engine and its baselines.
        paced_s: seconds of streams that are fed at the speed of the clock, repeated if they are
            shorter; 0 for none.
        sla: the limits.
    """

    model: str
    streams: int
    join: JoinParams
    candidates: Candidates
    paced_s: float
    sla: StreamingLimits

    def __post_init__(self) -> None:
        if self.streams < 1:
            raise UserError(f"bench_streaming: streams must be at least 1, found {self.streams}")
        if not 0 <= self.paced_s < math.inf:
            raise UserError(
                f"bench_streaming: paced_s must be a finite number of seconds from 0 on, found "
                f"{self.paced_s}"
            )


def run(
    models: Path, audio: Path, test: Path, segments: Path, params: StreamingBenchParams
) -> dict[str, Any]:
    """Return the report.

    Raises:
        UserError: an input is missing, or the test part has no clip with phone times.
    """
    folder = models / params.model
    require([folder / "step.onnx", audio, test, segments])
    streams = bench_streams(audio, test, segments, params.join, params.streams)
    candidates = params.candidates
    measurement = measure_alone(time_streams, folder, streams, candidates, params.paced_s)
    times = measurement.times_ms
    seconds = sum(len(stream.samples) for stream in streams) / SAMPLE_RATE_HZ
    rows = {
        name: row_of({key: times[f"{name}/{key}"] for key in FIGURES}, seconds)
        for name in dict.fromkeys(key.rpartition("/")[0] for key in times)
        if len(times[f"{name}/hops"])
    }
    if PACED in rows:
        del rows[PACED]["rtf"]  # it is computed for the seconds that the engine was fed at once
        hop_s = candidates.chunk_ms / 1000
        rows[PACED]["seconds"] = round(rows[PACED]["hops"] * hop_s, 1)
    for name, row in rows.items():
        if name != PACED:
            row["times_the_engines_rtf"] = significant(row["rtf"] / rows[ENGINE]["rtf"])
    return {
        "model": params.model, "policy": candidates.policy, "decoder": candidates.decoder,
        "cores": measurement.cores, "threads": 1, "process_holds": measurement.modules,
        "streams": len(streams), "seconds": round(seconds, 1), "chunk_ms": candidates.chunk_ms,
        "window_s": candidates.window_s, "candidates": rows,
        "sla": demanded(demands(rows, params.sla)),
    }  # fmt: skip


def demands(rows: Mapping[str, Any], limits: StreamingLimits) -> list[Demand]:
    """Return the limits of the engine with what it reached, at both speeds."""
    own = [rows[name] for name in (ENGINE, PACED) if name in rows]
    missed = sum(row["missed_deadlines"] for row in own)
    lags = [row["commit_lag_with_computation_ms"]["p90"] for row in own]
    if None in lags:
        raise UserError(
            "bench_streaming: no committed phone is right, so there is no lag; train the model "
            "longer"
        )
    return [
        Demand("streaming.rtf", rows[ENGINE]["rtf"], limits.max_rtf, at_most=True),
        Demand("streaming.missed", missed, limits.max_missed, at_most=True),
        Demand("streaming.lag_p90_ms", max(lags), limits.max_lag_p90_ms, at_most=True),
    ]


def bench_streams(
    audio: Path, test: Path, segments: Path, join: JoinParams, count: int
) -> list[TimedStream]:
    """Return the first streams of the test part, one of each speaker before the second of any.

    Raises:
        UserError: the part has no clip with phone times.
    """
    times = read_phone_rows(segments)
    timed = [u for u in manifest.read(test) if u.id in times]
    if not timed:
        raise UserError(f"{test}: no clip whose phone times are known; run the stage align")
    streams = sorted(
        joined_streams("test", timed, audio, times, join),
        key=lambda stream: (stream.id.rpartition("-")[2], stream.id),
    )
    return [
        TimedStream(stream.samples, [(row[-3], row[-2], row[-1]) for row in stream.rows])
        for stream in streams[:count]
    ]


def row_of(times: Mapping[str, Times], seconds: float) -> dict[str, Any]:
    """Return the report of a candidate from its figures and the seconds of its audio."""
    return {
        "rtf": significant(float(times["compute"].sum()) / 1000 / seconds),
        **quantiles(times["hops"]),
        "hops": len(times["hops"]),
        "missed_deadlines": int(times["missed"][0]),
        "commit_lag_ms": lag_quantiles(times["lag"]),
        "commit_lag_with_computation_ms": lag_quantiles(times["ready"]),
    }


def lag_quantiles(lags_ms: Times) -> dict[str, float | None]:
    """Return the median and the 90th percentile of lags in ms; None if there is none."""
    if not len(lags_ms):
        return {"p50": None, "p90": None}
    p50, p90 = np.quantile(lags_ms, [0.5, 0.9])
    return {"p50": round(float(p50), 1), "p90": round(float(p90), 1)}


def page(result: Mapping[str, Any]) -> str:
    """Return the report as text."""
    rows = [
        [
            name, row.get("rtf"), row["median_ms"], row["p99_ms"], row["hops"],
            row["missed_deadlines"], row["commit_lag_ms"]["p90"],
            row["commit_lag_with_computation_ms"]["p90"], row.get("times_the_engines_rtf"),
        ]
        for name, row in result["candidates"].items()
    ]  # fmt: skip
    title = (
        f"streaming: {result['model']}, {result['policy']}, {result['decoder']}, "
        f"{result['streams']} streams, {result['seconds']:g} s, hops of {result['chunk_ms']:g} ms, "
        "one core"
    )
    header = [
        "", "RTF", "median ms", "p99 ms", "hops", "missed", "lag p90 ms", "with computation",
        "x engine's RTF",
    ]  # fmt: skip
    return report.page(title, header, rows)


def bench_streaming(busy: bool = False, paced_s: float | None = None) -> None:
    """Run the benchmark of streams; see `run_benchmarks`.

    Args:
        busy: measure although the machine has other work.
        paced_s: in place of `bench_streaming.paced_s`.
    """
    params = load("bench_streaming", StreamingBenchParams)
    if paced_s is not None:
        params = replace(params, paced_s=paced_s)
    measure = partial(
        run, Path("data/models"), Path("data/audio"), Path("data/splits/test.jsonl"),
        Path("data/corpus/segments.parquet"), params,
    )  # fmt: skip
    file = Path("reports/bench/streaming.json")
    run_benchmarks({"streaming": Benchmark(measure, page, file)}, busy=busy)
