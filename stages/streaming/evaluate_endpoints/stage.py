"""Evaluate endpoint detection with three voice activity detectors on joined utterances.

Reads   data/audio, valid.jsonl, test.jsonl, segments.parquet, data/realtime/frontend.json,
        data/realtime/export/speech, data/realtime/models/speech
Writes  reports/endpoints.json, reports/endpoints.md
Params  evaluate_endpoints

The clips of one voice are joined in memory, with pauses of known length between them and noise
throughout; pauses within a clip are as they are. Thresholds and hangovers are chosen on the
validation voices, with the package's silence of rule 2. No recogniser takes part: a phone counts as
committed a fixed time after its true end, so the report measures detectors and rules alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from fonoteka import manifest
from fonoteka.alignment.phone_rows import read_phone_rows
from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, write_json, write_text
from fonoteka.core.params import load
from fonoteka.reporting.endpoint_table import endpoint_page
from fonoteka.reporting.rounding import rounded
from fonoteka.streaming.endpoint import EndpointParams
from fonoteka.streaming.vad.detector import open_scorer
from fonoteka.streaming.vad.interfaces import VADS
from stages.streaming.evaluate_endpoints.endpoint_scores import (
    EndpointCounts,
    sum_frames,
)
from stages.streaming.evaluate_endpoints.joined_streams import (
    JoinedStream,
    Times,
    joined_streams,
)
from stages.streaming.evaluate_endpoints.settings import EvaluateEndpointsParams
from stages.streaming.evaluate_endpoints.tuning import (
    EndpointPart,
    count,
    count_all,
    tune,
)


def scores_of(part: EndpointPart, endpoint: EndpointParams, commit_lag_s: float) -> dict[str, Any]:
    """Return the scores of endpoints and frames: all, by noise and by corpus."""
    counts = count_all(part, endpoint, commit_lag_s)
    frames = part.frames(endpoint.vad)

    def group(selected: Sequence[bool]) -> dict[str, Any]:
        own = [i for i, is_selected in enumerate(selected) if is_selected]
        total = sum((counts[i] for i in own), start=EndpointCounts())
        over_ms = total.delay_ms_p90 - 1000 * endpoint.rule2_silence_s
        return total.report() | {
            "delay_over_rule2_ms_p90": over_ms if total.delays_ms else None,
            "frames": sum_frames([frames[i] for i in own]).report(),
        }

    streams = part.streams
    noises = sorted({stream.noise_db for stream in streams}, reverse=True)
    sources = sorted({stream.source for stream in streams})
    return {
        "all": group([True for _ in streams]),
        "noise_below_db": {f"{x:g}": group([s.noise_db == x for s in streams]) for x in noises},
        "sources": {x: group([s.source == x for s in streams]) for x in sources},
    }


def contents_of(streams: Sequence[JoinedStream]) -> dict[str, Any]:
    """Return the numbers of a part's streams, and the lengths of their pauses in seconds."""
    gaps = [gap for stream in streams for gap in stream.gaps_s]
    within = [
        after[1] - before[2]
        for stream in streams
        for rows in stream.phones
        for before, after in pairwise(rows)
    ]
    return {
        "speakers": len({stream.speaker for stream in streams}), "streams": len(streams),
        "utterances": len(gaps), "clips": len({c for stream in streams for c in stream.clips}),
        "hours": sum(len(stream.samples) for stream in streams) / SAMPLE_RATE_HZ / 3600,
        "pause_between_min_s": min(gaps), "pause_between_max_s": max(gaps),
        "pause_within_max_s": max([0.0, *within]),
    }  # fmt: skip


def part_streams(
    path: Path, times: Times, audio: Path, count: int, params: EvaluateEndpointsParams
) -> tuple[list[JoinedStream], dict[str, Any]]:
    """Return the streams of a manifest and the report on them.

    Raises:
        UserError: no phone times are known of any utterance.
    """
    utterances = manifest.read(path)
    timed = [u for u in utterances if times.get(u.id)]
    if not timed:
        raise UserError(f"{path}: no clip whose phone times are known; run the stage align")
    streams = [*joined_streams(timed, times, audio, count, params.join)]
    return streams, contents_of(streams) | {
        "synthetic": any(u.synthetic for u in timed),
        "clips_without_times": len(utterances) - len(timed),
    }


def run(
    audio: Path, parts: tuple[Path, Path], segments: Path, speech: tuple[Path, Path],
    frontend: Path, out: Path, params: EvaluateEndpointsParams,
) -> None:  # fmt: skip
    """Choose the parameters of each detector on `valid`, score it on `test`, write the report.

    Args:
        audio: data/audio.
        parts: the manifests of valid and test.
        segments: with the phone times.
        speech: the folders of the exported model `speech` and of its metadata.
        frontend: frontend.json.
        out: the report, with a page beside it.
        params: of the streams and the choice.
    """
    times = read_phone_rows(segments)
    export, metadata = speech
    delay_hops = read_json(metadata / "model.json")["delay_hops"]

    def part_of(path: Path, count: int) -> tuple[EndpointPart, dict[str, Any]]:
        streams, contents = part_streams(path, times, audio, count, params)
        files = export / "speech.onnx", frontend
        return EndpointPart(
            streams, lambda vad: open_scorer(vad.name, vad.mode, files, delay_hops)
        ), contents

    valid, valid_contents = part_of(parts[0], params.valid_utterances)
    chosen = {name: tune(name, valid, params) for name in VADS}
    lag_s, default = params.commit_lag_s, EndpointParams()
    rule2 = {
        f"{rule2_s:g}": count(valid, replace(default, rule2_silence_s=rule2_s), lag_s).report()
        for rule2_s in params.rule2_silence_s
    }
    del valid  # the samples of a part take 100 to 200 MB
    test, test_contents = part_of(parts[1], params.test_utterances)
    report = {
        "commit_lag_s": lag_s, "valid": valid_contents, "test": test_contents,
        "vads": {
            name: {
                "params": asdict(EndpointParams(vad=tuned.vad)),
                "valid": tuned.counts.report() | {"frames": tuned.frames.report()},
                "test": scores_of(test, EndpointParams(vad=tuned.vad), lag_s),
            }
            for name, tuned in chosen.items()
        },
        "default": {
            "params": asdict(default), "test": scores_of(test, default, lag_s),
            "valid_by_rule2_silence_s": rule2,
        },
    }  # fmt: skip
    report = rounded(report, params.digits)
    write_json(out, report)
    write_text(out.with_suffix(".md"), endpoint_page(report))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("audio", "valid", "test", "segments", "export", "model", "frontend", "out"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    run(
        args.audio, (args.valid, args.test), args.segments, (args.export, args.model),
        args.frontend, args.out, load("evaluate_endpoints", EvaluateEndpointsParams),
    )  # fmt: skip
