"""The time of 1,000 and 10,000 hours of speech by executor, from measured rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from fonoteka.bench.scale.stage_commands import DIVIDED
from fonoteka.compute.plan_shards import CLIPS

HOURS = (1_000, 10_000)
EFFICIENCY = 0.85
"""Assumed: of the speed of workers, however many; two reach this if they are 1.7 times as fast."""
GPU_SPEECH_PER_S = 500.0
"""Assumed: seconds of speech that a GPU embeds per second, one clip at a time; not measured."""
UNMEASURED_MS = 20.0
"""Assumed: milliseconds per shard of an executor that was not measured, the limit of the others."""
CLIP_S = 2.4
"""Assumed: the length of a clip, from which the number of shards follows."""
STAGE_NAMES = (
    "inventory", "dedupe", "normalize", "preprocess", "manifest", "split", "embed@wavlm",
    "posteriors@wavlm_ctc",
)  # fmt: skip
STORED = ("data/audio", "data/embeddings/wavlm", "data/posteriors/wavlm_ctc")
SANDBOX = "inventory"
"""Its workers are processes of the driver's machine with limits, not those of an executor."""


class Deployment(NamedTuple):
    """Where the work runs.

    Attributes:
        executor: of section `execution`.
        text: what it has, for a reader.
        workers: of the executor, one core each.
        driver_cores: of the machine where the stages are started.
        gpu: whether `embed` runs on one GPU.
    """

    executor: str
    text: str
    workers: int
    driver_cores: int
    gpu: bool = False


PLACES = (
    Deployment("serial", "1 core", 1, 1),
    Deployment("processes", "16 cores", 16, 16),
    Deployment("processes", "16 cores and one GPU", 16, 16, gpu=True),
    Deployment("dask", "8 machines of 8 cores", 64, 8),
    Deployment("slurm", "64 elements of one core", 64, 8),
)


def forecast(
    planning: Mapping[str, Any], hand_over: Mapping[str, Mapping[str, float]]
) -> dict[str, Any]:
    """Return the hours of the clock by hours of speech and place, CPU hours, and sizes.

    A stage costs `rate x hours of speech` in CPU time. The rates of inventory, preprocess, embed
    and posteriors are divided by `workers x EFFICIENCY`, and a shard costs its hand-over besides.
    The other stages run in one process.

    Args:
        planning: reports/bench/planning.json, whose rates are those of a whole build.
        hand_over: seconds and milliseconds of a shard by executor, as `HandOver` has them.
    """
    rates = {name: planning["stages"][name]["per_hour_s"] for name in STAGE_NAMES}
    shards = 3600 / CLIP_S / CLIPS
    rows: list[dict[str, Any]] = []
    for place in PLACES:
        times = hand_over.get(place.executor, {"shard_ms": UNMEASURED_MS})
        # The driver takes results one after another, so a shard's way is not divided.
        clock_s = {
            name: _clock_s(name, rate, place, shards * times["shard_ms"] / 1000)
            for name, rate in rates.items()
        }
        each = sum(clock_s.values())
        clock = {f"clock_h_{hours}": round(hours * each / 3600, 1) for hours in HOURS}
        longest = max(clock_s, key=lambda name: clock_s[name])
        rows.append({"executor": place.executor, "place": place.text, "longest": longest} | clock)
    stored = planning["storage"]["bytes_per_hour"]
    return {
        "rows": rows, "rates": rates, "measured": planning["measured"],
        "cpu_h": {str(h): round(h * sum(rates.values()) / 3600, 1) for h in HOURS},
        "clips": {str(h): round(h * 3600 / CLIP_S) for h in HOURS},
        "gb": {str(h): {k: round(h * stored[k] / 1e9, 1) for k in STORED} for h in HOURS},
        "assumed": {
            "clip_s": CLIP_S, "efficiency": EFFICIENCY, "gpu_speech_per_s": GPU_SPEECH_PER_S,
            "unmeasured_shard_ms": UNMEASURED_MS,
        },
    }  # fmt: skip


def _clock_s(name: str, rate: float, place: Deployment, hand_over_s: float) -> float:
    """Return the seconds of the clock that a stage takes per hour of speech."""
    stage = name.partition("@")[0]
    if stage not in DIVIDED:
        return rate
    if stage == "embed" and place.gpu:
        return 3600 / GPU_SPEECH_PER_S
    workers = place.driver_cores if stage == SANDBOX else place.workers
    divided = rate / (EFFICIENCY * workers) if workers > 1 else rate
    return divided if stage == SANDBOX else divided + hand_over_s
