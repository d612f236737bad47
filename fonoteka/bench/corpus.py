"""Measure the corpus side: speed, near duplicates, text; fail if a figure misses its limit.

    python -m fonoteka bench corpus [speed] [duplicates] [text] [--full] [--corpora FOLDER]

Reads   params.yaml; data/raw (the recordings that are degraded)
Writes  reports/bench/corpus.json: the parts that were measured; exits 1 if a limit is missed
Params  inventory, dedupe

Stages run as commands, as `make repro` runs them, so that imports and worker processes count too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

from fonoteka.bench import corpus_speed, duplicates, text
from fonoteka.bench.report import Benchmark, run_benchmarks
from fonoteka.core.params import PARAMS

CLIPS, ROUNDS, SHORT, FULL = 10_000, 3, (1_000, 10_000), (1_000, 10_000, 100_000)
REPORT = Path("reports/bench/corpus.json")


def bench_corpus(
    names: Collection[str] = (), full: bool = False, corpora: Sequence[Path] = (),
    per_kind: int = 60, tuning: bool = False, busy: bool = False,
) -> None:  # fmt: skip
    """Run the benchmarks of the corpus side; see the command line and `run_benchmarks`."""
    speed = partial(corpus_speed.run, PARAMS, CLIPS, ROUNDS, FULL if full else SHORT)
    search = partial(duplicates.run, PARAMS, corpora, per_kind, tuning)
    benchmarks = {
        "speed": Benchmark(speed, corpus_speed.page, REPORT, "speed"),
        "duplicates": Benchmark(search, duplicates.page, REPORT, "duplicates"),
        "text": Benchmark(text.run, text.page, REPORT, "text"),
    }
    run_benchmarks(benchmarks, names, busy)
