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
from fonoteka.bench.scale.run_cost import run_costed
from fonoteka.bench.scale.stage_commands import STAGES
from fonoteka.compute.execution import VARIABLE
from fonoteka.reporting.machine import Demand, demanded

CLIP_S, CLIP_RATE_HZ = 2.4, 22050  # as in the embedded corpus
EMBED = {"embed": STAGES["embed"]}
BEFORE_EMBED = {name: STAGES[name] for name in [*STAGES][: [*STAGES].index("embed")]}
SPEED_LIMIT, DECODING_LIMIT = 1.7, 0.7


def measure_encoder(params: Path, sizes: Sequence[int], rounds: int) -> dict[str, Any]:
    """Return what stages cost per hour of speech, and `embed` with one worker and with two.

    Args:
        params: params.yaml of the repository.
        sizes: two numbers of clips: the rate is the slope between them, without imports.
        rounds: in each of which one worker and two have a turn.
    """
    costs = {}
    with TemporaryDirectory() as name:
        project = ScaleProject(Path(name), params, CLIP_S, CLIP_RATE_HZ)
        project.make_models("full")
        for clips in sorted(sizes):
            project.clear(STAGES)
            project.grow(clips)
            costs[clips] = project.run(STAGES, CACHE_OFF)
        decoding = run_costed(("fonoteka.bench.decode_baseline", "data/raw"), project.folder)
        mib = _mib_per_hour(project)
        turns = []
        for _ in range(rounds):
            turn = {}
            for workers in (1, 2):
                project.set_workers(workers)
                turn[workers] = project.run(EMBED, CACHE_OFF)["embed"]
            turns.append(turn)
    few, many = min(sizes), max(sizes)
    hours = (many - few) * CLIP_S / 3600
    rates = {
        stage: {
            "cpu_s_per_hour": round((cost.cpu_s - costs[few][stage].cpu_s) / hours, 2),
            "clip_ms": round(1000 * (cost.cpu_s - costs[few][stage].cpu_s) / (many - few), 3),
            "cpu_s": round(cost.cpu_s, 2),
            "start_cpu_s": round(_intercept(few, costs[few][stage].cpu_s, many, cost.cpu_s), 2),
            "largest_mib": round(cost.largest_mib, 1),
        }
        for stage, cost in costs[many].items()
    }
    of_decoding = decoding.cpu_s / (costs[many]["inventory"].cpu_s + costs[many]["dedupe"].cpu_s)
    wall_s = {workers: median(turn[workers].wall_s for turn in turns) for workers in (1, 2)}
    cpu_s = {workers: median(turn[workers].cpu_s for turn in turns) for workers in (1, 2)}
    faster = round(wall_s[1] / wall_s[2], 3)
    return {
        "clip_s": CLIP_S, "clips": [few, many], "rates": rates, "mib_per_hour": mib,
        "workers": {
            str(n): {"wall_s": round(wall_s[n], 2), "cpu_s": round(cpu_s[n], 2)} for n in (1, 2)
        },
        "rounds": rounds, "two_workers": faster, "decoding_cpu_s": round(decoding.cpu_s, 2),
        "of_decoding": round(of_decoding, 3),
        "sla": demanded([
            Demand("scale.two_workers", faster, SPEED_LIMIT, at_most=False),
            Demand("scale.of_decoding", round(of_decoding, 3), DECODING_LIMIT, at_most=False),
        ]),
    }  # fmt: skip


def _intercept(few: int, few_s: float, many: int, many_s: float) -> float:
    """Return the seconds of a run without clips, on the line through two runs; at least 0.

    >>> _intercept(10, 2.0, 20, 3.0)
    1.0
    """
    return max(0.0, few_s - few * (many_s - few_s) / (many - few))


def _mib_per_hour(project: ScaleProject) -> dict[str, float]:
    hours = project.clips * CLIP_S / 3600
    return {
        name: round(_bytes(project.folder / "data" / name) / 2**20 / hours, 1)
        for name in ("raw", "audio", "embeddings")
    }


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


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
