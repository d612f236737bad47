"""Score the recognition of streams on unseen speakers: delay, stability, errors, confidence.

Reads   data/models/<name> of each model, valid.jsonl, test.jsonl, data/audio, segments.parquet
Writes  data/streaming/logs/<model>.<policy>.jsonl    updates, as simulstream reads them
        data/streaming/confidence/<model>.json        the calibration that was chosen
        reports/streaming.json, reports/streaming.md, reports/streaming.png
Params  evaluate_streaming

Streams are clips of one speaker with pauses, a noise and a level, so the time of every phone is
known. An engine gets them in chunks, as from a microphone, and each of its updates counts at the
length of the audio that it has got. Confidence is measured on the offline posteriors, so it does
not depend on a policy.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from fonoteka import manifest
from fonoteka.alignment.phone_rows import read_phone_rows
from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, write_json, write_text
from fonoteka.core.params import load
from fonoteka.realtime.joined_streams import JoinParams, Stream, joined_streams
from fonoteka.reporting.lag_figure import draw
from fonoteka.reporting.rounding import rounded
from fonoteka.reporting.streaming_table import page
from fonoteka.scoring.error_rate import Errors
from fonoteka.streaming.chunked import stream_updates
from fonoteka.streaming.interfaces import Posteriors
from fonoteka.streaming.simulstream_log import write_log
from stages.streaming.evaluate_streaming.phone_confidence import (
    ConfidenceParams,
    MeasuredPhone,
    compare_measures,
    measured_phones,
)
from stages.streaming.evaluate_streaming.policy_report import policy_report, policy_result
from stages.streaming.evaluate_streaming.streamed_model import (
    StreamedModel,
    model_in,
    offline_stream,
    reference_of,
    speaker_of,
)


@dataclass(frozen=True)
class EvaluateStreamingParams:
    """Section `evaluate_streaming`.

    Attributes:
        streams: how clips are joined.
        streams_per_speaker: the first streams of each speaker; the others are not used.
        chunk_ms: samples are fed in chunks of this length.
        decoder: of the engine.
        policies: of each model, by the name of its folder; a model without one is offline only.
        confidence: how the measures are calibrated.
        resamples: draws of the speakers for an interval.
        seed: of the draws.
        digits: decimals in the report.
        dpi: of the figure.
    """

    streams: JoinParams
    streams_per_speaker: int
    chunk_ms: float
    decoder: str
    policies: dict[str, tuple[str, ...]]
    confidence: ConfidenceParams
    resamples: int
    seed: int
    digits: int
    dpi: int

    def __post_init__(self) -> None:
        if self.streams_per_speaker < 1 or not self.chunk_ms >= 1:
            raise UserError(
                "evaluate_streaming: streams_per_speaker and chunk_ms must be at least 1, found "
                f"{self.streams_per_speaker} and {self.chunk_ms:g}; change them in params.yaml"
            )


def limited(streams: Iterable[Stream], per_speaker: int) -> list[Stream]:
    """Return the first streams of each speaker; a speaker's streams are together."""
    groups = groupby(streams, key=speaker_of)
    return [stream for _, group in groups for stream in islice(group, per_speaker)]


def evaluate(
    model: StreamedModel, policies: Sequence[str], valid: Sequence[Stream],
    test: Sequence[Stream], logs: Path, confidence: Path, params: EvaluateStreamingParams,
) -> tuple[dict[str, Any], dict[str, Any], float]:  # fmt: skip
    """Write the logs and the calibration of a model.

    Returns:
        The figures of its policies and of its confidence, and its offline phone error rate.
    """
    offline = [offline_stream(model, stream) for stream in test]
    size = round(params.chunk_ms * SAMPLE_RATE_HZ / 1000)
    report = {}
    for policy in policies:
        # One engine for all streams: `finish` resets it, so the files are opened once.
        engine = model.open(policy)
        updates = {
            stream.id.replace("/", "_"): stream_updates(engine, stream.samples, size)
            for stream in test
        }
        write_log(logs / f"{model.name}.{policy}.jsonl", updates)
        results = map(policy_result, test, updates.values(), offline)
        report[policy] = policy_report([*results], params.resamples, params.seed)
    # Confidence is calibrated on the validation voices and scored on those of the test part.
    scores, calibration = compare_measures(
        measured_streams(model, valid, map(model.offline, (stream.samples for stream in valid))),
        measured_streams(model, test, (each.log_probs for each in offline)),
        params.confidence, params.resamples, params.seed,
    )  # fmt: skip
    write_json(confidence / f"{model.name}.json", calibration.to_json())
    return report, scores, sum((each.errors for each in offline), Errors()).rate


def measured_streams(
    model: StreamedModel, streams: Sequence[Stream], posteriors: Iterable[Posteriors]
) -> list[MeasuredPhone]:
    """Return the phones of the best path of all streams, with their measures of confidence."""
    return [
        phone
        for stream, log_probs in zip(streams, posteriors, strict=True)
        for phone in measured_phones(
            log_probs, model.labels, reference_of(stream), speaker_of(stream)
        )
    ]


def run(
    models: Sequence[StreamedModel], splits: Mapping[str, Path], audio: Path, segments: Path,
    logs: Path, confidence: Path, report: Path, table: Path, figure: Path,
    params: EvaluateStreamingParams,
) -> None:  # fmt: skip
    """Evaluate all models with their policies.

    Raises:
        UserError: a model has no policies, or a split no clip with phone times.
    """
    if {model.name for model in models} != {*params.policies}:
        raise UserError(
            f"evaluate_streaming: models {sorted(model.name for model in models)}, but policies "
            f"of {sorted(params.policies)}; change evaluate_streaming.policies in params.yaml"
        )
    times = read_phone_rows(segments)
    streams: dict[str, list[Stream]] = {}
    for part, path in splits.items():
        timed = [u for u in manifest.read(path) if u.id in times]
        if not timed:
            raise UserError(f"{path}: no clip whose phone times are known; run the stage align")
        joined = joined_streams(part, timed, audio, times, params.streams)
        streams[part] = limited(joined, params.streams_per_speaker)
    policies, scores, offline = {}, {}, {}
    with atomic_folder(logs) as log_folder, atomic_folder(confidence) as confidence_folder:
        for model in sorted(models, key=lambda model: model.name):
            policies[model.name], scores[model.name], offline[model.name] = evaluate(
                model, params.policies[model.name], streams["valid"], streams["test"],
                log_folder, confidence_folder, params,
            )  # fmt: skip
    result = rounded(
        {
            "chunk_ms": params.chunk_ms, "decoder": params.decoder,
            "seconds": sum(len(s.samples) for s in streams["test"]) / SAMPLE_RATE_HZ,
            "models": policies, "confidence": scores, "offline": offline,
        },
        params.digits,
    )  # fmt: skip
    write_json(report, result)
    write_text(table, page(result))
    draw(result["models"], figure, params.dpi)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = (
        "audio",
        "valid",
        "test",
        "segments",
        "logs",
        "confidence",
        "report",
        "table",
        "figure",
    )
    for name in names:
        parser.add_argument(name, type=Path)
    parser.add_argument("--models", type=Path, nargs="+", required=True)
    args = parser.parse_args()
    params = load("evaluate_streaming", EvaluateStreamingParams)
    run(
        [model_in(folder, params.decoder) for folder in args.models],
        {"valid": args.valid, "test": args.test}, args.audio, args.segments, args.logs,
        args.confidence, args.report, args.table, args.figure, params,
    )  # fmt: skip
