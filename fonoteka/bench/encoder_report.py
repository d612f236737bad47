"""What the times of `bench encoder` come to: rates, shares of the peak, differences, a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.bench.encoder_variants import WAYS
from fonoteka.bench.flops import encoder_flops, total
from fonoteka.bench.timer import Array
from fonoteka.reporting.machine import quantiles, significant, times_as_fast
from fonoteka.reporting.text_table import table


def figures(
    config: Any,
    clips: Sequence[Array],
    heard: Sequence[Mapping[str, tuple[list[float], float]]],
    peak: float,
    batches: Sequence[int],
) -> dict[str, Any]:
    """Return what the times of all rounds come to.

    Args:
        config: of the encoder.
        clips: that were heard.
        heard: of each round, by way, the ms of each call and the seconds that all clips took.
        peak: GFLOP/s of the machine.
        batches: sizes of the plain loop; the first is the baseline.
    """
    seconds = sum(map(len, clips)) / SAMPLE_RATE_HZ
    useful = sum(total(encoder_flops(config, len(clip))) for clip in clips)
    rows = {way: row(way, [turn[way] for turn in heard], useful, peak, seconds) for way in heard[0]}
    plain = {f"plain_batch_{size}": size for size in batches}
    for way, found in rows.items():
        medians = {name: rows[name]["median_ms"] for name in plain if name != way}
        found["times_as_fast_as"] = times_as_fast(found["median_ms"], medians)
    for way, size in plain.items():
        rows[way]["padding_share"] = round(1 - useful / padded_flops(config, clips, size), 3)
    return {
        "clips": len(clips), "audio_s": round(seconds, 2),
        "longest_s": round(max(map(len, clips)) / SAMPLE_RATE_HZ, 2),
        "gflops_of_work": significant(useful / 1e9), "baseline": next(iter(plain)),
        "strongest_plain": min(plain, key=lambda name: rows[name]["median_ms"]), "ways": rows,
    }  # fmt: skip


def row(
    way: str, heard: Sequence[tuple[list[float], float]], useful: int, peak: float, seconds: float
) -> dict[str, Any]:
    """Return a way's figures.

    Args:
        way: its name; of int8 the operations are nominal, since they are none of floating point.
        heard: of each round the ms of each call and the seconds that all clips took.
        useful: operations that the clips cost, each alone; what padding adds is no work.
        peak: GFLOP/s of the machine.
        seconds: of sound.
    """
    walls_ms = [wall_s * 1000 for _, wall_s in heard]
    median = quantiles(walls_ms)["median_ms"]
    rate = useful / median / 1e6
    return {
        "median_ms": median, "rounds_ms": [round(wall, 1) for wall in walls_ms],
        "call": quantiles([ms for calls, _ in heard for ms in calls]),
        "s_per_audio_s": significant(median / 1000 / seconds),
        "gflops_per_second": significant(rate), "share_of_peak": significant(rate / peak),
        "operations": "nominal" if way == "onnx_int8" else "floating point",
    }  # fmt: skip


def padded_flops(config: Any, clips: Sequence[Array], size: int) -> int:
    """Return the operations of the plain loop, which pads each batch to its longest clip."""
    lengths = [len(clip) for clip in clips]
    batches = [lengths[at : at + size] for at in range(0, len(lengths), size)]
    return sum(len(batch) * total(encoder_flops(config, max(batch))) for batch in batches)


def differences(said: Mapping[str, list[Array]], batches: Sequence[int]) -> dict[str, Any]:
    """Return how far what the ways say is apart.

    A padded batch is compared with the same clips one at a time, ONNX with torch, and int8 with
    fp32; but for fp32 as a share, the RMS of the difference over that of the embeddings.
    """
    padded = {
        f"plain_batch_{size}": _share(said[f"plain_batch_{size}"], said["plain_batch_1"])
        for size in batches
        if size != 1
    }
    pairs = zip(said["onnx_fp32"], said["torch_alone"], strict=True)
    worst = max(float(np.abs(ours - theirs).max()) for ours, theirs in pairs)
    int8 = _share(said["onnx_int8"], said["onnx_fp32"])
    return {
        "padding_rms_share": padded, "onnx_fp32_max": significant(worst), "int8_rms_share": int8
    }  # fmt: skip


def _share(ours: Sequence[Array], theirs: Sequence[Array]) -> float:
    apart = sum(float(np.square(a - b).sum()) for a, b in zip(ours, theirs, strict=True))
    whole = sum(float(np.square(b).sum()) for b in theirs)
    return round(math.sqrt(apart / whole), 4)


def page(report: Mapping[str, Any]) -> str:
    """Return the report as a person reads it."""
    plain = [way for way in report["ways"] if way not in WAYS]
    header = ["way", "processes", "threads", "s/s", *(f"x {way}" for way in plain), "of peak"]
    rows = [
        [way, *report["processes_and_threads"][way], row["s_per_audio_s"],
         *(row["times_as_fast_as"].get(name) for name in plain), f"{row['share_of_peak']:.1%}"]
        for way, row in report["ways"].items()
    ]  # fmt: skip
    apart, peak = report["differences"], report["peak"]
    padded = ", ".join(f"{name} {share:.1%}" for name, share in apart["padding_rms_share"].items())
    return "\n".join(
        [
            f"encoder: {report['parameters'] / 1e6:.1f} M parameters, {report['clips']} clips, "
            f"{report['audio_s']} s; s of work a second of audio",
            "", table(header, rows), "",
            f"peak of the machine: {peak['gflops_per_second']} GFLOP/s in fp32; int8's share is "
            "nominal, its operations are none of floating point",
            f"padding changes embeddings by: {padded}; int8 (random weights) by "
            f"{apart['int8_rms_share']:.1%}; ONNX fp32 at most {apart['onnx_fp32_max']}",
        ]
    )  # fmt: skip
