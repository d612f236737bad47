"""Times of streams that are fed to engines, hop by hop: computation, deadlines, lag."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.bench.timer import Times, timed_call
from fonoteka.core.errors import UserError
from fonoteka.streaming.chunked import FedEngine, chunks_of
from fonoteka.streaming.interfaces import StreamUpdate
from fonoteka.streaming.stream_metrics import ReferencePhone, score_stream

ENGINE, PACED = "engine", "paced"
"""Names of candidates: the engine as fast as possible, and at the speed of the clock."""

FIGURES = ("compute", "hops", "missed", "lag", "ready")
WARM_UP_S = 1.0


@dataclass(frozen=True)
class Candidates:
    """What is timed; part of section `bench_streaming`.

    Attributes:
        decoder: of the engine.
        policy: of the engine.
        chunk_ms: samples per hop of the engine.
        recompute_chunks_ms: samples per hop of the baseline, one row each.
        window_s: of the baseline.
    """

    decoder: str
    policy: str
    chunk_ms: float
    recompute_chunks_ms: tuple[float, ...]
    window_s: float

    def __post_init__(self) -> None:
        if min(self.chunk_ms, *self.recompute_chunks_ms, self.window_s) <= 0:
            raise UserError(
                "bench_streaming: chunk_ms, recompute_chunks_ms and window_s must be above 0, "
                f"found {self.chunk_ms:g}, {self.recompute_chunks_ms} and {self.window_s:g}"
            )


def samples_of(chunk_ms: float) -> int:
    """Return the samples of a chunk in ms.

    >>> samples_of(40)
    640
    """
    return max(1, round(chunk_ms * SAMPLE_RATE_HZ / 1000))


class TimedStream(NamedTuple):
    """A stream `[N]` at 16 kHz, with its true phones."""

    samples: Signal
    reference: list[ReferencePhone]


class HopTimes(NamedTuple):
    """Times of a stream, in seconds from its start, of H hops.

    Attributes:
        updates: of each hop and of the end of the stream.
        compute_s: of each hop and of the end, `[H + 1]`.
        arrived_s: when the last sample of each hop has arrived, `[H]`.
        ready_s: when the update of each hop and of the end is known, `[H + 1]`.
    """

    updates: list[StreamUpdate]
    compute_s: NDArray[np.float64]
    arrived_s: NDArray[np.float64]
    ready_s: NDArray[np.float64]


def timed_stream(engine: FedEngine, signal: Signal, size: int) -> HopTimes:
    """Return the times of a stream `[N]` whose hops of `size` samples are computed at once.

    A hop starts when it has arrived and the hop before it is ready.
    """
    chunks = chunks_of(signal, size)
    arrived_s = np.cumsum([len(chunk) for chunk in chunks]) / SAMPLE_RATE_HZ
    updates, compute_s = [], []
    for chunk in chunks:
        ms, update = timed_call(engine.feed, chunk)
        updates.append(update)
        compute_s.append(ms / 1000)
    ms, update = timed_call(engine.finish)
    computed = np.array([*compute_s, ms / 1000])
    ready_s = queued(np.append(arrived_s, arrived_s[-1]), computed)
    return HopTimes([*updates, update], computed, arrived_s, ready_s)


def queued(arrived: NDArray[np.float64], compute: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return when each of several jobs is ready, one after another, `[H]`.

    >>> queued(np.array([1.0, 2.0, 3.0]), np.array([0.5, 1.5, 0.25])).tolist()
    [1.5, 3.5, 3.75]
    """
    ready, now = [], 0.0
    for arrival_s, compute_s in zip(arrived, compute, strict=True):
        now = max(now, float(arrival_s)) + float(compute_s)
        ready.append(now)
    return np.array(ready)


def paced_stream(
    engine: FedEngine, signal: Signal, size: int,
    clock: Callable[[], float] = time.perf_counter, sleep: Callable[[float], None] = time.sleep,
) -> HopTimes:  # fmt: skip
    """Return the times of a stream `[N]` that is fed at the speed of the clock."""
    chunks = chunks_of(signal, size)
    arrived_s = np.cumsum([len(chunk) for chunk in chunks]) / SAMPLE_RATE_HZ
    updates, compute_s, ready_s = [], [], []
    begin = clock()
    calls: list[Callable[[], StreamUpdate]]
    calls = [*(partial(engine.feed, chunk) for chunk in chunks), engine.finish]
    for arrival_s, call in zip(np.append(arrived_s, arrived_s[-1]), calls, strict=True):
        if (wait_s := begin + float(arrival_s) - clock()) > 0:
            sleep(wait_s)
        started = clock()
        updates.append(call())
        ended = clock()
        compute_s.append(ended - started)
        ready_s.append(ended - begin)
    return HopTimes(updates, np.array(compute_s), arrived_s, np.array(ready_s))


def missed_deadlines(times: HopTimes, size: int) -> int:
    """Return how many hops are ready after the next one has arrived."""
    deadlines = times.arrived_s + size / SAMPLE_RATE_HZ
    return int((times.ready_s[:-1] > deadlines).sum())


def time_streams(
    folder: Path, streams: Sequence[TimedStream], candidates: Candidates, paced_s: float
) -> dict[str, Times]:
    """Return times in ms by candidate, `candidate/figure`.

    Args:
        folder: of the model.
        streams: at least one.
        candidates: the engine and its baselines.
        paced_s: seconds of streams that are fed at the speed of the clock too, from the first
            one again if they are shorter.

    Figures: `compute` of each hop and end, `hops` of each hop without the ends, `lag` and `ready`
    of each right phone without and with computation, and `missed`, the number of missed deadlines.

    Raises:
        UserError: a file of the model is missing or damaged.
    """
    from fonoteka.streaming.open_engine import open_engine

    engine = open_engine(str(folder), candidates.policy, candidates.decoder)
    engines: dict[str, tuple[FedEngine, int]] = {ENGINE: (engine, samples_of(candidates.chunk_ms))}
    for chunk_ms in candidates.recompute_chunks_ms:
        baseline = recompute_engine(folder, candidates.window_s)
        engines[f"recompute, {chunk_ms:g} ms"] = (baseline, samples_of(chunk_ms))
    for each, size in engines.values():
        timed_stream(each, streams[0].samples[: round(WARM_UP_S * SAMPLE_RATE_HZ)], size)
    # Stream by stream: if the machine slows down, all candidates slow down.
    results: dict[str, list[tuple[HopTimes, TimedStream]]] = {name: [] for name in engines}
    for stream in streams:
        for name, (each, size) in engines.items():
            results[name].append((timed_stream(each, stream.samples, size), stream))
    paced, seconds = [], 0.0
    for stream in cycle(streams):
        if seconds >= paced_s:
            break
        size = engines[ENGINE][1]
        paced.append((paced_stream(engine, stream.samples, size), stream))
        seconds += len(stream.samples) / SAMPLE_RATE_HZ
    figures: dict[str, Times] = {}
    for name, pairs in {**results, PACED: paced}.items():
        size = engines.get(name, engines[ENGINE])[1]
        figures |= {f"{name}/{key}": value for key, value in figures_of(pairs, size).items()}
    return figures


def recompute_engine(folder: Path, window_s: float) -> FedEngine:
    """Return the baseline: the same model, which computes its whole window again at each chunk."""
    from fonoteka.bench.recompute_baseline import RecomputeEngine
    from fonoteka.streaming.chunked import whole_stream
    from fonoteka.streaming.open_engine import EXACT, frame_source

    source = frame_source(folder, EXACT)
    return RecomputeEngine(
        lambda samples: whole_stream(source, samples), source.labels, window_s
    )  # fmt: skip


def figures_of(pairs: Sequence[tuple[HopTimes, TimedStream]], size: int) -> dict[str, Times]:
    """Return the figures of a candidate in all streams, in ms; see `time_streams`."""
    lags: dict[str, list[float]] = {"lag": [], "ready": []}
    for times, stream in pairs:
        ready = [
            replace(update, audio_s=float(ready_s))
            for update, ready_s in zip(times.updates, times.ready_s, strict=True)
        ]
        for key, updates in (("lag", times.updates), ("ready", ready)):
            score = score_stream(updates, stream.reference)
            lags[key] += [1000 * lag.after_end_s for lag in score.lags]
    compute = [1000 * times.compute_s for times, _ in pairs]
    nothing = np.zeros(0)
    return {
        "compute": np.concatenate([nothing, *compute]),
        "hops": np.concatenate([nothing, *(each[:-1] for each in compute)]),
        "missed": np.array([sum(missed_deadlines(times, size) for times, _ in pairs)], float),
    } | {key: np.array(values) for key, values in lags.items()}
