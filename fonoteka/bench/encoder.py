"""Time embedding with a base-size encoder: the plain loop of transformers and the ways used here.

Params  bench.encoder

The plain loop takes clips as they come, pads each batch to its longest clip and gives torch all
cores for one product. Here a clip is heard alone, since padding changes what a frozen encoder says,
and each core has a process of its own. What that is worth is said against the plain loop in several
batch sizes and against the machine's own limit, the rate of a large matrix product.

Weights are random: time does not depend on them, though how far int8 is off does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Wav2Vec2Model

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.bench.encoder_report import differences, figures
from fonoteka.bench.encoder_variants import (
    PEAK,
    WAYS,
    Equipment,
    Hear,
    PlainLoop,
    Products,
    prepare,
)
from fonoteka.bench.timer import Array
from fonoteka.bench.worker_pool import Crew
from fonoteka.core.cpu_count import worker_count
from fonoteka.core.errors import UserError
from fonoteka.models.encoders import feature_extractor
from fonoteka.models.numbers import parameter_count
from fonoteka.onnx_export.export import MODEL_AXES, EncoderModule, export
from fonoteka.onnx_export.quantize import quantize
from fonoteka.reporting.machine import Demand, demanded, significant


@dataclass(frozen=True)
class EncoderParams:
    """Section `bench.encoder`.

    Attributes:
        seed: of the weights, the lengths and the sound.
        opset: of the file that is made.
        clips: how many.
        typical_s: the median of their lengths, which are log-normal as those of utterances are.
        sigma: of the logarithm of a length.
        min_s: shorter ones are made as long.
        max_s: longer ones are made as short.
        batches: sizes of the plain loop; the first is the baseline, and 1 is among them.
        rounds: in each of which every way hears all clips.
        peak_size: rows and columns of the products that the machine's peak is measured by.
        peak_products: of each process, one after another.
        max_error: of an embedding from ONNX in fp32, against torch.
        min_ratio_fp32: times as fast as the baseline, at least.
        min_ratio_int8: the same of int8.
    """

    seed: int
    opset: int
    clips: int
    typical_s: float
    sigma: float
    min_s: float
    max_s: float
    batches: tuple[int, ...]
    rounds: int
    peak_size: int
    peak_products: int
    max_error: float
    min_ratio_fp32: float
    min_ratio_int8: float

    def __post_init__(self) -> None:
        if self.clips < 1 or self.rounds < 1:
            raise UserError(f"bench.encoder: clips and rounds must be at least 1, found {self}")
        if 1 not in self.batches or min(self.batches) < 1:
            raise UserError(f"bench.encoder.batches needs 1 among them, found {self.batches}")


def sounds(params: EncoderParams) -> list[Array]:
    """Return white noise as long as utterances are, always the same."""
    rng = np.random.default_rng(params.seed)
    drawn = rng.lognormal(np.log(params.typical_s), params.sigma, params.clips)
    lengths = np.clip(drawn, params.min_s, params.max_s) * SAMPLE_RATE_HZ
    return [(0.1 * rng.standard_normal(int(n))).astype(np.float32) for n in lengths]


def equipment(config: Any, clips: list[Array], folder: Path, params: EncoderParams) -> Equipment:
    """Write the encoder in all the forms that are timed."""
    torch.manual_seed(params.seed)
    encoder = Wav2Vec2Model(config).eval()
    found = Equipment(folder / "torch", folder / "encoder.onnx", folder / "int8.onnx", clips)
    encoder.save_pretrained(found.torch)
    facts = {"labels": [], "name": "encoder", "sample_rate_hz": SAMPLE_RATE_HZ}
    example = torch.zeros(1, SAMPLE_RATE_HZ)
    export(
        EncoderModule(encoder, True).eval(), example, MODEL_AXES, facts, found.fp32, params.opset
    )
    quantize(found.fp32, found.int8, float("inf"), found.int8)
    return found


class Bench:
    """All ways, ready to hear all clips."""

    def __init__(self, crew: Crew, encoder: Any, clips: list[Array], cores: int) -> None:
        self.crew, self.clips, self.cores = crew, clips, cores
        self.plain = PlainLoop(encoder, feature_extractor(), cores)
        self.longest_first = sorted(range(len(clips)), key=lambda at: -len(clips[at]))

    def hear(self, way: str, say: bool) -> tuple[list[Array], list[float], float]:
        """Return embeddings by clip, ms of each call, and the seconds that all clips took.

        Args:
            way: `plain_batch_N` or one of `WAYS`.
            say: give the embeddings back, which takes time of its own; else there are none.
        """
        if way not in WAYS:
            return self.plain.hear(self.clips, int(way.rpartition("_")[2]), say)
        jobs = [Hear(way, at, say) for at in self.longest_first]
        answers, wall_s = self.crew.share(jobs)
        said = dict(zip(self.longest_first, answers, strict=True))
        calls = [said[at][1] for at in range(len(self.clips))]
        return [said[at][0] for at in range(len(self.clips))] if say else [], calls, wall_s

    def peaks(self, params: EncoderParams) -> dict[str, float]:
        """Return the GFLOP/s of products on all cores at once, by library."""
        flops = 2 * params.peak_size**3 * params.peak_products * self.cores
        found = {}
        for library in PEAK:
            self.crew.all(Products(library, params.peak_size, 1))
            _, wall_s = self.crew.all(Products(library, params.peak_size, params.peak_products))
            found[library] = flops / wall_s / 1e9
        return found


def run(config: Any, params: EncoderParams) -> dict[str, Any]:
    """Return the report on an encoder of that configuration.

    One round more is heard before the clock starts; from it comes what the ways say.
    """
    clips, cores = sounds(params), worker_count()
    ways = [*(f"plain_batch_{size}" for size in params.batches), *WAYS]
    with tempfile.TemporaryDirectory() as folder:
        made = equipment(config, clips, Path(folder), params)
        sizes = {"fp32": made.fp32.stat().st_size, "int8": made.int8.stat().st_size}
        encoder = Wav2Vec2Model.from_pretrained(made.torch).eval()
        with Crew(cores, prepare, made) as crew:
            bench = Bench(crew, encoder, clips, cores)
            said = {way: bench.hear(way, True)[0] for way in ways}
            heard, peaks = [], []
            for turn in range(params.rounds):
                print(f"encoder: round {turn + 1} of {params.rounds}", flush=True)
                peaks.append(bench.peaks(params))
                heard.append({way: bench.hear(way, False)[1:] for way in ways})
    best = {name: significant(max(found[name] for found in peaks)) for name in PEAK}
    errors = differences(said, params.batches)
    found = figures(config, clips, heard, max(best.values()), params.batches)
    plain = ways[: len(params.batches)]
    return found | {
        "cores": cores, "rounds": params.rounds, "warmup": 1, "bytes": sizes,
        "parameters": parameter_count(encoder),
        "processes_and_threads": {way: [1, cores] if way in plain else [cores, 1] for way in ways},
        "peak": {"gflops_per_second": max(best.values()), "by_library": best,
                 "processes": cores, "threads": 1},
        "differences": errors,
        "sla": demanded(demands(found["ways"], errors, plain[0], params)),
    }  # fmt: skip


def demands(
    rows: Mapping[str, Any], errors: Mapping[str, Any], baseline: str, params: EncoderParams
) -> list[Demand]:
    """Return what is asked and what was reached."""
    fast = {way: rows[way]["times_as_fast_as"][baseline] for way in ("onnx_fp32", "onnx_int8")}
    return [
        Demand("encoder.ratio_fp32", fast["onnx_fp32"], params.min_ratio_fp32, at_most=False),
        Demand("encoder.ratio_int8", fast["onnx_int8"], params.min_ratio_int8, at_most=False),
        Demand("encoder.max_error", errors["onnx_fp32_max"], params.max_error, at_most=True),
    ]
