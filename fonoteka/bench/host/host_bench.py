"""Time the C++ front end of a bundle hop by hop, and the five models in ONNX Runtime with it.

    python -m fonoteka bench host [--busy]

Reads   data/models/realtime
Writes  reports/bench/host.json; exits 1 if a limit is missed
Params  bench_host

The headers of the bundle are compiled with the first of g++ and clang++ at -O2. All runs in one
process on one core. The longest of a million blocks shows what else the machine does, so it means
something on an idle core alone.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.bench import report
from fonoteka.bench.realtime import hop_times
from fonoteka.bench.report import Benchmark, run_benchmarks
from fonoteka.bench.timer import Repeats, Times, measure_alone
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.core.params import load
from fonoteka.onnx_export.session import open_model
from fonoteka.onnx_export.stateful_session import StatefulSession
from fonoteka.packaging import PACKAGE, verified
from fonoteka.realtime.block_check import synthetic_sound
from fonoteka.realtime.frontend import FrontEnd
from fonoteka.realtime.host_files import DECISIONS_HEADER, FRONTEND_HEADER
from fonoteka.realtime.resampler import HOST_RATES_HZ
from fonoteka.reporting.machine import Demand, demanded, quantiles, require, significant

REPORT = Path("reports/bench/host.json")
BUNDLE = Path("data/models/realtime")
PROGRAMS = Path(__file__).with_name("programs")
COMPILERS = ("g++", "clang++")
FLAGS = ("-std=c++17", "-O2", "-fno-exceptions", "-fno-rtti")
RESAMPLED_SHARE = 10
"""The other rates have a tenth of the hops at 16 kHz."""


@dataclass(frozen=True)
class HostLimits:
    """Limits of a host per hop.

    Attributes:
        max_front_end_us: median of the front end at 16 kHz.
        max_worst_over_median: the longest block at 16 kHz, relative to the median.
        max_ms_per_hop: medians of the front end and of the five models in ONNX Runtime.
    """

    max_front_end_us: float
    max_worst_over_median: float
    max_ms_per_hop: float


@dataclass(frozen=True)
class HostBenchParams:
    """Section `bench_host`.

    Attributes:
        seed: of the sound.
        hops: of the front end at 16 kHz.
        repeats: of the models in ONNX Runtime; a repetition is a hop.
        sla: the limits.
    """

    seed: int
    hops: int
    repeats: Repeats
    sla: HostLimits


@dataclass(frozen=True)
class CompiledTimer:
    """The program that times the front end, and how it was compiled."""

    path: Path
    compiler: str


def compile_timer(bundle: Path, folder: Path) -> CompiledTimer:
    """Compile the program with the headers of a bundle into a folder.

    Raises:
        UserError: no compiler is installed, or it refuses the headers.
    """
    compiler = next((name for name in COMPILERS if shutil.which(name)), None)
    if compiler is None:
        raise UserError(f"bench host: none of {', '.join(COMPILERS)} is installed; install one")
    for name in (FRONTEND_HEADER, DECISIONS_HEADER):
        shutil.copyfile(verified(bundle, name), folder / name)
    program = folder / "hop_times"
    source = PROGRAMS / "hop_times.cpp"
    command = [compiler, *FLAGS, "-I", str(folder), str(source), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"bench host: {compiler} refused {source.name}: {done.stderr.strip()}")
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True)
    return CompiledTimer(program, version.stdout.splitlines()[0])


def time_host(
    program: Path, graphs: Sequence[Path], front_end: Path, signal: Signal, hops: int,
    repeats: Repeats,
) -> dict[str, Times]:  # fmt: skip
    """Return the ms per hop of the front end at each rate, `[hops]`, and of the models.

    Args:
        program: compiled by `compile_timer`.
        graphs: the ONNX file of each model.
        front_end: its JSON file.
        signal: the input, `[N]`; at other rates the same samples are read faster.
        hops: of the front end at 16 kHz.
        repeats: of the models.

    Returns:
        `front_end_<rate>` `[hops]`, `state_bytes` `[2]`, and `models` `[rounds, hops, models]`.
    """
    times: dict[str, Times] = {}
    for rate_hz in HOST_RATES_HZ:
        count = hops if rate_hz == SAMPLE_RATE_HZ else max(1, hops // RESAMPLED_SHARE)
        command = [str(program), str(rate_hz), str(count), str(repeats.warmup)]
        done = subprocess.run(command, input=signal.tobytes(), capture_output=True, check=True)
        times[f"front_end_{rate_hz}"] = np.frombuffer(done.stdout, np.uint32) / 1e6
        times["state_bytes"] = np.array(done.stderr.split()[:2], np.float64)
    end = FrontEnd.from_json(read_json(front_end))
    frames = [frame[None] for frame in end(signal)[: repeats.warmup + repeats.repetitions]]
    models = [StatefulSession(open_model(graph)) for graph in graphs]
    rounds = []
    for _ in range(repeats.rounds):
        for model in models:
            model.reset()
        rounds.append(hop_times([model.run for model in models], frames)[0][repeats.warmup :])
    return times | {"models": np.stack(rounds)}


def measure_host(bundle: Path, params: HostBenchParams) -> dict[str, Any]:
    """Return the report.

    Raises:
        UserError: an input is missing or changed, or no compiler is installed.
    """
    require([bundle / PACKAGE])
    names = sorted(read_json(bundle / PACKAGE)["models"])
    graphs = [verified(bundle, f"{name}.onnx") for name in names]
    front_end, repeats = verified(bundle, "frontend.json"), params.repeats
    hop_s = read_json(front_end)["hop"] / SAMPLE_RATE_HZ
    signal = synthetic_sound((repeats.warmup + repeats.repetitions) * hop_s, params.seed)
    with TemporaryDirectory() as name:
        timer = compile_timer(bundle, Path(name))
        measurement = measure_alone(
            time_host, timer.path, graphs, front_end, signal, params.hops, repeats
        )
    times = measurement.times_ms
    rates = {str(r): front_end_figures(times[f"front_end_{r}"]) for r in HOST_RATES_HZ}
    own = rates[str(SAMPLE_RATE_HZ)]
    models = quantiles(times["models"].sum(axis=2))
    together = round(models["median_ms"] + own["median_us"] / 1000, 4)
    sla = params.sla
    front_end_bytes, decider_bytes = map(int, times["state_bytes"])
    return measurement.conditions(repeats) | {
        "compiler": timer.compiler, "flags": list(FLAGS), "hop_ms": 1000 * hop_s,
        "front_end": rates, "models": names, "onnx": models, "ms_per_hop": together,
        "state_bytes": front_end_bytes + len(names) * decider_bytes,
        "sla": demanded(
            (
                Demand("host.front_end_us", own["median_us"], sla.max_front_end_us, at_most=True),
                Demand(
                    "host.worst_over_median", own["worst_over_median"], sla.max_worst_over_median,
                    at_most=True,
                ),
                Demand("host.ms_per_hop", together, sla.max_ms_per_hop, at_most=True),
            )
        ),
    }  # fmt: skip


def front_end_figures(times_ms: Times) -> dict[str, Any]:
    """Return the figures of blocks in microseconds: median, quantiles and the longest.

    >>> front_end_figures(np.array([0.002, 0.004, 0.04]))["worst_over_median"]
    10.0
    """
    times_us = 1000 * times_ms
    median, p99, p9999 = np.quantile(times_us, [0.5, 0.99, 0.9999])
    worst = float(times_us.max())
    return {
        "hops": len(times_us), "median_us": significant(median), "p99_us": significant(p99),
        "p9999_us": significant(p9999), "worst_us": significant(worst),
        "worst_over_median": significant(worst / median),
        "over_ten_medians": int((times_us > 10 * median).sum()),
    }  # fmt: skip


def page(result: Mapping[str, Any]) -> str:
    """Return the report as text."""
    rows = [
        [f"front end, {int(rate) / 1000:g} kHz", row["median_us"], row["p99_us"], row["worst_us"],
         row["worst_over_median"], row["hops"]]
        for rate, row in result["front_end"].items()
    ]  # fmt: skip
    onnx = result["onnx"]
    rows.append(["five models, ONNX Runtime", round(1000 * onnx["median_ms"], 1),
                 round(1000 * onnx["p99_ms"], 1), None, None,
                 result["rounds"] * result["repetitions"]])  # fmt: skip
    title = f"host: one hop of {result['hop_ms']:g} ms per block on one core, {result['compiler']}"
    header = ["part", "median us", "p99 us", "worst us", "worst / median", "hops"]
    return report.page(
        title, header, rows,
        f"front end and five models: {result['ms_per_hop']:g} ms per hop; state of front end and "
        f"decisions: {result['state_bytes']} bytes",
    )  # fmt: skip


def bench_host(busy: bool = False) -> None:
    """Run the benchmark; see `run_benchmarks`."""
    params = load("bench_host", HostBenchParams)
    measure = partial(measure_host, BUNDLE, params)
    run_benchmarks({"host": Benchmark(measure, page, REPORT)}, busy=busy)
