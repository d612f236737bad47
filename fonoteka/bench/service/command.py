"""Load the service on this machine: short recordings beside a long one, live streams, swaps.

    python -m fonoteka bench service [--busy]

Reads   data/models, test.jsonl, data/audio, segments.parquet, as the last `make repro` left them
Writes  reports/bench/service.json; exits 1 if a limit is missed
Params  bench_service

Service and clients share the machine, so the figures include the work of the clients.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fonoteka.bench import report
from fonoteka.bench.report import Benchmark, run_benchmarks
from fonoteka.bench.service.clip_load import ClipRequest, closed_loop, sequential
from fonoteka.bench.service.direct import direct_seconds
from fonoteka.bench.service.figures import failed, live_row, load_row, quantiles_ms
from fonoteka.bench.service.live_load import speak_together
from fonoteka.bench.service.long_recording import beside_long_recording
from fonoteka.bench.service.recordings import clip_request, long_recording
from fonoteka.bench.service.service_process import running_service
from fonoteka.bench.service.swaps import requests_over_swaps
from fonoteka.bench.stream_timing import TimedStream
from fonoteka.bench.streaming import bench_streams
from fonoteka.core.errors import UserError
from fonoteka.core.params import load
from fonoteka.realtime.joined_streams import JoinParams
from fonoteka.reporting.machine import Demand, demanded, significant

LIVE = ("phones", "failed", "p50_ms", "p95_ms")


@dataclass(frozen=True)
class ServiceLimits:
    """Limits of the service.

    Attributes:
        max_slowdown: p95 of a short recording beside a long one, over that alone.
        max_lag_p95_ms: of the phones of live streams, for as many streams as are counted.
        min_streams_ratio: streams within that lag, over those that the baseline serves.
        max_overhead_ms: median of an answer, less that of the engine in this process.
        max_failed: requests that fail while models are swapped.
    """

    max_slowdown: float
    max_lag_p95_ms: float
    min_streams_ratio: float
    max_overhead_ms: float
    max_failed: int


@dataclass(frozen=True)
class ServiceBenchParams:
    """Section `bench_service`.

    Attributes:
        words_model: that recognises the words of the short and the long recording.
        phones_model: that requests ask for over swaps, and whose overhead is measured.
        clip_s: length of the short recording; the test clip nearest to it is taken.
        long_s: length of the long recording.
        rounds: requests of a measurement with one client.
        clients: numbers of clients that send at a time.
        seconds: that each number of clients sends for.
        streams: numbers of live streams, ascending; the first that misses the lag is the last.
        baseline: model and policy of the streams that recompute windows.
        join: how test clips are joined to streams.
        swaps: of models, while `requests` are answered.
        requests: see `swaps`.
        sla: the limits.
    """

    words_model: str
    phones_model: str
    clip_s: float
    long_s: float
    rounds: int
    clients: tuple[int, ...]
    seconds: float
    streams: tuple[int, ...]
    baseline: dict[str, str]
    join: JoinParams
    swaps: int
    requests: int
    sla: ServiceLimits

    def __post_init__(self) -> None:
        if min(self.rounds, self.swaps, self.requests, *self.clients, *self.streams) < 1:
            raise UserError("bench_service: every count must be at least 1")
        if list(self.streams) != sorted({*self.streams}):
            raise UserError(f"bench_service: streams must ascend, found {self.streams}")


def run(data: Path, params: ServiceBenchParams, options: Sequence[str] = ()) -> dict[str, Any]:
    """Return the report.

    Args:
        data: folder with models, audio, splits and corpus of a build.
        params: what is measured.
        options: of `fonoteka serve`.

    Raises:
        UserError: an input is missing, or the service does not start.
    """
    models = data / "models"
    clip = clip_request(data, params.clip_s, params.words_model, {"language": "en"})
    streams = bench_streams(
        data / "audio", data / "splits/test.jsonl", data / "corpus/segments.parquet",
        params.join, max(params.streams),
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="fonoteka-bench-") as folder:
        log = Path(folder, "service.log")
        with running_service(models, log, options) as service:
            url = service.url
            result = {
                "clip_s": round(clip.audio_s, 2),
                **_short_recordings(url, clip, params),
                "beside_long": _beside_long(url, clip, data, Path(folder), params),
                "overhead": _overhead(url, data, params),
                "streams": _live(url, streams, {}, params),
                "baseline_streams": _live(url, streams, params.baseline, params),
            }
        result["swaps"] = _swaps(data, Path(folder), params)
    return {**result, "sla": demanded(demands(result, params.sla))}


def _short_recordings(url: str, clip: ClipRequest, params: ServiceBenchParams) -> dict[str, Any]:
    asyncio.run(sequential(url, clip, 3))  # the first answers of a process are slower
    rows = {
        str(clients): load_row(
            asyncio.run(closed_loop(url, clip, clients, params.seconds)), clip.audio_s
        )
        for clients in params.clients
    }
    return {"words_model": clip.model, "clients": rows}


def _beside_long(
    url: str, clip: ClipRequest, data: Path, folder: Path, params: ServiceBenchParams
) -> dict[str, Any]:
    alone = asyncio.run(sequential(url, clip, params.rounds))
    long = long_recording(data, folder / "long.wav", params.long_s)
    answers, long_segments = asyncio.run(beside_long_recording(url, clip, long, params.rounds))
    p95, p95_alone = (quantiles_ms(each.seconds)["p95_ms"] for each in (answers, alone))
    if p95 is None or p95_alone is None:
        raise UserError("bench service: no short recording was answered; see the service's log")
    return {
        "long_s": params.long_s, "requests": params.rounds, "failed": failed(answers),
        "segments_of_long": long_segments, "alone": quantiles_ms(alone.seconds),
        "beside": quantiles_ms(answers.seconds), "slowdown_p95": significant(p95 / p95_alone),
    }  # fmt: skip


def _overhead(url: str, data: Path, params: ServiceBenchParams) -> dict[str, Any]:
    clip = clip_request(data, params.clip_s, params.phones_model, {})
    asyncio.run(sequential(url, clip, 3))
    served = asyncio.run(sequential(url, clip, params.rounds))
    direct = direct_seconds(data / "models", clip, params.rounds)
    ours, engines = (quantiles_ms(each)["p50_ms"] for each in (served.seconds, direct))
    if ours is None or engines is None:
        raise UserError("bench service: no request was answered; see the service's log")
    return {
        "model": params.phones_model, "service_p50_ms": ours, "engine_p50_ms": engines,
        "overhead_ms": round(ours - engines, 1),
    }  # fmt: skip


def _live(
    url: str, streams: Sequence[TimedStream], options: dict[str, str], params: ServiceBenchParams
) -> dict[str, Any]:
    """Return the lags for ever more streams, until the p95 misses the limit."""
    rows: dict[str, Any] = {}
    within = 0
    for count in params.streams:
        results = asyncio.run(speak_together(url, streams, count, options))
        rows[str(count)] = row = live_row(results)
        if row["failed"] or row["p95_ms"] is None or row["p95_ms"] > params.sla.max_lag_p95_ms:
            break
        within = count
    return {**options, "within_limit": within, "rows": rows}


def _swaps(data: Path, folder: Path, params: ServiceBenchParams) -> dict[str, Any]:
    clip = clip_request(data, params.clip_s, params.phones_model, {})
    answers = requests_over_swaps(
        data / "models" / params.phones_model, folder, clip, params.swaps, params.requests
    )
    return {
        "requests": params.requests, "swaps": params.swaps, "failed": failed(answers),
        "refused": answers.statuses[429], "versions": len(answers.versions),
        "without_version": answers.versions[""],
    }  # fmt: skip


def demands(result: Mapping[str, Any], limits: ServiceLimits) -> list[Demand]:
    """Return the limits with what the service reached."""
    streams = result["streams"]["within_limit"]
    others = result["baseline_streams"]["within_limit"]
    least = limits.min_streams_ratio * max(others, 1)
    at_most = {
        "slowdown": (result["beside_long"]["slowdown_p95"], limits.max_slowdown),
        "overhead_ms": (result["overhead"]["overhead_ms"], limits.max_overhead_ms),
        "swap_failures": (result["swaps"]["failed"], limits.max_failed),
    }
    return [
        *(Demand(f"service.{name}", *pair, at_most=True) for name, pair in at_most.items()),
        Demand("service.streams", streams, least, at_most=False),
    ]


def page(result: Mapping[str, Any]) -> str:
    """Return the report as text."""
    clients = [
        [f"{number} clients", row["answers"], row["failed"], row["p50_ms"], row["p95_ms"],
         row["audio_s_per_s"]]
        for number, row in result["clients"].items()
    ]  # fmt: skip
    live = [
        [f"{number} streams, {name}", *(row[key] for key in LIVE), ""]
        for name, part in (("engine", "streams"), ("windows", "baseline_streams"))
        for number, row in result[part]["rows"].items()
    ]  # fmt: skip
    long, overhead, swaps = result["beside_long"], result["overhead"], result["swaps"]
    return report.page(
        f"service: {result['words_model']}, clips of {result['clip_s']:g} s; streams in real time",
        ["", "answers or phones", "failed", "p50 ms", "p95 ms", "audio s per s"],
        [*clients, *live],
        f"beside a recording of {long['long_s']:g} s the p95 is {long['slowdown_p95']:g} times "
        "that alone",
        f"overhead over the engine: {overhead['overhead_ms']:g} ms",
        f"{swaps['requests']} requests over {swaps['swaps']} swaps: {swaps['failed']} failed, "
        f"{swaps['versions']} versions",
    )


def bench_service(busy: bool = False) -> None:
    """Run the benchmark of the service; see `run_benchmarks`."""
    params = load("bench_service", ServiceBenchParams)
    measure = partial(run, Path("data"), params)
    file = Path("reports/bench/service.json")
    run_benchmarks({"service": Benchmark(measure, page, file)}, busy=busy)
