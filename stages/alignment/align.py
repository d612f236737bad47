"""Compute the start and end of each phone and each word.

Reads   data/models/wav2vec2_ctc and its embeddings, data/splits/*.jsonl
Writes  data/corpus/segments.parquet, reports/alignment.json
Params  align, compute

If a corpus has phone times, they are used; otherwise the phones are aligned with the model's
posteriors by forced alignment. A CTC model predicts a phone's peak, not its edges, so an edge is
half-way through the blanks between two peaks. The error of this is measured on clips of valid and
test that have their own times, and is in the report.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torchaudio
from numpy.typing import NDArray
from torch import nn

from fonoteka import manifest
from fonoteka.audio.dsp import FRAMES_PER_SECOND
from fonoteka.core.files import atomic_file, write_json
from fonoteka.core.params import load
from fonoteka.core.run_stage import stage
from fonoteka.g2p.word_spans import word_phone_spans
from fonoteka.manifest import Utterance
from fonoteka.models.ctc import min_ctc_frames
from fonoteka.models.determinism import ComputeParams, configure
from fonoteka.models.heads import load_head, posteriors
from fonoteka.phones import NUMBER
from fonoteka.shards import read_arrays

PARTS = ("train", "valid", "test")
COLUMNS = ("utterance", "part", "kind", "symbol", "start_s", "end_s", "origin")
Times = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class AlignParams:
    """Section `align`.

    Attributes:
        min_silence_s: a shorter gap between phones is not a segment.
    """

    min_silence_s: float


def forced_times(
    log_probs: NDArray[np.float32], phones: Sequence[str], duration_s: float
) -> list[tuple[float, float]] | None:
    """Return `(start, end)` in seconds of each phone, or None if there are too few frames.

    Args:
        log_probs: log posteriors `[T, V]` over `LABELS`, 50 frames per second.
        phones: of the clip, in order.
        duration_s: of the clip; no time exceeds it.
    """
    targets = torch.tensor([[NUMBER[p] for p in phones]], dtype=torch.int32)
    if len(log_probs) < min_ctc_frames(phones):
        return None
    path, _ = torchaudio.functional.forced_align(
        torch.from_numpy(log_probs)[None], targets, blank=0
    )
    ids = path[0].numpy()
    edges = np.flatnonzero(np.diff(ids, prepend=-1, append=-1))
    peaks = [(int(a), int(b)) for a, b in pairwise(edges) if ids[a] != 0]
    assert len(peaks) == len(phones)
    cuts = [(a[1] + b[0]) / 2 for a, b in pairwise(peaks)]
    starts, ends = [peaks[0][0], *cuts], [*cuts, peaks[-1][1]]
    seconds = [
        (min(a / FRAMES_PER_SECOND, duration_s), min(b / FRAMES_PER_SECOND, duration_s))
        for a, b in zip(starts, ends, strict=True)
    ]
    return [(round(a, 4), round(b, 4)) for a, b in seconds]


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


def boundary_error(pairs: Sequence[tuple[Times, Times]]) -> dict[str, float | int | None]:
    """Return the distances of forced starts from the corpus's own, in milliseconds."""
    if not pairs:
        return {"clips": 0, "median_ms": None, "p90_ms": None, "within_20_ms": None}
    starts = [f[0] - o[0] for own, forced in pairs for o, f in zip(own, forced, strict=True)]
    off = np.round(np.abs(starts), 4)  # as times are: one frame off is 20 ms, not a bit more
    return {
        "clips": len(pairs),
        "median_ms": round(1000 * float(np.median(off)), 1),
        "p90_ms": round(1000 * float(np.quantile(off, 0.9)), 1),
        "within_20_ms": round(float(np.mean(off <= 0.020)), 4),
    }


def align(
    head: nn.Module, embeddings: Path, parts: dict[str, list[Utterance]], params: AlignParams
) -> tuple[pd.DataFrame, dict[str, object]]:
    """Return all segments and the report."""
    arrays = read_arrays(embeddings, [u.id for us in parts.values() for u in us])
    rows: list[tuple[object, ...]] = []
    origins = {"corpus": 0, "forced": 0, "too few frames": 0}
    measured: list[tuple[Times, Times]] = []
    for part, utterances in parts.items():
        for u in utterances:
            measure = u.phone_times_s is not None and part != "train"
            forced = None
            if measure or u.phone_times_s is None:
                forced = forced_times(posteriors(head, arrays[u.id]), u.phones, u.duration_s)
            if measure and forced and u.phone_times_s:
                measured.append((u.phone_times_s, forced))
            times = u.phone_times_s or forced
            origin = "corpus" if u.phone_times_s else "forced" if forced else "too few frames"
            origins[origin] += 1
            if times:
                rows += rows_of(u, part, times, origin, params.min_silence_s)
    report = {"clips": origins, "forced_start_error": boundary_error(measured)}
    return pd.DataFrame(rows, columns=list(COLUMNS)), report


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "embeddings", *PARTS, "segments", "report"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    configure(load("compute", ComputeParams).threads)
    parts = {part: manifest.read(getattr(args, part)) for part in PARTS}
    head, _ = load_head(args.model)
    segments, report = align(head, args.embeddings, parts, load("align", AlignParams))
    with atomic_file(args.segments) as part_file:
        segments.to_parquet(part_file, index=False)
    write_json(args.report, report)


if __name__ == "__main__":
    stage(main)
