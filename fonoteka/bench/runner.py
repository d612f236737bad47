"""Measure what `make repro` itself costs: a run with nothing to do, and stages side by side.

    make bench-runner
    python -m fonoteka.bench.runner [idle] [jobs] [--rounds N]

Reads   the checkout, which has to be built and unchanged
Writes  reports/bench/runner.json: of the parts that were measured; exits 1 where a figure misses

idle    a run with nothing to do, beside dvc's own on as many stages that do nothing, and beside
        dvc's own on these stages; in turns
jobs    the last commit in clones with empty caches, of the small profile, by one job and by as
        many as there are cores: their times, and whether they wrote the same dvc.lock
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from fonoteka.bench.corpus_commands import TOP, timed
from fonoteka.core.cpu_count import worker_count
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, write_json
from fonoteka.core.run_stage import stage
from fonoteka.git import clone_of_head
from fonoteka.pipeline import dvc_api
from fonoteka.pipeline.scheduler import Step
from fonoteka.pipeline.verify import environment as build_environment
from fonoteka.pipeline.verify.environment import Surroundings
from fonoteka.reporting.machine import Demand, demanded, machine, missed
from fonoteka.reporting.text_table import table

IDLE_LIMIT, JOBS_LIMIT = 1.2, 1.5
DVC = ("dvc", "repro")
SHOWN = "reports/comparison.md"
REPORT = Path("reports/bench/runner.json")


def idle(rounds: int) -> dict[str, Any]:
    """Return what a run with nothing to do takes, by make and by dvc, medians in seconds.

    Raises:
        ValueError: there is something to do here, or a command fails.
    """
    steps = dvc_api.read().steps
    count = len(steps)
    refuse_stale(steps)
    ours = ("fonoteka.pipeline.runner.run", "--jobs", str(worker_count()), "--show", SHOWN)
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_stages(folder, count)
        for command, where in ((DVC, folder), (ours, TOP)):
            timed(
                command, where
            )  # the first run makes the outputs, and here a note that all is fresh
        turns = [
            (timed(DVC, folder).seconds, timed(ours, TOP).seconds, timed(DVC, TOP).seconds)
            for _ in range(rounds)
        ]
    empty_s, make_s, dvc_s = (median(column) for column in zip(*turns, strict=True))
    ratio = round(make_s / empty_s, 3)
    return {
        "stages": count,
        "rounds": rounds,
        "dvc_on_empty_stages_s": round(empty_s, 3),
        "make_repro_s": round(make_s, 3),
        "dvc_on_these_stages_s": round(dvc_s, 3),
        "of_empty": ratio,
        "sla": demanded((Demand("idle.of_empty", ratio, IDLE_LIMIT, at_most=True),)),
    }


def write_stages(folder: Path, count: int) -> None:
    """Make a repository of dvc with stages that only write their own name."""
    environment = build_environment.variables(Surroundings(), folder / "site")
    for command in (["git", "init", "--quiet"], [sys.executable, "-m", "dvc", "init", "--quiet"]):
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    stages = (
        f"  s{number}:\n    cmd: echo {number} > {number}\n    outs: ['{number}']\n"
        for number in range(count)
    )
    (folder / "dvc.yaml").write_text(f"stages:\n{''.join(stages)}", encoding="utf-8")


def refuse_stale(steps: Sequence[Step]) -> None:
    """Refuse to time a run that would do something.

    Raises:
        ValueError: a stage is not fresh.
    """
    if any(step.stale for step in steps):
        raise UserError("not all is built here, so there is no run with nothing to do: make repro")


def jobs() -> dict[str, Any]:
    """Return what builds of the small profile from nothing take, by one job and by one a core.

    Raises:
        ValueError: there is one core alone, or a build fails.
    """
    if (cores := worker_count()) == 1:
        raise UserError("one core alone: there is nothing to do side by side")
    (one_s, one), (more_s, more) = built(1), built(cores)
    ratio, same = round(one_s / more_s, 3), float(one == more)
    return {
        "profile": "small",
        "jobs": cores,
        "one_s": round(one_s, 1),
        "more_s": round(more_s, 1),
        "times_as_fast": ratio,
        "same_lock": one == more,
        "sla": demanded((
            Demand("jobs.times_as_fast", ratio, JOBS_LIMIT, at_most=False),
            Demand("jobs.same_lock", same, 1.0, at_most=False),
        )),
    }  # fmt: skip


def built(count: int) -> tuple[float, bytes]:
    """Build the last commit in a clone, and return the seconds and the bytes of its dvc.lock."""
    with TemporaryDirectory() as name:
        said = Path(name) / "said"
        commands, folder = clone_of_head(TOP, Path(name) / "fonoteka")
        environment = build_environment.variables(Surroundings(), Path(name) / "site")

        def run(*command: str) -> None:
            with said.open("w", encoding="utf-8") as file:
                done = subprocess.run(
                    command, cwd=folder if folder.is_dir() else TOP, env=environment,
                    stdout=file, stderr=subprocess.STDOUT, check=False,
                )  # fmt: skip
            if done.returncode:
                end = " ".join(said.read_text(encoding="utf-8", errors="replace").split())[-400:]
                raise UserError(f"{' '.join(command)} ended with {done.returncode}: {end}")

        for command in commands:
            run(*command)
        run(sys.executable, "-m", "fonoteka.pipeline.overrides", "small")
        (folder / "dvc.lock").unlink()
        begin = time.perf_counter()
        run(sys.executable, "-m", "fonoteka.pipeline.runner.run", "--jobs", str(count))
        return time.perf_counter() - begin, (folder / "dvc.lock").read_bytes()


def page(found: dict[str, Any]) -> str:
    """Return what a person reads."""
    parts = []
    if part := found.get("idle"):
        rows = [
            [name, part[key], f"{part[key] / part['dvc_on_empty_stages_s']:.2f}"]
            for name, key in (
                ("dvc repro on empty stages", "dvc_on_empty_stages_s"),
                ("dvc repro here", "dvc_on_these_stages_s"),
                ("make repro here", "make_repro_s"),
            )
        ]
        parts.append(f"nothing to do, {part['stages']} stages, median of {part['rounds']}:\n")
        parts.append(table(["", "s", "x"], rows))
    if part := found.get("jobs"):
        parts.append(
            f"\nfrom an empty cache, small profile: JOBS=1 {part['one_s']} s, JOBS={part['jobs']} "
            f"{part['more_s']} s: {part['times_as_fast']} times as fast, "
            f"{'the same' if part['same_lock'] else 'ANOTHER'} dvc.lock"
        )
    return "\n".join(parts)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bench-runner", description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help="idle, jobs (default: both)")
    parser.add_argument("--rounds", type=int, default=5, help="of idle runs")
    given = parser.parse_args()
    if unknown := sorted(set(given.what) - {"idle", "jobs"}):
        parser.error(f"{unknown[0]!r} is none of ['idle', 'jobs']")
    known = read_json(REPORT) if REPORT.is_file() else {}
    measured: dict[str, Any] = {}
    for what in given.what or ["idle", "jobs"]:
        facts = machine()
        measured[what] = {"machine": facts} | (idle(given.rounds) if what == "idle" else jobs())
    write_json(REPORT, known | measured)
    print(page(measured))
    if problems := missed(measured.values()):
        raise UserError(f"bench-runner: {len(problems)} missed: {'; '.join(problems)}")


if __name__ == "__main__":
    stage(main)
