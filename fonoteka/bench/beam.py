"""Time prefix beam search on the posteriors of test clips, beside the best path.

Reads   data/posteriors/<model>, data/models/phone_ngram, data/splits/test.jsonl, reports/beam.json
Writes  reports/bench/beam.json
Params  bench_beam

The beam has the settings that the report chose for the model, except the width. A stream is decoded
in pieces of two frames, each with a preview of one more: what a recogniser asks of its decoder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fonoteka import manifest
from fonoteka.audio.dsp import FRAMES_PER_SECOND
from fonoteka.bench import report
from fonoteka.bench.report import Benchmark, run_benchmarks
from fonoteka.bench.timer import Array, Repeats, Times, measure_alone, timed_call
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.core.params import load
from fonoteka.phones import LABELS
from fonoteka.reporting.machine import Demand, demanded, quantiles, require, significant
from fonoteka.scoring.decoding import greedy
from fonoteka.shards import open_arrays
from fonoteka.streaming.arpa import parse_arpa
from fonoteka.streaming.beam_decoder import BeamDecoder, beam_search
from fonoteka.streaming.greedy_decoder import GreedyDecoder
from fonoteka.streaming.interfaces import StreamDecoder
from fonoteka.streaming.ngram_table import table_of
from fonoteka.streaming.prefix_beam import BeamOptions

PIECE, PREVIEW = 2, 1  # frames
BASELINES = {"beam": "greedy", "greedy_stream": "greedy", "beam_stream": "greedy_stream"}


@dataclass(frozen=True)
class BeamLimits:
    """Limits of the beam, for whole clips and for streams."""

    max_ms_per_s: float


@dataclass(frozen=True)
class BeamBenchParams:
    """Section `bench_beam`.

    Attributes:
        model: whose posteriors are decoded.
        width: of the beam.
        clips: of the test part, spread over its lengths.
        repeats: how often to measure.
        sla: the limits.
    """

    model: str
    width: int
    clips: int
    repeats: Repeats
    sla: BeamLimits


def decode_stream(decoder: StreamDecoder, log_probs: Array) -> int:
    """Decode a clip piece by piece, with a preview after each; return the number of phones."""
    phones = 0
    for start in range(0, len(log_probs), PIECE):
        end = start + PIECE
        phones += len(decoder.advance(log_probs[start:end]))
        decoder.preview(log_probs[end : end + PREVIEW])
    return phones + len(decoder.finish())


def time_decoders(
    arpa: Path, options: BeamOptions, clips: Sequence[Array], repeats: Repeats
) -> dict[str, Times]:
    """Return the ms per call of each decoder, `[rounds, clips, repetitions]`.

    Args:
        arpa: the n-gram model.
        options: of the beam.
        clips: log posteriors, `[T, V]` each.
        repeats: how often.

    Raises:
        UserError: the model is damaged.
    """
    table = table_of(parse_arpa(arpa.read_text(encoding="utf-8"), str(arpa)), LABELS)
    decoders: dict[str, Callable[[Array], Any]] = {
        "greedy": greedy,
        "beam": partial(beam_search, table=table, options=options),
        "greedy_stream": partial(decode_stream, GreedyDecoder()),
        "beam_stream": partial(decode_stream, BeamDecoder(table, options)),
    }
    times = {name: np.zeros((repeats.rounds, len(clips), repeats.repetitions)) for name in decoders}
    for turn, index in np.ndindex(repeats.rounds, len(clips)):
        for name, decode in decoders.items():
            for _ in range(repeats.warmup):
                decode(clips[index])
            for repetition in range(repeats.repetitions):
                times[name][turn, index, repetition], _ = timed_call(decode, clips[index])
    return times


def run(data: Path, beam_report: Path, params: BeamBenchParams) -> dict[str, Any]:
    """Return the report.

    Args:
        data: the folder of that name.
        beam_report: of the stage evaluate_beam.
        params: how to measure.

    Raises:
        UserError: an input is missing, or the report does not have the model.
    """
    arpa = data / "models" / "phone_ngram" / "phones.arpa"
    posteriors, test = data / "posteriors" / params.model, data / "splits" / "test.jsonl"
    require([arpa, posteriors, test, beam_report])
    rows = sorted(manifest.read(test), key=lambda u: (u.duration_s, u.id))
    if not rows:
        raise UserError(f"{test}: no utterance to time")
    keys = [rows[round(i)].id for i in np.linspace(0, len(rows) - 1, min(params.clips, len(rows)))]
    arrays = open_arrays(posteriors, keys)
    clips = [arrays[key] for key in keys]
    seconds = np.array([len(clip) for clip in clips]) / FRAMES_PER_SECOND
    options = options_of(read_json(beam_report), params)
    measurement = measure_alone(time_decoders, arpa, options, clips, params.repeats)
    decoders = {name: figures(times, seconds) for name, times in measurement.times_ms.items()}
    for name, baseline in BASELINES.items():
        ratio = decoders[name]["ms_per_s"] / decoders[baseline]["ms_per_s"]
        decoders[name]["times_as_long_as"] = {baseline: significant(ratio)}
    demands = [
        Demand(
            f"{name}.ms_per_s", decoders[name]["ms_per_s"], params.sla.max_ms_per_s, at_most=True
        )
        for name in ("beam", "beam_stream")
    ]
    return measurement.conditions(params.repeats) | {
        "model": params.model, "width": params.width, "clips": len(clips),
        "audio_s": round(float(seconds.sum()), 2), "decoders": decoders, "sla": demanded(demands),
    }  # fmt: skip


def options_of(beam_report: Mapping[str, Any], params: BeamBenchParams) -> BeamOptions:
    """Return the settings that the report chose for the model, with the width of the benchmark.

    Raises:
        UserError: the report does not have the model.
    """
    if params.model not in beam_report["models"]:
        raise UserError(
            f"bench_beam.model is {params.model!r} in params.yaml, which is not one of "
            f"{sorted(beam_report['models'])} in the report on beams"
        )
    chosen = beam_report["models"][params.model]["chosen"]
    return BeamOptions(
        params.width, chosen["lm_weight"], chosen["insertion"], beam_report["threshold"],
        beam_report["hold_frames"]["beam"],
    )  # fmt: skip


def figures(times_ms: Times, seconds: Times) -> dict[str, Any]:
    """Return the ms per second of audio: of all clips together, and quantiles over clips.

    Args:
        times_ms: `[rounds, clips, repetitions]`.
        seconds: length of each clip.

    >>> figures(np.array([[[1.0], [4.0]]]), np.array([1.0, 2.0]))["ms_per_s"]
    1.667
    """
    medians = np.median(times_ms, axis=(0, 2))
    together = significant(float(medians.sum() / seconds.sum()))
    per_s = {f"{name}_per_s": ms for name, ms in quantiles(medians / seconds).items()}
    return {"ms_per_s": together} | per_s


def page(result: Mapping[str, Any]) -> str:
    """Return the report as text."""
    rows: list[Sequence[object]] = [
        [
            name.replace("_", ", "), row["ms_per_s"], row["p99_ms_per_s"],
            *row.get("times_as_long_as", {None: None}).values(),
        ]
        for name, row in result["decoders"].items()
    ]  # fmt: skip
    title = (
        f"beam: {result['clips']} test clips, {result['audio_s']} s, posteriors of "
        f"{result['model']}, {result['width']} hypotheses, one thread; ms per second of audio"
    )
    return report.page(title, ["decoder", "ms/s", "p99 of a clip", "x greedy"], rows)


def bench_beam(busy: bool = False) -> None:
    """Run the benchmark of the beam; see `run_benchmarks`."""
    params = load("bench_beam", BeamBenchParams)
    measure = partial(run, Path("data"), Path("reports/beam.json"), params)
    run_benchmarks({"beam": Benchmark(measure, page, Path("reports/bench/beam.json"))}, busy=busy)
