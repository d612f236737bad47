"""The time and memory of alignment, training and evaluation by the number of clips.

Stages of data and embeddings come first and are measured by `fonoteka.bench.scale.curve`. Every
training runs one epoch, because another one needs no more memory and the same time.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fonoteka.bench.scale.curve import CLIP_RATE_HZ, CLIP_S, Sizes, in_order
from fonoteka.bench.scale.project import ScaleProject
from fonoteka.bench.scale.stage_commands import STAGES, TRAINING_STAGES
from fonoteka.reporting.machine import Demand, demanded

MEMORY_LIMIT_MIB = 1.5e9 / 2**20
FIRST = {name: stage for name, stage in STAGES.items() if name != "posteriors"}
"""Stages that write what a training reads; `posteriors` needs the segments of `align`."""


def measure_training(params: Path, sizes: Sequence[int], earlier: Sizes) -> dict[str, Any]:
    """Return the report; up to 4 GB of clips and results are in TMPDIR meanwhile.

    Args:
        params: params.yaml of the repository.
        sizes: numbers of clips.
        earlier: entries of an earlier report, which are kept unless they are measured again.
    """
    entries = dict(earlier)
    with TemporaryDirectory() as name:
        project = ScaleProject(Path(name), params, CLIP_S, CLIP_RATE_HZ)
        project.set_epochs(1)
        for clips in sorted(sizes):
            load = os.getloadavg()[0]
            project.clear(FIRST | TRAINING_STAGES)
            project.make_models("tiny")
            project.grow(clips)
            project.run(FIRST)
            costs = project.run(TRAINING_STAGES)
            entries[str(clips)] = {
                "load_at_start": round(load, 2),
                "stages": {stage: cost.entry() for stage, cost in costs.items()},
            }
            print(f"scale: training on {clips} clips measured", flush=True)
    ordered = in_order(entries)
    largest = [*ordered.values()][-1]["stages"]
    demands = [
        Demand(f"scale.{name}.mib", cost["largest_mib"], MEMORY_LIMIT_MIB, at_most=True)
        for name, cost in largest.items()
    ]
    return {"clip_s": CLIP_S, "sizes": ordered, "sla": demanded(demands)}
