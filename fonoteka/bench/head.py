"""Time the shipped head on one core, beside the head that it is measured by.

Reads   data/models/<shipped>, data/models/reference, reports/reference.json
Params  bench.head

The demand is made at the width of a base-size encoder, 768, which the encoders that are pretrained
here don't have. A head's speed does not depend on its weights, so there they are random; the files
that are shipped are timed at their own width.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.bench.timer import Pace, Task, Timed, timed
from fonoteka.core.files import read_json
from fonoteka.models.heads import Shape, new_head, shape_of
from fonoteka.models.numbers import parameter_count
from fonoteka.onnx_export.export import HEAD_AXES, export
from fonoteka.onnx_export.quantize import quantize
from fonoteka.reporting.machine import (
    GIB,
    Demand,
    demanded,
    quantiles,
    require,
    times_as_fast,
)
from fonoteka.reporting.text_table import table

QUALITY = ("shipped", "reference", "difference", "difference_low", "difference_high")


@dataclass(frozen=True)
class SlaParams:
    """What is asked of the shipped head at `width`, fp32, on one core.

    Attributes:
        median_ms: of one call, at most.
        p99_ms: of one call, at most.
        frames_per_second: at the median, at least.
        memory_gib: of a process that runs nothing else, at most.
    """

    median_ms: float
    p99_ms: float
    frames_per_second: float
    memory_gib: float


@dataclass(frozen=True)
class HeadParams:
    """Section `bench.head`.

    Attributes:
        seed: of the weights and the embeddings.
        opset: of the files that are made.
        frames: of the embeddings, 50 a second.
        width: of an embedding.
        pace: how often is measured.
        sla: what is asked.
    """

    seed: int
    opset: int
    frames: int
    width: int
    pace: Pace
    sla: SlaParams


@dataclass(frozen=True)
class Variant:
    """A head in a file.

    Attributes:
        name: in the report.
        path: of the file.
        width: of the embeddings that it hears.
        parameters: how many, where they are random; None of a file that was trained.
        baselines: the names of those that it is compared with: the reference, then fp32.
    """

    name: str
    path: Path
    width: int
    parameters: int | None
    baselines: tuple[str, ...]


def shape_in(model: Path, width: int | None) -> Shape:
    """Return the shape of a trained head, for embeddings as wide as `width` or as its own."""
    shape = shape_of(read_json(model / "model.json"), model / "model.json")
    return shape if width is None else replace(shape, inputs=width)


def untrained(shape: Shape, path: Path, params: HeadParams) -> int:
    """Write a head with random weights as ONNX and return how many they are."""
    torch.manual_seed(params.seed)
    head = new_head(shape).eval()
    facts = {"labels": [], "name": path.stem, "sample_rate_hz": SAMPLE_RATE_HZ}
    export(head, torch.zeros(2, 60, shape.inputs), HEAD_AXES, facts, path, params.opset)
    return parameter_count(head)


def variants(shipped: Path, reference: Path, folder: Path, params: HeadParams) -> list[Variant]:
    """Return all heads; what isn't shipped is written into a folder."""
    wide, narrow = shape_in(shipped, params.width), shape_in(shipped, None)
    usual = shape_in(reference, params.width)
    shapes = {
        "shipped": wide, "reference": usual,
        "reference_own_width": replace(usual, inputs=narrow.inputs),
    }  # fmt: skip
    paths = {name: folder / f"{name}.onnx" for name in (*shapes, "shipped_int8")}
    counts = {name: untrained(shape, paths[name], params) for name, shape in shapes.items()}
    # Its size is the export's business.
    quantize(paths["shipped"], paths["shipped_int8"], float("inf"), paths["shipped_int8"])
    own = ("reference_own_width", "shipped_file")
    return [
        Variant("shipped", paths["shipped"], wide.inputs, counts["shipped"], ("reference",)),
        Variant("shipped_int8", paths["shipped_int8"], wide.inputs, counts["shipped"],
                ("reference", "shipped")),
        Variant("reference", paths["reference"], wide.inputs, counts["reference"], ()),
        Variant("shipped_file", shipped / "head.onnx", narrow.inputs, None, own[:1]),
        Variant("shipped_file_int8", shipped / "head.int8.onnx", narrow.inputs, None, own),
        Variant("reference_own_width", paths["reference_own_width"], narrow.inputs,
                counts["reference_own_width"], ()),
    ]  # fmt: skip


def measure(heads: Sequence[Variant], params: HeadParams) -> tuple[Timed, dict[str, float]]:
    """Return the times of all heads in turns, and the GiB that a process with each alone holds."""
    rng = np.random.default_rng(params.seed)
    feeds = {
        str(width): [rng.standard_normal((params.frames, width)).astype(np.float32)]
        for width in sorted({head.width for head in heads})
    }
    tasks = {head.name: Task(head.path, str(head.width)) for head in heads}
    short = replace(params.pace, rounds=1)
    alone = {
        name: timed({name: task}, {task.feed: feeds[task.feed]}, short).peak_memory_bytes / GIB
        for name, task in tasks.items()
    }
    return timed(tasks, feeds, params.pace), alone


def run(shipped: Path, reference: Path, quality: Path, params: HeadParams) -> dict[str, Any]:
    """Return the report: six heads in turns.

    Raises:
        ValueError: something of the project is missing.
    """
    needed = [shipped / name for name in ("head.onnx", "head.int8.onnx", "model.json")]
    require([*needed, reference / "model.json", quality])
    with tempfile.TemporaryDirectory() as folder:
        heads = variants(shipped, reference, Path(folder), params)
        found, alone = measure(heads, params)
        rows = {
            head.name: {
                "input": [1, params.frames, head.width], "bytes": head.path.stat().st_size,
                "weights": "trained" if head.parameters is None else "random",
                "parameters": head.parameters, "peak_memory_gib": round(alone[head.name], 3),
                **figures(found, head.name, params.frames),
            }
            for head in heads
        }  # fmt: skip
    for head in heads:
        medians = {name: rows[name]["median_ms"] for name in head.baselines}
        median = rows[head.name]["median_ms"]
        rows[head.name]["times_as_fast_as"] = times_as_fast(median, medians)
    return {
        "cores": found.cores, "threads": 1, "rounds": params.pace.rounds,
        "repetitions": params.pace.repetitions, "warmup": params.pace.warmup,
        "process_holds": found.modules, "shipped": shipped.name, "heads": rows,
        "quality": {key: value for key, value in read_json(quality).items() if key in QUALITY},
        "sla": demanded(demands(rows["shipped"], params.sla)),
    }  # fmt: skip


def figures(found: Timed, name: str, frames: int) -> dict[str, Any]:
    """Return what a head's times come to."""
    times = found.times_ms[name]
    said: dict[str, Any] = dict(quantiles(times))
    return said | {
        "frames_per_second": round(1000 * frames / said["median_ms"]),
        "round_medians_ms": [quantiles(turn)["median_ms"] for turn in times],
    }


def demands(row: Mapping[str, Any], sla: SlaParams) -> list[Demand]:
    """Return what is asked of the shipped head and what it reached."""
    return [
        Demand("head.median_ms", row["median_ms"], sla.median_ms, at_most=True),
        Demand("head.p99_ms", row["p99_ms"], sla.p99_ms, at_most=True),
        Demand(
            "head.frames_per_second", row["frames_per_second"], sla.frames_per_second,
            at_most=False,
        ),
        Demand("head.peak_memory_gib", row["peak_memory_gib"], sla.memory_gib, at_most=True),
    ]  # fmt: skip


def page(report: Mapping[str, Any]) -> str:
    """Return the report as a person reads it."""
    header = ["head", "input", "median ms", "p99 ms", "frames/s", "GiB", "x reference", "x fp32"]
    rows = [
        [name, "x".join(map(str, row["input"])), row["median_ms"], row["p99_ms"],
         row["frames_per_second"], row["peak_memory_gib"],
         *[*row["times_as_fast_as"].values(), None, None][:2]]
        for name, row in report["heads"].items()
    ]  # fmt: skip
    said = report["quality"]
    return "\n".join(
        [
            "head: one call on one core, ONNX Runtime", "", table(header, rows), "",
            f"PER on the test part: shipped {said['shipped']['per']}, reference "
            f"{said['reference']['per']}, difference {said['difference']} "
            f"({said['difference_low']} to {said['difference_high']})",
        ]
    )  # fmt: skip
