"""Time every shipped file on test clips: heads and whole paths, fp32 and int8, side by side.

Reads   data/models/<name>, data/embeddings/<backbone>, data/splits/test.jsonl, data/audio
Params  bench.path

A head's time says nothing of how long a user waits: the encoder is nearly all of it. So both stand
in one table, on the same clips, in turns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka import manifest
from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.bench.timer import Array, Pace, Task, timed
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.manifest import Utterance
from fonoteka.onnx_export.export import evenly_spaced
from fonoteka.reporting.machine import quantiles, require, significant, times_as_fast
from fonoteka.reporting.text_table import table
from fonoteka.shards import read_arrays, read_clips

PARTS = ("head", "model")
PRECISIONS = ("fp32", "int8")
SAMPLES = "samples"


@dataclass(frozen=True)
class PathParams:
    """Section `bench.path`.

    Attributes:
        models: whose files are timed.
        clips: of the test part, spread over its lengths.
        pace: how often is measured.
    """

    models: tuple[str, ...]
    clips: int
    pace: Pace


def tasks_of(models: Path, names: Sequence[str]) -> dict[str, Task]:
    """Return each shipped file as `name/part/precision`; an ensemble has no head of its own.

    Raises:
        ValueError: a file is missing.
    """
    require(models / name / "model.json" for name in names)
    tasks = {}
    for name in names:
        backbone = read_json(models / name / "model.json").get("backbone")
        for part in PARTS if backbone else PARTS[1:]:
            for precision in PRECISIONS:
                middle = "" if precision == "fp32" else f".{precision}"
                file = models / name / f"{part}{middle}.onnx"
                feed = backbone if part == "head" else SAMPLES
                tasks[f"{name}/{part}/{precision}"] = Task(file, feed)
    require(task.file for task in tasks.values())
    return tasks


def feeds_of(
    tasks: Mapping[str, Task], embeddings: Path, audio: Path, utterances: Sequence[Utterance]
) -> dict[str, list[Array]]:
    """Return what the files hear: the same clips as samples and as each encoder's embeddings."""
    signals = dict(read_clips(audio, {u.id: u.audio for u in utterances}))
    feeds = {SAMPLES: [signals[u.id] for u in utterances]}
    for backbone in sorted({task.feed for task in tasks.values()} - {SAMPLES}):
        arrays = read_arrays(embeddings / backbone, [u.id for u in utterances])
        feeds[backbone] = [arrays[u.id] for u in utterances]
    return feeds


def figures(medians_ms: NDArray[np.float64], seconds: NDArray[np.float64]) -> dict[str, float]:
    """Return what the medians of clips come to, each clip's in ms; `seconds` are their lengths.

    >>> found = figures(np.array([1.0, 4.0]), np.array([1.0, 2.0]))
    >>> found["median_ms_per_s"], found["real_time_factor"]
    (1.5, 0.001667)
    """
    each = {f"{k}_per_s": v for k, v in quantiles(medians_ms / seconds).items()}
    factor = significant(float(medians_ms.sum() / 1000 / seconds.sum()))
    return quantiles(medians_ms) | each | {"real_time_factor": factor}


def run(
    models: Path, embeddings: Path, audio: Path, test: Path, params: PathParams
) -> dict[str, Any]:
    """Return the report.

    Raises:
        ValueError: something of the project is missing.
    """
    tasks = tasks_of(models, params.models)
    require([embeddings, audio, test])
    utterances = evenly_spaced(manifest.read(test), params.clips)
    if not utterances:
        raise UserError(f"{test}: no utterance to time")
    feeds = feeds_of(tasks, embeddings, audio, utterances)
    found = timed(tasks, feeds, params.pace)
    seconds = np.array([len(signal) for signal in feeds[SAMPLES]]) / SAMPLE_RATE_HZ
    medians = {name: np.median(times, axis=(0, 2)) for name, times in found.times_ms.items()}
    return {
        "cores": found.cores, "threads": 1, "rounds": params.pace.rounds,
        "repetitions": params.pace.repetitions, "warmup": params.pace.warmup,
        "clips": len(utterances), "audio_s": round(float(seconds.sum()), 2),
        "shortest_s": round(float(seconds.min()), 2), "longest_s": round(float(seconds.max()), 2),
        "models": {name: sides(name, medians, seconds) for name in params.models},
    }  # fmt: skip


def sides(
    name: str, medians: Mapping[str, NDArray[np.float64]], seconds: NDArray[np.float64]
) -> dict[str, Any]:
    """Return a model's figures, and the share of the head in the whole path."""
    said: dict[str, Any] = {}
    for part in PARTS:
        rows: dict[str, Any] = {
            precision: figures(medians[key], seconds)
            for precision in PRECISIONS
            if (key := f"{name}/{part}/{precision}") in medians
        }
        if not rows:
            continue
        fp32, int8 = (rows[precision] for precision in PRECISIONS)
        baseline = {"fp32": fp32["median_ms_per_s"]}
        int8["times_as_fast_as"] = times_as_fast(int8["median_ms_per_s"], baseline)
        said[part] = rows
    if "head" in said:
        said["head_share"] = {
            precision: significant(
                medians[f"{name}/head/{precision}"].sum()
                / medians[f"{name}/model/{precision}"].sum()
            )
            for precision in PRECISIONS
        }
    return said


def page(report: Mapping[str, Any]) -> str:
    """Return the report as a person reads it."""
    rows = []
    for name, model in report["models"].items():
        for part in PARTS:
            for precision, row in model.get(part, {}).items():
                fast = row.get("times_as_fast_as", {}).get("fp32")
                share = model["head_share"][precision] if part == "head" else None
                rows.append(
                    [f"{name} {part} {precision}", row["median_ms_per_s"], row["p99_ms_per_s"],
                     row["real_time_factor"], fast, f"{share:.1%}" if share else None]
                )  # fmt: skip
    header = ["file", "median ms/s", "p99 ms/s", "real time", "x fp32", "of the path"]
    about = (
        f"path: {report['clips']} test clips of {report['shortest_s']} to {report['longest_s']} s, "
        "one thread; ms of work a second of audio"
    )
    return f"{about}\n\n{table(header, rows)}"
