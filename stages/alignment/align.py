"""Compute the start and end of each phone and each word.

Reads   data/models/whisper_ctc and its embeddings, data/splits/*.jsonl, data/audio
Writes  data/corpus/segments.parquet, reports/alignment.json
Params  align, compute

If a corpus has phone times, they are used; otherwise `fonoteka.alignment` places the phones. Its
error is measured on clips of valid and test that have their own times, beside that of the plain
path of CTC, in which an edge is half-way through the blanks between two peaks, and beside the
aligner with label priors (Huang et al. 2024, arXiv 2406.02560).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from fonoteka import manifest
from fonoteka.alignment.emissions import emissions, frame_levels
from fonoteka.alignment.phone_rows import RowWriter
from fonoteka.alignment.plain_path import plain_times
from fonoteka.audio.dsp import Signal
from fonoteka.core.files import atomic_file, write_json
from fonoteka.core.params import load
from fonoteka.core.run_stage import stage
from fonoteka.g2p.word_spans import word_phone_spans
from fonoteka.manifest import PARTS, Utterance
from fonoteka.models.determinism import ComputeParams, configure
from fonoteka.models.heads import load_head, posteriors
from fonoteka.phones import LABELS, NUMBER
from fonoteka.shards import open_arrays, open_clips
from stages.alignment.placed_times import placed_times
from stages.alignment.start_errors import MeasuredClip, Times, errors_of
from stages.alignment.wrong_words import ScoredClip, scored, wrong_word_rates

COLUMNS: Mapping[str, type] = MappingProxyType({
    "utterance": str, "part": str, "kind": str, "symbol": str, "start_s": float, "end_s": float,
    "origin": str,
})  # fmt: skip


@dataclass(frozen=True)
class AlignParams:
    """Section `align`.

    Attributes:
        min_silence_s: a shorter gap between phones is not a segment.
        prior_weight: share of the log prior of a phone that is subtracted from its score, in the
            comparison with priors; the segments are made without.
        seed: of the words that are changed, to see whether wrong ones are noticed.
    """

    min_silence_s: float
    prior_weight: float
    seed: int


def rows_of(
    utterance: Utterance, part: str, times: Times, origin: str, min_silence_s: float
) -> Iterator[tuple[str, str, str, str, float, float, str]]:
    """Yield the segments of one clip: phones, the silences around them, and words."""
    last = 0.0
    for phone, (start, end) in zip(utterance.phones, times, strict=True):
        if start - last >= min_silence_s:
            yield utterance.id, part, "silence", "", round(last, 4), start, origin
        yield utterance.id, part, "phone", phone, start, end, origin
        last = max(last, end)
    if utterance.duration_s - last >= min_silence_s:
        yield utterance.id, part, "silence", "", last, round(utterance.duration_s, 4), origin
    for word, first, after in word_phone_spans(
        utterance.normalized, utterance.language, utterance.phones
    ):
        yield utterance.id, part, "word", word, times[first][0], times[after - 1][1], origin


def phone_prior(utterances: Sequence[Utterance]) -> NDArray[np.float64]:
    """Return the log share of each phone among all, `[V - 1]`; one that is absent counts once."""
    counts = np.ones(len(LABELS) - 1)
    for utterance in utterances:
        np.add.at(counts, [NUMBER[phone] - 1 for phone in utterance.phones], 1)
    prior: NDArray[np.float64] = np.log(counts / counts.sum())
    return prior


@dataclass(frozen=True)
class FrameScores:
    """What the frames of a clip are aligned by.

    Attributes:
        log_probs: log posteriors of the head, `[T, V]`.
        levels: in dB of full scale, `[T]`.
        scores: of silence and phones, without priors, `[T, V]`.
    """

    log_probs: NDArray[np.float32]
    levels: NDArray[np.float64]
    scores: NDArray[np.float64]


def frame_scores(head: nn.Module, embeddings: NDArray[np.float32], signal: Signal) -> FrameScores:
    """Return the scores of a clip."""
    log_probs = posteriors(head, embeddings)
    levels = frame_levels(signal, len(log_probs))
    return FrameScores(log_probs, levels, emissions(log_probs, levels))


def measured_clip(
    utterance: Utterance, times: Times | None, frames: FrameScores,
    prior: NDArray[np.float64], prior_weight: float,
) -> MeasuredClip:  # fmt: skip
    """Return the times of a clip by all methods; `times` are those of the aligner."""
    words = _spans(utterance)
    with_priors = emissions(frames.log_probs, frames.levels, prior=prior, prior_weight=prior_weight)
    return MeasuredClip(
        utterance, words,
        {
            "aligner": times,
            "aligner_with_priors": placed_times(with_priors, utterance, words),
            "plain_ctc": plain_times(frames.log_probs, utterance.phones, utterance.duration_s),
        },
    )  # fmt: skip


def _spans(utterance: Utterance) -> list[tuple[str, int, int]]:
    return word_phone_spans(utterance.normalized, utterance.language, utterance.phones)


def align(
    head: nn.Module, embeddings: Path, audio: Path, parts: dict[str, list[Utterance]],
    table: RowWriter, params: AlignParams,
) -> dict[str, Any]:  # fmt: skip
    """Write all segments to `table` and return the report."""
    needed = {
        u.id: (u, part)
        for part, utterances in parts.items()
        for u in utterances
        if u.phone_times_s is None or part != "train"
    }
    arrays = open_arrays(embeddings, list(needed))
    signals = open_clips(audio, {key: u.audio for key, (u, _) in needed.items()})

    def frames_of(key: str) -> FrameScores:
        return frame_scores(head, arrays[key], signals[key])

    def scores_of(key: str) -> NDArray[np.float64]:
        return frames_of(key).scores

    prior = phone_prior(parts["train"])
    placed: dict[str, Times | None] = {}
    measured: list[MeasuredClip] = []
    to_change: dict[str, list[ScoredClip]] = {"valid": [], "test": []}
    for key in signals:
        utterance, part = needed[key]
        frames = frames_of(key)
        times = placed_times(frames.scores, utterance, _spans(utterance))
        if part in to_change:
            # Scored again later: the scores of all clips would be 73 MB per hour.
            to_change[part].append(scored(utterance, partial(scores_of, key)))
        if utterance.phone_times_s is None:
            placed[key] = times
        else:
            measured.append(measured_clip(utterance, times, frames, prior, params.prior_weight))
    return {
        **write_segments(parts, placed, table, params.min_silence_s),
        "start_error": errors_of(measured),
        "wrong_words": {
            part: wrong_word_rates(clips, params.seed) for part, clips in to_change.items()
        },
    }


def write_segments(
    parts: Mapping[str, Sequence[Utterance]], placed: Mapping[str, Times | None],
    table: RowWriter, min_silence_s: float,
) -> dict[str, Any]:  # fmt: skip
    """Write the segments of all clips that have times; return counts and shares for the report.

    Args:
        parts: the clips.
        placed: the times of those whose corpus has none, or None if they have too few frames.
        table: where to write.
        min_silence_s: a shorter gap between phones is not a segment.
    """
    origins = {"corpus": 0, "forced": 0, "too few frames": 0}
    seconds: dict[str, list[float]] = {}  # of phones, and of whole clips, by corpus
    for part, utterances in parts.items():
        for u in utterances:
            times = u.phone_times_s or placed[u.id]
            origin = "corpus" if u.phone_times_s else "forced" if times else "too few frames"
            origins[origin] += 1
            if times:
                table.extend(rows_of(u, part, times, origin, min_silence_s))
                total = seconds.setdefault(u.source, [0.0, 0.0])
                total[0] += sum(end - start for start, end in times)
                total[1] += u.duration_s
    silence = {name: round(1 - spoken / whole, 4) for name, (spoken, whole) in seconds.items()}
    return {"clips": origins, "silence_share": dict(sorted(silence.items()))}


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "embeddings", "audio", *PARTS, "segments", "report"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    configure(load("compute", ComputeParams).threads)
    parts = {part: manifest.read(getattr(args, part)) for part in PARTS}
    head, _ = load_head(args.model)
    params = load("align", AlignParams)
    with atomic_file(args.segments) as file, RowWriter(file, COLUMNS) as table:
        report = align(head, args.embeddings, args.audio, parts, table, params)
    write_json(args.report, report)


if __name__ == "__main__":
    stage(main)
