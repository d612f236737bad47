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
SANDBOX = "inventory"
"""Its workers are processes of the driver's machine with limits, not those of an executor."""


class Place(NamedTuple):
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
    Place("serial", "1 core", 1, 1),
    Place("processes", "16 cores", 16, 16),
    Place("processes", "16 cores and one GPU", 16, 16, gpu=True),
    Place("dask", "8 machines of 8 cores", 64, 8),
    Place("slurm", "64 elements of one core", 64, 8),
)


def forecast(
    encoder: Mapping[str, Any], hand_over: Mapping[str, Mapping[str, float]]
) -> dict[str, Any]:
    """Return the hours of the clock by hours of speech and place, and the bytes.

    A stage costs `rate x hours of speech` in CPU time. The rates of inventory, preprocess, embed
    and posteriors are divided by `workers x EFFICIENCY`; a shard costs its hand-over besides. The
    other stages run in one process.

    Args:
        encoder: the part `encoder` of the report.
        hand_over: the part `hand_over`: milliseconds per shard by executor.
    """
    rates = {name: each["cpu_s_per_hour"] for name, each in encoder["rates"].items()}
    per_hour = 3600 / encoder["clip_s"]
    rows = []
    for place in PLACES:
        shards = per_hour / CLIPS
        executor = place.executor if place.executor in hand_over else "dask"
        shard_s = hand_over.get(executor, {}).get("shard_ms", 20.0) / 1000
        clock_s = {}
        for name, rate in rates.items():
            workers = place.driver_cores if name == SANDBOX else place.workers
            if name not in DIVIDED:
                clock_s[name] = rate
            elif name == "embed" and place.gpu:
                clock_s[name] = 3600 / GPU_SPEECH_PER_S
            else:
                share = EFFICIENCY * workers if workers > 1 else 1.0
                clock_s[name] = rate / share + shards * shard_s
        each = sum(clock_s.values())
        rows.append(
            {
                "executor": place.executor,
                "place": place.text,
                "longest": max(clock_s, key=clock_s.__getitem__),
            }
            | {f"clock_h_{hours}": round(hours * each / 3600, 1) for hours in HOURS}
        )
    total = sum(rates.values())
    return {
        "rows": rows,
        "cpu_h": {str(hours): round(hours * total / 3600, 1) for hours in HOURS},
        "clips": {str(hours): round(hours * per_hour) for hours in HOURS},
        "gib": {
            str(hours): {k: round(v * hours / 1024, 1) for k, v in encoder["mib_per_hour"].items()}
            for hours in HOURS
        },
        "assumed": {"efficiency": EFFICIENCY, "gpu_speech_per_s": GPU_SPEECH_PER_S},
    }
