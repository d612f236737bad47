"""Time the shipped head on one core, beside the reference head.

Reads   model.json of data/models/<shipped> and data/models/<reference>
Params  bench.head

The limits are for embeddings of a base-size encoder, 768 wide; the encoders that are pretrained
here are narrower. The speed of a head does not depend on its weights, so they are random.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.bench import report
from fonoteka.bench.timer import Measurement, Repeats, TimedFile, measure_alone, time_files
from fonoteka.core.files import read_json
from fonoteka.reporting.machine import GIB, Demand, demanded, quantiles, require, times_as_fast

BASELINES = {"shipped": ("reference",), "shipped_int8": ("reference", "shipped"), "reference": ()}


@dataclass(frozen=True)
class HeadLimits:
    """Limits of the shipped head in fp32, on one core.

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
class HeadBenchParams:
    """Section `bench.head`.

    Attributes:
        seed: of the weights and the embeddings.
        opset: of the ONNX files.
        frames: of the embeddings, 50 per second.
        width: of an embedding.
        repeats: how often to measure.
        sla: the limits.
    """

    seed: int
    opset: int
    frames: int
    width: int
    repeats: Repeats
    sla: HeadLimits


def run(shipped: Path, reference: Path, params: HeadBenchParams) -> dict[str, Any]:
    """Return the report: three heads in turns.

    Raises:
        UserError: an input is missing.
    """
    require([shipped / "model.json", reference / "model.json"])
    with TemporaryDirectory() as name:
        parameters = write_heads(shipped, reference, Path(name), params)
        files = {head: TimedFile(Path(name) / f"{head}.onnx", "frames") for head in BASELINES}
        measurement, memory_gib = measure(files, params)
    rows: dict[str, dict[str, Any]] = {}
    for head, times in measurement.times_ms.items():
        figures = quantiles(times)
        rows[head] = figures | {
            "input": [1, params.frames, params.width],
            "parameters": parameters[head.removesuffix("_int8")],
            "peak_memory_gib": memory_gib[head],
            "frames_per_second": round(1000 * params.frames / figures["median_ms"]),
            "round_medians_ms": [quantiles(turn)["median_ms"] for turn in times],
        }
    for head, row in rows.items():
        medians = {baseline: rows[baseline]["median_ms"] for baseline in BASELINES[head]}
        row["times_as_fast_as"] = times_as_fast(row["median_ms"], medians)
    return measurement.conditions(params.repeats) | {
        "shipped": shipped.name,
        "heads": rows,
        "sla": demanded(demands(rows["shipped"], params.sla)),
    }


def write_heads(
    shipped: Path, reference: Path, folder: Path, params: HeadBenchParams
) -> dict[str, int]:
    """Write heads of the models' shapes as ONNX files and return their numbers of parameters."""
    import torch

    from fonoteka.models.heads import new_head, shape_of
    from fonoteka.models.numbers import parameter_count
    from fonoteka.onnx_export.export import HEAD_AXES, export
    from fonoteka.onnx_export.quantize import quantize

    parameters = {}
    for name, model in (("shipped", shipped), ("reference", reference)):
        shape = shape_of(read_json(model / "model.json"), model / "model.json")
        torch.manual_seed(params.seed)
        head = new_head(replace(shape, inputs=params.width)).eval()
        metadata = {"labels": [], "name": name, "sample_rate_hz": SAMPLE_RATE_HZ}
        example = torch.zeros(2, 60, params.width)
        export(head, example, HEAD_AXES, metadata, folder / f"{name}.onnx", params.opset)
        parameters[name] = parameter_count(head)
    int8 = folder / "shipped_int8.onnx"
    quantize(folder / "shipped.onnx", int8, float("inf"), int8)  # the export limits its size
    return parameters


def measure(
    files: Mapping[str, TimedFile], params: HeadBenchParams
) -> tuple[Measurement, dict[str, float]]:
    """Return the times of all heads in turns, and the GiB of a process that runs one head alone."""
    rng = np.random.default_rng(params.seed)
    inputs = {"frames": [rng.standard_normal((params.frames, params.width)).astype(np.float32)]}
    memory_gib = {}
    for name, file in files.items():
        alone = measure_alone(time_files, {name: file}, inputs, replace(params.repeats, rounds=1))
        memory_gib[name] = round(alone.peak_memory_bytes / GIB, 3)
    return measure_alone(time_files, files, inputs, params.repeats), memory_gib


def demands(row: Mapping[str, Any], limits: HeadLimits) -> list[Demand]:
    """Return the limits of the shipped head with what it reached."""
    figures = (
        ("median_ms", limits.median_ms, True), ("p99_ms", limits.p99_ms, True),
        ("frames_per_second", limits.frames_per_second, False),
        ("peak_memory_gib", limits.memory_gib, True),
    )  # fmt: skip
    return [Demand(f"head.{name}", row[name], limit, at_most) for name, limit, at_most in figures]


def page(result: Mapping[str, Any]) -> str:
    """Return the report as text."""
    columns = ("median_ms", "p99_ms", "frames_per_second", "peak_memory_gib")
    rows = [
        [
            name,
            *(row[column] for column in columns),
            *map(row["times_as_fast_as"].get, ("reference", "shipped")),
        ]
        for name, row in result["heads"].items()
    ]
    header = ["head", "median ms", "p99 ms", "frames/s", "GiB", "x reference", "x fp32"]
    return report.page("head: one call on one core, ONNX Runtime", header, rows)
