"""Time the models on this machine and fail if one is slower than params.yaml allows.

    python -m fonoteka bench heads|paths|realtime|words|beam|streaming|all [--busy]

Reads   data/, as the last `make repro` left it
Writes  reports/bench/<name>.json; exits 1 if a limit is missed
Params  bench

It is a command and not a stage: a time depends on the machine and the moment, so no result may
depend on it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fonoteka.bench import head, path, realtime
from fonoteka.bench.head import HeadBenchParams
from fonoteka.bench.path import PathBenchParams
from fonoteka.bench.realtime import RealtimeBenchParams
from fonoteka.bench.report import Benchmark, run_benchmarks
from fonoteka.core.params import load

MODELS, REPORTS = Path("data/models"), Path("reports/bench")


@dataclass(frozen=True)
class BenchParams:
    """Section `bench`.

    Attributes:
        shipped: the model whose head is timed.
        reference: the model whose head is the baseline.
        head: the heads alone.
        path: whole models on test clips.
        realtime: the causal models, one hop per call.
    """

    shipped: str
    reference: str
    head: HeadBenchParams
    path: PathBenchParams
    realtime: RealtimeBenchParams


def bench_models(names: Collection[str] = (), busy: bool = False) -> None:
    """Run the benchmarks of the models; see `run_benchmarks`."""
    params = load("bench", BenchParams)
    shipped, reference = MODELS / params.shipped, MODELS / params.reference
    test = Path("data/splits/test.jsonl")
    run_head = partial(head.run, shipped, reference, params.head)
    run_path = partial(path.run, MODELS, Path("data/audio"), test, params.path)
    run_realtime = partial(
        realtime.run, MODELS / "realtime", Path("data/realtime/models"), params.realtime
    )
    benchmarks = {
        "head": Benchmark(run_head, head.page, REPORTS / "head.json"),
        "path": Benchmark(run_path, path.page, REPORTS / "path.json"),
        "realtime": Benchmark(run_realtime, realtime.page, REPORTS / "realtime.json"),
    }
    run_benchmarks(benchmarks, names, busy)
