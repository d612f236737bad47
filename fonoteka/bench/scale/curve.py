"""The cost of each stage from 100 to 100,000 clips, and of one clip more.

Every number of clips is built from nothing with an empty cache. Up to `MORE_LIMIT` clips one clip
is added, the stages run again, and a third run without the cache shows whether the bytes differ.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml

from fonoteka.bench.scale.project import CACHE_OFF, ScaleProject
from fonoteka.bench.scale.run_cost import RunCost, run_costed
from fonoteka.bench.scale.stage_commands import StageCommand
from fonoteka.reporting.machine import Demand, demanded

CLIP_S, CLIP_RATE_HZ = 0.6, 8000  # as spoken digits: the work around a clip counts most
MORE_LIMIT = 10_000
FROM = 1000
"""Exponents and ratios are of this number of clips and more: below it, imports are most of it."""
EXPONENT_LIMIT, MEMORY_LIMIT, MORE_SHARE_LIMIT = 1.05, 1.2, 0.01
STATUS_ROUNDS = 3

Sizes = dict[str, dict[str, Any]]


def measure_curve(
    params: Path,
    sizes: Sequence[int],
    stages: Mapping[str, StageCommand],
    earlier: Sizes,
    more: bool = True,
) -> dict[str, Any]:
    """Return the report; up to 4 GB of clips and results are in TMPDIR meanwhile.

    Args:
        params: params.yaml of the repository.
        sizes: numbers of clips.
        stages: that run; their inputs are written by earlier ones of them.
        earlier: entries of an earlier report, which are kept unless they are measured again.
        more: whether one clip is added and the stages run three times more.
    """
    entries = dict(earlier)
    with TemporaryDirectory() as name:
        project = ScaleProject(Path(name), params, CLIP_S, CLIP_RATE_HZ)
        if {"embed", "posteriors"} & {*stages}:
            project.make_models("tiny")
        for clips in sorted(sizes):
            entries[str(clips)] = measure_size(project, clips, stages, more)
    ordered = in_order(entries)
    return {"clip_s": CLIP_S, "sizes": ordered} | summary(ordered)


def in_order(sizes: Sizes) -> Sizes:
    """Return the entries of a report from the smallest number of clips to the largest.

    >>> [*in_order({"1000": {}, "200": {}})]
    ['200', '1000']
    """
    return {clips: sizes[clips] for clips in sorted(sizes, key=int)}


def measure_size(
    project: ScaleProject, clips: int, stages: Mapping[str, StageCommand], more: bool
) -> dict[str, Any]:
    """Return what the stages cost with so many clips and, if asked for, with one more."""
    load = os.getloadavg()[0]
    project.clear(stages)
    project.grow(clips)
    first = project.run(stages)
    entry: dict[str, Any] = {
        "load_at_start": round(load, 2),
        "stages": {name: cost.entry() for name, cost in first.items()},
        "files": project.file_counts(),
    }
    if more and clips <= MORE_LIMIT:
        entry["one_more"] = one_more(project, clips, stages, first)
    entry["dvc"] = dvc_times(project, stages)
    print(f"scale: {clips} clips measured", flush=True)
    return entry


def one_more(
    project: ScaleProject, clips: int, stages: Mapping[str, StageCommand], full: dict[str, RunCost]
) -> dict[str, Any]:
    """Return by stage the cost of a run with one clip more, and whether its bytes are right.

    `unchanged_cpu_s` is a run in which nothing has changed: imports, look-ups and the writing of
    outputs. What the clip itself costs is the difference.
    """
    idle = project.run(stages)
    project.grow(clips + 1)
    more = project.run(stages)
    reused = project.digests(stages)
    project.run(stages, CACHE_OFF)
    anew = project.digests(stages)
    return {
        name: {
            "cpu_s": round(more[name].cpu_s, 2),
            "unchanged_cpu_s": round(idle[name].cpu_s, 2),
            "share": round(more[name].cpu_s / full[name].cpu_s, 4),
            "same_bytes": reused[name] == anew[name],
        }
        for name in stages
    }


def dvc_times(project: ScaleProject, stages: Mapping[str, StageCommand]) -> dict[str, float]:
    """Return the seconds of `dvc commit` and of `dvc status`, CPU time, with nothing changed."""
    written = {
        name: {
            "cmd": f"python -m {' '.join(stage.command)}", "deps": list(stage.reads),
            "outs": list(stage.writes),
        }
        for name, stage in stages.items()
    }  # fmt: skip
    (project.folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": written}), encoding="utf-8")
    run_costed(("dvc", "init", "--no-scm", "--force", "--quiet"), project.folder)
    run_costed(("dvc", "config", "cache.type", "hardlink,copy"), project.folder)
    commit = run_costed(("dvc", "commit", "--force", "--quiet"), project.folder)
    turns = [run_costed(("dvc", "status", "--quiet"), project.folder) for _ in range(STATUS_ROUNDS)]
    return {
        "commit_cpu_s": round(commit.cpu_s, 2),
        "status_cpu_s": round(median(turn.cpu_s for turn in turns), 2),
        "status_wall_s": round(median(turn.wall_s for turn in turns), 2),
    }


def exponent(clips: Sequence[int], seconds: Sequence[float]) -> float:
    """Return the slope of time over clips on logarithmic axes.

    >>> exponent([10, 100, 1000], [0.1, 1.0, 10.0])
    1.0
    """
    return round(float(np.polyfit(np.log(clips), np.log(seconds), 1)[0]), 3)


def summary(sizes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return exponents, ratios of memory and the share of one clip, with their limits.

    A stage that was measured at fewer than two sizes of `FROM` clips or more has no exponent.
    """
    growth: dict[str, dict[str, float]] = {}
    demands = []
    for name in dict.fromkeys(name for entry in sizes.values() for name in entry["stages"]):
        rows = {
            int(clips): entry["stages"][name]
            for clips, entry in sizes.items()
            if name in entry["stages"] and int(clips) >= FROM
        }
        if len(rows) < 2:
            continue
        counts, first, last = [*rows], rows[min(rows)], rows[max(rows)]
        growth[name] = {
            "exponent": exponent(counts, [rows[n]["cpu_s"] for n in counts]),
            "memory_ratio": round(last["largest_mib"] / first["largest_mib"], 3),
            "from_clips": min(rows), "to_clips": max(rows),
        }  # fmt: skip
        values = growth[name]
        demands += [
            Demand(f"scale.{name}.exponent", values["exponent"], EXPONENT_LIMIT, at_most=True),
            Demand(f"scale.{name}.memory", values["memory_ratio"], MEMORY_LIMIT, at_most=True),
        ]
    compared = [clips for clips, entry in sizes.items() if "one_more" in entry]
    if str(MORE_LIMIT) in compared:  # of fewer clips, imports are more than the limit
        demands += [
            Demand(f"scale.{name}.one_more", values["share"], MORE_SHARE_LIMIT, at_most=True)
            for name, values in sizes[str(MORE_LIMIT)]["one_more"].items()
        ]
    differing = sum(
        not values["same_bytes"]
        for clips in compared
        for values in sizes[clips]["one_more"].values()
    )
    demands.append(Demand("scale.differing_bytes", differing, 0, at_most=True))
    return {"growth": growth, "sla": demanded(demands)}
