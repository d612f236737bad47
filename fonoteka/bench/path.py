"""Time the shipped models on test clips, from samples to posteriors: fp32 and int8 in turns.

Reads   data/models/<name>, data/splits/test.jsonl, data/audio
Params  bench.path

This is what a user waits for; a head alone takes a twentieth of it, see `bench head`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fonoteka import manifest
from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.bench import report
from fonoteka.bench.timer import Repeats, TimedFile, Times, measure_alone, time_files
from fonoteka.core.errors import UserError
from fonoteka.reporting.machine import quantiles, require, significant, times_as_fast
from fonoteka.shards import read_clips

FILES = {"fp32": "model.onnx", "int8": "model.int8.onnx"}


@dataclass(frozen=True)
class PathBenchParams:
    """Section `bench.path`.

    Attributes:
        models: whose files are timed.
        clips: of the test part, spread over its lengths.
        repeats: how often to measure.
    """

    models: tuple[str, ...]
    clips: int
    repeats: Repeats


def run(models: Path, audio: Path, test: Path, params: PathBenchParams) -> dict[str, Any]:
    """Return the report.

    Raises:
        UserError: an input is missing.
    """
    from fonoteka.onnx_export.export import evenly_spaced

    files = {
        f"{name}/{precision}": TimedFile(models / name / file, "samples")
        for name in params.models
        for precision, file in FILES.items()
    }
    require([*(file.path for file in files.values()), audio, test])
    utterances = evenly_spaced(manifest.read(test), params.clips)
    if not utterances:
        raise UserError(f"{test}: no utterance to time")
    clips = [signal for _, signal in read_clips(audio, {u.id: u.audio for u in utterances})]
    seconds = np.array([len(clip) for clip in clips]) / SAMPLE_RATE_HZ
    measurement = measure_alone(time_files, files, {"samples": clips}, params.repeats)
    return measurement.conditions(params.repeats) | {
        "clips": len(clips),
        "audio_s": round(float(seconds.sum()), 2),
        "shortest_s": round(float(seconds.min()), 2),
        "longest_s": round(float(seconds.max()), 2),
        "models": {name: compare(name, measurement.times_ms, seconds) for name in params.models},
    }


def compare(name: str, times_ms: Mapping[str, Times], seconds: Times) -> dict[str, Any]:
    """Return the figures of a model by precision, int8 with its speed-up over fp32.

    Args:
        name: of the model.
        times_ms: by file, `[rounds, clips, repetitions]`.
        seconds: length of each clip, `[clips]`.
    """
    rows: dict[str, Any] = {
        precision: figures(np.median(times_ms[f"{name}/{precision}"], axis=(0, 2)), seconds)
        for precision in FILES
    }
    fp32 = {"fp32": rows["fp32"]["median_ms_per_s"]}
    rows["int8"]["times_as_fast_as"] = times_as_fast(rows["int8"]["median_ms_per_s"], fp32)
    return rows


def figures(medians_ms: Times, seconds: Times) -> dict[str, Any]:
    """Return quantiles over clips and the real-time factor.

    >>> result = figures(np.array([1.0, 4.0]), np.array([1.0, 2.0]))
    >>> result["median_ms_per_s"], result["real_time_factor"]
    (1.5, 0.001667)
    """
    per_s = {f"{name}_per_s": ms for name, ms in quantiles(medians_ms / seconds).items()}
    factor = significant(float(medians_ms.sum() / 1000 / seconds.sum()))
    return quantiles(medians_ms) | per_s | {"real_time_factor": factor}


def page(result: Mapping[str, Any]) -> str:
    """Return the report as text."""
    columns = ("median_ms_per_s", "p99_ms_per_s", "real_time_factor")
    rows: list[Sequence[object]] = [
        [f"{name} {precision}", *map(row.get, columns), row.get("times_as_fast_as", {}).get("fp32")]
        for name, model in result["models"].items()
        for precision, row in model.items()
    ]
    title = (
        f"path: {result['clips']} test clips of {result['shortest_s']} to {result['longest_s']} s, "
        "one thread; ms per second of audio"
    )
    return report.page(title, ["file", "median ms/s", "p99 ms/s", "RTF", "x fp32"], rows)
