"""Compare the times of spoken digits with those of pocketsphinx, and time the alignment alone.

Reads   a folder with the Free Spoken Digit Dataset (0_george_0.wav, ...), data/models/<model>
Writes  reports/bench/alignment.json
Params  bench_alignment

Digits of one speaker are joined with pauses, so that words begin at many times. The clips of the
dataset are cut near the start of the sound, so their starts are a third opinion on words, beside
the aligner and pocketsphinx.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fonoteka.alignment.aligner import align_words
from fonoteka.alignment.emissions import emissions, frame_levels
from fonoteka.alignment.written_words import written_words
from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.bench import report
from fonoteka.bench.alignment.digits import DigitJoinParams, Joined, joined_digits
from fonoteka.bench.alignment.speed import ALIGNER, PLAIN, Scored, SpeedParams, timing
from fonoteka.bench.alignment.sphinx_times import (
    Phone,
    TimedWord,
    matched_starts,
    open_sphinx,
    sphinx_words,
)
from fonoteka.bench.report import Benchmark, run_benchmarks
from fonoteka.core.errors import UserError
from fonoteka.core.params import load
from fonoteka.reporting.machine import require
from fonoteka.transcribe import PhoneModel, longest_input_s, open_phone_model, posteriors

SPHINX, CLIPS = "pocketsphinx", "starts of the clips"
PAIRS = ((ALIGNER, SPHINX), (PLAIN, SPHINX), (ALIGNER, CLIPS), (PLAIN, CLIPS), (SPHINX, CLIPS))


@dataclass(frozen=True)
class AlignmentBenchParams:
    """Section `bench_alignment`.

    Attributes:
        model: phone recogniser of data/models.
        join: how recordings are joined.
        speed: what is timed.
    """

    model: str
    join: DigitJoinParams
    speed: SpeedParams


def scored_recording(model: PhoneModel, recording: Joined) -> Scored:
    """Return what a recording is aligned by."""
    log_probs = posteriors(model.session, recording.signal, longest_input_s(model.session))
    levels = frame_levels(recording.signal, len(log_probs))
    return Scored(log_probs, levels, written_words(" ".join(recording.words), "en"))


def placed(recording: Joined, scored: Scored, sphinx: Any) -> dict[str, list[TimedWord]] | None:
    """Return the words of a recording by each method, or None if one of them finds no path."""
    from fonoteka.alignment.plain_path import plain_times  # imports torch

    duration_s = len(recording.signal) / SAMPLE_RATE_HZ
    ours = align_words(scored.words, emissions(scored.log_probs, scored.levels), duration_s)
    phones = [phone for word in scored.words for phone in word.phones]
    plain = plain_times(scored.log_probs, phones, duration_s)
    theirs = sphinx_words(sphinx, " ".join(recording.words), recording.signal)
    if ours is None or plain is None or theirs is None:
        return None
    starts = iter([start_s for start_s, _ in plain])
    peaks = [[Phone(phone, next(starts)) for phone in word.phones] for word in scored.words]
    return {
        ALIGNER: [
            TimedWord(w.text, w.start_s, tuple(Phone(p.symbol, p.start_s) for p in w.phones))
            for w in ours.words
        ],
        PLAIN: [
            TimedWord(w.text, own[0].start_s, tuple(own))
            for w, own in zip(scored.words, peaks, strict=True)
        ],
        SPHINX: theirs,
        CLIPS: [TimedWord(w, s) for w, s in zip(recording.words, recording.starts_s, strict=True)],
    }


def differences(recordings: Sequence[Mapping[str, list[TimedWord]]]) -> dict[str, Any]:
    """Return the distances of word and phone starts of each method from others."""
    result: dict[str, Any] = {}
    for method, other in PAIRS:
        words = [pair for r in recordings for pair in zip(r[method], r[other], strict=True)]
        entry = {"word_start": distances([(a.start_s, b.start_s) for a, b in words])}
        if other != CLIPS:
            phones = [pair for a, b in words for pair in matched_starts(a.phones, b.phones)]
            entry["phone_start"] = distances(phones)
        result.setdefault(f"from {other}", {})[method] = entry
    return result


def distances(pairs: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Return quantiles of absolute differences in ms, and the median of the first minus the second.

    >>> distances([(0.10, 0.11), (0.20, 0.17), (0.30, 0.30)])
    {'count': 3, 'median_ms': 10.0, 'p90_ms': 26.0, 'signed_median_ms': 0.0}
    """
    ms = 1000 * np.array([first - second for first, second in pairs])
    return {
        "count": len(pairs),
        "median_ms": round(float(np.median(np.abs(ms))), 1),
        "p90_ms": round(float(np.quantile(np.abs(ms), 0.9)), 1),
        "signed_median_ms": round(float(np.median(ms)), 1) + 0.0,
    }


def run(folder: Path, models: Path, params: AlignmentBenchParams) -> dict[str, Any]:
    """Return the report.

    Raises:
        UserError: an input is missing, or no recording can be aligned by all methods.
    """
    require([models / params.model / "model.onnx"])
    sphinx = open_sphinx()
    recordings = joined_digits(folder, params.join)
    model = open_phone_model(str(models / params.model))
    scored = [scored_recording(model, recording) for recording in recordings]
    results = [placed(*both, sphinx) for both in zip(recordings, scored, strict=True)]
    complete = [words for words in results if words is not None]
    if not complete:
        raise UserError(f"{folder}: none of {len(recordings)} recordings has a path in all methods")
    return {
        "model": params.model,
        "recordings": len(complete),
        "without_a_path": len(recordings) - len(complete),
        "words": sum(len(words[CLIPS]) for words in complete),
        "differences": differences(complete),
    } | timing(scored, params.speed)


def page(result: Mapping[str, Any]) -> str:
    """Return the report as text."""
    rows = [
        [method, other, kind.replace("_", " "), *values.values()]
        for other, methods in result["differences"].items()
        for method, kinds in methods.items()
        for kind, values in kinds.items()
    ]
    rtf = result["real_time_factor"]
    note = (
        f"{result['long_s']:g} s: RTF {rtf['long'][ALIGNER]}, {result['memory_gib']} GiB; "
        f"{result['short_s']:g} s: RTF {rtf['short'][ALIGNER]}, plain path of CTC "
        f"{rtf['short'][PLAIN]}; one thread, CPU time, without the recogniser"
    )
    title = f"alignment: {result['words']} digits in {result['recordings']} recordings"
    header = ["", "distance", "of", "count", "median ms", "p90 ms", "signed median ms"]
    return report.page(title, header, rows, note)


def bench_alignment(folder: Path, busy: bool = False) -> None:
    """Run the benchmark of the alignment; see `run_benchmarks`."""
    params = load("bench_alignment", AlignmentBenchParams)
    measure = partial(run, folder, Path("data/models"), params)
    file = Path("reports/bench/alignment.json")
    run_benchmarks({"alignment": Benchmark(measure, page, file)}, busy=busy)
