"""Score a small model's outputs for a stream: right or wrong at each hop, and the latency."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.alignment.phone_rows import Row
from fonoteka.realtime.events import Counts, Latencies, latencies, match_events, pick_peaks
from fonoteka.realtime.frame_labels import TASKS, delayed
from fonoteka.scoring.error_rate import Interval, bootstrap_of

Array = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class EvaluateRealtimeParams:
    """Section `evaluate_realtime`.

    Attributes:
        tolerance_s: largest distance of a predicted onset from the true one.
        max_latency_s: a later decision counts as a miss.
        resamples: draws of the speakers for an interval.
        seed: of the draws.
        digits: decimals of a score in the report.
    """

    tolerance_s: float
    max_latency_s: float
    resamples: int
    seed: int
    digits: int


@dataclass(frozen=True)
class EvaluationStream:
    """A stream of the test part.

    Attributes:
        frames: `[T, M]`.
        rows: its phones with their times.
        speaker: of the stream.
        sources: the corpus of each hop, shape `[T]`.
        languages: the language of each hop, shape `[T]`; a pause belongs to the phone after it.
    """

    frames: Array
    rows: list[Row]
    speaker: str
    sources: NDArray[np.object_]
    languages: NDArray[np.object_]


@dataclass(frozen=True)
class StreamCounts:
    """Counts of a model's decisions in one stream: one entry per hop, or per onset.

    Attributes:
        hops: the hop that each entry belongs to.
        hits, extra, missed: 1 or 0; with several classes a wrong decision is both extra and missed,
            so that the F1 of all is the accuracy.
        latencies_s: latencies of the decisions after a change, in seconds.
        missed_changes: changes without a decision in time.
        anticipated_changes: changes whose decision was already present, without a latency.
    """

    hops: Numbers
    hits: Numbers
    extra: Numbers
    missed: Numbers
    latencies_s: list[float]
    missed_changes: int
    anticipated_changes: int


class StreamEvaluator:
    """Scores the outputs of one model, by the delay and threshold in its model.json."""

    def __init__(
        self, metadata: Mapping[str, Any], hop_s: float, params: EvaluateRealtimeParams
    ) -> None:
        self.spec = TASKS[metadata["name"]]
        self.delay, self.threshold = metadata["delay_hops"], metadata["threshold"]
        self.hop_s, self.params = hop_s, params

    def counts(self, outputs: Array, stream: EvaluationStream) -> StreamCounts:
        """Return the counts of outputs `[T, O]`."""
        if self.spec.event:
            hops = pick_peaks(outputs[:, 0], self.threshold)
            return self._event_counts((hops - self.delay + 0.5) * self.hop_s, hops, stream)
        if len(self.spec.names) > 1:
            predicted = outputs.argmax(axis=1)
        else:
            predicted = (outputs[:, 0] > self.threshold).astype(np.int64)
        return self._state_counts(predicted, stream, self.delay)

    def _state_counts(
        self, predicted: Numbers, stream: EvaluationStream, delay: int
    ) -> StreamCounts:
        """Return the counts of one decision per hop, `[T]`."""
        truth = self.spec.labels(stream.rows, len(predicted), self.hop_s)
        expected = delayed(truth, delay)
        if len(self.spec.names) > 1:
            hits = predicted == expected
            extra = missed = ~hits
        else:
            hits = (predicted == 1) & (expected == 1)
            extra, missed = (predicted == 1) & (expected == 0), (predicted == 0) & (expected == 1)
        max_hops = round(self.params.max_latency_s / self.hop_s)
        delays: Latencies = latencies(predicted, truth, max_hops)
        latencies_s = [hops * self.hop_s for hops in delays.hops]
        hits, extra, missed = (x.astype(np.int64) for x in (hits, extra, missed))
        every_hop = np.arange(len(predicted))
        return StreamCounts(
            every_hop, hits, extra, missed, latencies_s, delays.missed, delays.anticipated
        )

    def _event_counts(
        self, predicted_s: Array, hops: Numbers, stream: EvaluationStream
    ) -> StreamCounts:
        """Return the counts of predicted events, each known one hop after its peak.

        Args:
            predicted_s: their times in seconds.
            hops: the hop of each.
            stream: with the true events.
        """
        starts = sorted(start_s for _, start_s, _ in stream.rows)
        pairs = match_events(predicted_s.tolist(), starts, self.params.tolerance_s)
        matched, true = {s for s, _ in pairs}, {t for _, t in pairs}
        last = len(stream.frames) - 1
        # Every entry gets a hop, a missed event that of its start, so that counts can be divided by
        # the language and the corpus that a stream has at that hop.
        entries = [
            *(hops[s] for s, _ in pairs),
            *(h for n, h in enumerate(hops) if n not in matched),
        ]
        entries += [min(int(s / self.hop_s), last) for n, s in enumerate(starts) if n not in true]
        # One row per entry, in the order of `entries`: 1 in the column of hits, extra or missed.
        kinds = np.repeat(
            np.eye(3, dtype=np.int64),
            [len(pairs), len(hops) - len(pairs), len(starts) - len(pairs)], axis=0,
        )  # fmt: skip
        # A peak is known when the next hop is lower, and a hop is complete at its end: two hops.
        latencies_s = [float((hops[s] + 2) * self.hop_s - starts[t]) for s, t in pairs]
        columns = kinds[:, 0], kinds[:, 1], kinds[:, 2]
        return StreamCounts(
            np.array(entries, dtype=np.int64), *columns, latencies_s, len(starts) - len(pairs), 0
        )

    def baseline_counts(self, stream: EvaluationStream, baseline: float) -> StreamCounts:
        """Return the counts of a constant decision; `baseline` is that of `majority_baseline`."""
        if self.spec.event:
            times_s = np.arange(baseline / 2, len(stream.frames) * self.hop_s, baseline)
            hops = np.minimum((times_s / self.hop_s).astype(np.int64), len(stream.frames) - 1)
            return self._event_counts(times_s.astype(np.float32), hops, stream)
        return self._state_counts(np.full(len(stream.frames), int(baseline)), stream, 0)

    def majority_baseline(self, streams: Sequence[tuple[list[Row], int]]) -> float:
        """Return the most frequent label of streams, or the mean time between onsets in seconds.

        For two classes it is 1, because always 0 would have an F1 of 0.

        Args:
            streams: phones and hops of each.
        """
        if self.spec.event:
            return sum(hops for _, hops in streams) * self.hop_s / sum(len(r) for r, _ in streams)
        if len(self.spec.names) == 1:
            return 1.0
        counts = np.zeros(len(self.spec.names), dtype=np.int64)
        for rows, hops in streams:
            labels = self.spec.labels(rows, hops, self.hop_s)
            counts += np.bincount(labels, minlength=len(counts))
        return float(counts.argmax())


def score(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the F1 of sums `[..., 3]` of hits, extra and missed; 0 if all are 0."""
    hits, extra, missed = np.moveaxis(sums, -1, 0)
    return np.asarray(2 * hits / np.maximum(1, 2 * hits + extra + missed))


def counts_by(marks: Sequence[tuple[StreamCounts, NDArray[np.object_]]]) -> dict[str, Counts]:
    """Return the counts under each name, sorted; `marks` contains the name of each hop."""
    counts: dict[str, Counts] = defaultdict(Counts)
    for mark, names in marks:
        own = names[mark.hops]
        for name in np.unique(own):
            selected = own == name
            sums = (int(x[selected].sum()) for x in (mark.hits, mark.extra, mark.missed))
            counts[str(name)] += Counts(*sums)
    return dict(sorted(counts.items()))


def report_of(
    evaluator: StreamEvaluator,
    outputs: Iterator[Array],
    streams: Sequence[EvaluationStream],
    baseline: float,
) -> dict[str, Any]:
    """Return the report of one model."""
    params = evaluator.params
    marks = [(evaluator.counts(output, s), s) for output, s in zip(outputs, streams, strict=True)]
    speakers: dict[str, Counts] = defaultdict(Counts)
    for mark, stream in marks:
        speakers[stream.speaker] += _sum(mark)
    table = np.array([[c.hits, c.extra, c.missed] for _, c in sorted(speakers.items())], float)
    interval: Interval = bootstrap_of(table, score, params.resamples, params.seed)
    baseline_total = sum((_sum(evaluator.baseline_counts(s, baseline)) for s in streams), Counts())
    latencies_ms = 1000 * np.array([x for mark, _ in marks for x in mark.latencies_s])
    missed = sum(mark.missed_changes for mark, _ in marks)
    anticipated = sum(mark.anticipated_changes for mark, _ in marks)
    return {
        "metric": "accuracy" if len(evaluator.spec.names) > 1 else "f1",
        "score": sum(speakers.values(), Counts()).f1,
        "low": interval.low, "high": interval.high, "baseline": baseline_total.f1,
        "languages": {k: c.f1 for k, c in counts_by([(m, s.languages) for m, s in marks]).items()},
        "sources": {k: c.f1 for k, c in counts_by([(m, s.sources) for m, s in marks]).items()},
        "delay_hops": evaluator.delay, "threshold": evaluator.threshold,
        "latency_ms_p50": _quantile(latencies_ms, 0.5),
        "latency_ms_p90": _quantile(latencies_ms, 0.9),
        "changes": len(latencies_ms) + missed + anticipated, "missed_changes": missed,
        "anticipated_changes": anticipated,
    }  # fmt: skip


def _quantile(values: NDArray[np.float64], share: float) -> float | None:
    return float(np.quantile(values, share)) if len(values) else None


def _sum(mark: StreamCounts) -> Counts:
    return Counts(int(mark.hits.sum()), int(mark.extra.sum()), int(mark.missed.sum()))
