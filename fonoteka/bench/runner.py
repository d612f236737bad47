"""Measure `make repro` itself: a run with nothing to do, and stages side by side.

    python -m fonoteka bench runner [idle] [jobs] [--rounds N] [--busy]

Reads   the checkout, which has to be built and unchanged
Writes  reports/bench/runner.json: the parts that were measured; exits 1 if a limit is missed

idle    a run with nothing to do, beside `dvc repro` on as many empty stages and beside `dvc repro`
        on these stages, in turns
jobs    the last commit, small profile, in clones with empty caches: the time of one job and of one
        job per core, and whether both wrote the same dvc.lock
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from fonoteka.bench import report
from fonoteka.bench.report import Benchmark, run_benchmarks
from fonoteka.bench.timer import TOP, time_command
from fonoteka.core.cpu_count import worker_count
from fonoteka.core.errors import UserError
from fonoteka.git import clone_of_head
from fonoteka.pipeline import plan
from fonoteka.pipeline.verify import environment as build_environment
from fonoteka.pipeline.verify.environment import BuildEnvironment
from fonoteka.reporting.machine import Demand, demanded

IDLE_LIMIT, JOBS_LIMIT = 1.2, 1.5
RUNNER = ("fonoteka", "repro")
REPORT = Path("reports/bench/runner.json")


def idle(rounds: int) -> dict[str, Any]:
    """Return the seconds of a run with nothing to do, by make and by dvc, medians over rounds.

    Raises:
        UserError: a stage is stale, or a command fails.
    """
    stages = plan.read().stages
    if any(stage.stale for stage in stages):
        raise UserError("a stage is stale, so a run would have something to do; run `make repro`")
    make = (*RUNNER, "--jobs", str(worker_count()), "--show", "reports/comparison.md")
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_stages(folder, len(stages))
        commands = ((("dvc", "repro"), folder), (make, TOP), (("dvc", "repro"), TOP))
        for command, root in commands[:2]:  # the first run builds, and records that all is fresh
            time_command(command, root)
        turns = [[time_command(*command).seconds for command in commands] for _ in range(rounds)]
    empty_s, make_s, dvc_s = (median(seconds) for seconds in zip(*turns, strict=True))
    ratio = round(make_s / empty_s, 3)
    return {
        "stages": len(stages), "rounds": rounds, "dvc_on_empty_stages_s": round(empty_s, 3),
        "make_repro_s": round(make_s, 3), "dvc_on_these_stages_s": round(dvc_s, 3),
        "of_empty": ratio,
        "sla": demanded((Demand("idle.of_empty", ratio, IDLE_LIMIT, at_most=True),)),
    }  # fmt: skip


def write_stages(folder: Path, count: int) -> None:
    """Make a DVC repository whose stages only write their own number."""
    environment = build_environment.variables(BuildEnvironment(), folder / "site")
    for command in (["git", "init", "--quiet"], [sys.executable, "-m", "dvc", "init", "--quiet"]):
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    stages = (f"  s{n}: {{cmd: echo {n} > {n}, outs: ['{n}']}}\n" for n in range(count))
    (folder / "dvc.yaml").write_text(f"stages:\n{''.join(stages)}", encoding="utf-8")


def jobs() -> dict[str, Any]:
    """Return the seconds that a build from nothing takes by one job and by one job per core.

    Raises:
        UserError: there is only one core, or a build fails.
    """
    if (cores := worker_count()) == 1:
        raise UserError("there is only one core, so stages cannot run side by side")
    (one_s, one_lock), (more_s, more_lock) = build(1), build(cores)
    ratio, same = round(one_s / more_s, 3), one_lock == more_lock
    demands = (
        Demand("jobs.times_as_fast", ratio, JOBS_LIMIT, at_most=False),
        Demand("jobs.same_lock", float(same), 1.0, at_most=False),
    )
    return {
        "profile": "small", "jobs": cores, "one_s": round(one_s, 1), "more_s": round(more_s, 1),
        "times_as_fast": ratio, "same_lock": same, "sla": demanded(demands),
    }  # fmt: skip


def build(count: int) -> tuple[float, bytes]:
    """Build the last commit in a clone; return the seconds and the bytes of its dvc.lock."""
    with TemporaryDirectory() as name:
        environment = build_environment.variables(BuildEnvironment(), Path(name) / "site")
        commands, folder = clone_of_head(TOP, Path(name) / "fonoteka")
        for command in commands:
            _run(command, TOP, environment)
        _run((sys.executable, "-m", "fonoteka", "profile", "small"), folder, environment)
        (folder / "dvc.lock").unlink()
        begin = time.perf_counter()
        _run((sys.executable, "-m", *RUNNER, "--jobs", str(count)), folder, environment)
        return time.perf_counter() - begin, (folder / "dvc.lock").read_bytes()


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        encoding="utf-8", errors="replace", check=False,
    )  # fmt: skip
    if done.returncode:
        end = " ".join(done.stdout.split())[-400:]
        raise UserError(f"{' '.join(command)} ended with {done.returncode}: {end}")


def idle_page(result: Mapping[str, Any]) -> str:
    """Return the report on a run with nothing to do as text."""
    names = ("dvc repro on empty stages", "dvc repro here", "make repro here")
    keys = ("dvc_on_empty_stages_s", "dvc_on_these_stages_s", "make_repro_s")
    ratios = (f"{result[key] / result[keys[0]]:.2f}" for key in keys)
    rows = list(zip(names, map(result.get, keys), ratios, strict=True))
    title = f"nothing to do, {result['stages']} stages, median of {result['rounds']}:"
    return report.page(title, ["", "s", "x"], rows)


def jobs_page(result: Mapping[str, Any]) -> str:
    """Return the report on stages side by side as text."""
    return (
        f"from an empty cache, small profile: JOBS=1 {result['one_s']} s, JOBS={result['jobs']} "
        f"{result['more_s']} s: {result['times_as_fast']} times as fast, "
        f"{'the same' if result['same_lock'] else 'ANOTHER'} dvc.lock"
    )


def bench_runner(names: Collection[str] = (), rounds: int = 5, busy: bool = False) -> None:
    """Run the benchmarks of the runner; see `run_benchmarks`."""
    benchmarks = {
        "idle": Benchmark(partial(idle, rounds), idle_page, REPORT, "idle"),
        "jobs": Benchmark(jobs, jobs_page, REPORT, "jobs"),
    }
    run_benchmarks(benchmarks, names, busy)
