"""One worker beside two on `embed`, and the bytes of all executors of this machine.

The encoder has the size that the pipeline trains, and clips the length of spoken sentences, so
that its work per clip is that of a real corpus; the other stages are timed with it, per hour of
speech.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from fonoteka.bench.scale.project import CACHE_OFF, ScaleProject
from fonoteka.bench.scale.run_cost import RunCost, run_costed
from fonoteka.bench.scale.stage_commands import STAGES
from fonoteka.compute.execution import VARIABLE
from fonoteka.reporting.machine import Demand, demanded

CLIP_S, CLIP_RATE_HZ = 2.4, 22050  # as in the embedded corpus
EMBED = {"embed": STAGES["embed"]}
BEFORE_EMBED = {name: STAGES[name] for name in [*STAGES][: [*STAGES].index("embed")]}
WORKERS = (1, 2)
SPEED_LIMIT, DECODING_LIMIT = 1.7, 0.7


def measure_encoder(params: Path, sizes: Sequence[int], rounds: int) -> dict[str, Any]:
    """Return what stages cost per hour of speech, and `embed` with one worker and with two.

    Args:
        params: params.yaml of the repository.
        sizes: two numbers of clips: the rate is the slope between them, without imports.
        rounds: in each of which one worker and two have a turn.
    """
    few, many = sorted(sizes)
    with TemporaryDirectory() as name:
        project = ScaleProject(Path(name), params, CLIP_S, CLIP_RATE_HZ)
        project.make_models("full")
        costs = {}
        for clips in (few, many):
            project.clear(STAGES)
            project.grow(clips)
            costs[clips] = project.run(STAGES, CACHE_OFF)
        decoding = run_costed(("fonoteka.bench.decode_baseline", "data/raw"), project.folder)
        turns = [_turn(project) for _ in range(rounds)]
    wall_s, cpu_s = (
        {n: round(median(getattr(turn[n], field) for turn in turns), 2) for n in WORKERS}
        for field in ("wall_s", "cpu_s")
    )
    faster = round(wall_s[1] / wall_s[2], 3)
    read_s = costs[many]["inventory"].cpu_s + costs[many]["dedupe"].cpu_s
    of_decoding = round(decoding.cpu_s / read_s, 3)
    return {
        "clip_s": CLIP_S, "clips": [few, many],
        "rates": {
            stage: rate(few, costs[few][stage], many, cost) for stage, cost in costs[many].items()
        },
        "workers": {str(n): {"wall_s": wall_s[n], "cpu_s": cpu_s[n]} for n in WORKERS},
        "rounds": rounds, "two_workers": faster, "of_decoding": of_decoding,
        "decoding_cpu_s": round(decoding.cpu_s, 2),
        "sla": demanded([
            Demand("scale.two_workers", faster, SPEED_LIMIT, at_most=False),
            Demand("scale.of_decoding", of_decoding, DECODING_LIMIT, at_most=False),
        ]),
    }  # fmt: skip


def _turn(project: ScaleProject) -> dict[int, RunCost]:
    """Return what `embed` costs with each number of workers, all clips computed."""
    costs = {}
    for workers in WORKERS:
        project.set_workers(workers)
        costs[workers] = project.run(EMBED, CACHE_OFF)["embed"]
    return costs


def rate(few: int, few_cost: RunCost, many: int, many_cost: RunCost) -> dict[str, float]:
    """Return the cost of a stage as a line through its runs with few and with many clips.

    >>> rate(10, RunCost(0, 2.0, 0, 0), 20, RunCost(0, 3.0, 0, 0))["start_cpu_s"]
    1.0
    """
    clip_s = (many_cost.cpu_s - few_cost.cpu_s) / (many - few)
    return {
        "cpu_s_per_hour": round(clip_s * 3600 / CLIP_S, 2),
        "clip_ms": round(1000 * clip_s, 3),
        "start_cpu_s": round(max(0.0, few_cost.cpu_s - few * clip_s), 2),
        "cpu_s": round(many_cost.cpu_s, 2),
        "largest_mib": round(many_cost.largest_mib, 1),
    }


def runs() -> dict[str, tuple[int, Mapping[str, str]]]:
    """Return the runs that are compared: workers and variables, by name.

    `dask` needs its package and `slurm` the command sbatch; without them they are left out.
    """
    chosen = {f"processes {n}": (n, {VARIABLE: "processes"}) for n in (1, 2, 4)}
    chosen = {"serial": (1, {VARIABLE: "serial"})} | chosen
    if find_spec("distributed"):
        chosen["dask 2"] = (2, {VARIABLE: "dask"})
    if shutil.which("sbatch"):
        chosen["slurm"] = (2, {VARIABLE: "slurm"})
    return dict(chosen)


def compare_executors(params: Path, clips: int) -> dict[str, Any]:
    """Return whether `preprocess` and `embed` write the same bytes with each executor.

    Args:
        params: params.yaml of the repository.
        clips: number of clips.
    """
    stages = {name: STAGES[name] for name in ("preprocess", "embed")}
    with TemporaryDirectory() as name:
        project = ScaleProject(Path(name), params, 0.6, 8000)
        project.make_models("tiny")
        project.grow(clips)
        project.run(BEFORE_EMBED, CACHE_OFF)
        digests = {}
        for run, (workers, environment) in runs().items():
            project.set_workers(workers)
            project.run(stages, {**CACHE_OFF, **environment})
            digests[run] = project.digests(stages)
    differing = [run for run in digests if digests[run] != digests["serial"]]
    return {
        "clips": clips, "stages": [*stages], "runs": [*digests], "differing": differing,
        "not_run": [name for name in ("dask", "slurm") if not any(name in run for run in digests)],
        "sla": demanded([Demand("scale.executors", len(differing), 0, at_most=True)]),
    }  # fmt: skip
