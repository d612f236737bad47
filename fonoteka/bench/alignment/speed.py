"""Time the alignment of a recording whose posteriors are given.

Times are CPU seconds of a process with one thread: what alignment costs beside any recogniser. The
plain path of CTC is timed on the short length alone, because its memory grows with the square of
the length.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.alignment.aligner import align_words
from fonoteka.alignment.emissions import emissions
from fonoteka.alignment.written_words import WrittenWord
from fonoteka.audio.dsp import FRAMES_PER_SECOND
from fonoteka.bench.timer import Times, measure_alone
from fonoteka.reporting.machine import GIB, Demand, demanded, significant

ALIGNER, PLAIN, LENGTH = "aligner", "plain_ctc", "seconds"


@dataclass(frozen=True)
class AlignmentLimits:
    """Limits of the alignment of the long recording.

    Attributes:
        max_rtf: CPU seconds per second of sound, without the recogniser.
        max_memory_gib: of the process.
    """

    max_rtf: float
    max_memory_gib: float


@dataclass(frozen=True)
class SpeedParams:
    """What is timed.

    Attributes:
        short_s: length for which aligner and plain path are timed in turns.
        long_s: length for which the aligner is timed alone.
        rounds: turns of each on the short length.
        sla: the limits.
    """

    short_s: float
    long_s: float
    rounds: int
    sla: AlignmentLimits


@dataclass(frozen=True)
class Scored:
    """What a recording is aligned by.

    Attributes:
        log_probs: log posteriors, `[T, V]`.
        levels: of the frames in dB, `[T]`.
        words: with their phones.
    """

    log_probs: NDArray[np.float32]
    levels: NDArray[np.float64]
    words: Sequence[WrittenWord]


def lengthened(scored: Sequence[Scored], seconds: float) -> Scored:
    """Return recordings one after the other, again and again, of at least `seconds`."""
    parts: list[Scored] = []
    frames = 0
    for recording in cycle(scored):
        if frames >= seconds * FRAMES_PER_SECOND:
            break
        parts.append(recording)
        frames += len(recording.log_probs)
    return Scored(
        np.concatenate([part.log_probs for part in parts]),
        np.concatenate([part.levels for part in parts]),
        [word for part in parts for word in part.words],
    )


def time_alignment(
    scored: Sequence[Scored], seconds: float, methods: Sequence[str], rounds: int
) -> dict[str, Times]:
    """Return the CPU ms of aligning a recording of at least `seconds`, by method, `[rounds]`."""
    whole = lengthened(scored, seconds)
    calls: dict[str, Callable[[], Any]] = {ALIGNER: partial(_align, whole)}
    if PLAIN in methods:
        calls[PLAIN] = _plain_call(whole)
    times: dict[str, list[float]] = {method: [] for method in methods}
    for _ in range(rounds):
        for method in methods:
            start_ns = time.process_time_ns()
            calls[method]()
            times[method].append((time.process_time_ns() - start_ns) / 1e6)
    frames_s = len(whole.log_probs) / FRAMES_PER_SECOND
    return {name: np.array(turns) for name, turns in times.items()} | {LENGTH: np.array([frames_s])}


def _align(whole: Scored) -> None:
    scores = emissions(whole.log_probs, whole.levels)
    assert align_words(whole.words, scores, len(scores) / FRAMES_PER_SECOND) is not None


def _plain_call(whole: Scored) -> Callable[[], Any]:
    import torch

    from fonoteka.alignment.plain_path import plain_times

    torch.set_num_threads(1)
    phones = [phone for word in whole.words for phone in word.phones]
    return partial(plain_times, whole.log_probs, phones, len(whole.log_probs) / FRAMES_PER_SECOND)


def timing(scored: Sequence[Scored], params: SpeedParams) -> dict[str, Any]:
    """Return the real-time factors of both lengths, and the memory of the long one."""
    methods = (ALIGNER, PLAIN)
    short = measure_alone(time_alignment, scored, params.short_s, methods, params.rounds)
    long = measure_alone(time_alignment, scored, params.long_s, methods[:1], 1)
    short_s, long_s = (float(m.times_ms[LENGTH][0]) for m in (short, long))
    rtf = {
        "short": {m: _rtf(short.times_ms[m], short_s) for m in methods},
        "long": {ALIGNER: _rtf(long.times_ms[ALIGNER], long_s)},
    }
    memory_gib = round(long.peak_memory_bytes / GIB, 3)
    demands = (
        Demand("alignment.rtf", rtf["long"][ALIGNER], params.sla.max_rtf, True),
        Demand("alignment.memory_gib", memory_gib, params.sla.max_memory_gib, True),
    )
    return {
        "clock": "CPU time", "threads": 1, "rounds": params.rounds, "short_s": round(short_s, 1),
        "long_s": round(long_s, 1), "real_time_factor": rtf, "memory_gib": memory_gib,
        "sla": demanded(demands),
    }  # fmt: skip


def _rtf(times_ms: Times, seconds: float) -> float:
    return significant(float(np.median(times_ms)) / 1000 / seconds)
