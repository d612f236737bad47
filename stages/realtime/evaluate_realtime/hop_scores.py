"""What a small model's answers to a stream are worth: right or wrong at each hop, and how late."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.realtime.events import Counts, Latencies, latencies, match_events, pick_peaks
from fonoteka.realtime.frame_labels import TASKS, Row, delayed
from fonoteka.scoring.error_rate import Interval, bootstrap_of

Array = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class EvaluateRealtimeParams:
    """Section `evaluate_realtime`.

    Attributes:
        tolerance_s: how far an onset may be said from where it is.
        longest_delay_s: a later answer is none.
        resamples: draws of the speakers for an interval.
        seed: of the draws.
        digits: decimals of a score in the report.
    """

    tolerance_s: float
    longest_delay_s: float
    resamples: int
    seed: int
    digits: int


@dataclass(frozen=True)
class Heard:
    """A stream of the test part.

    Attributes:
        frames: `[T, M]`.
        rows: its phones with their times.
        speaker: whose voice it is.
        sources: the corpus of each hop, shape `[T]`.
        languages: the language of each hop, shape `[T]`; a pause belongs to what comes after it.
    """

    frames: Array
    rows: list[Row]
    speaker: str
    sources: NDArray[np.object_]
    languages: NDArray[np.object_]


@dataclass(frozen=True)
class Marked:
    """What a model's answers to one stream are worth, an entry a hop or, of moments, a moment.

    Attributes:
        at: the hop that each entry belongs to.
        hits, extra, missed: 1 or 0; a wrong answer among many is both extra and missed, so that the
            F1 of it all is the accuracy.
        late_s: of the answers that followed a change.
        without: changes that no answer followed in time.
        before: changes whose answer was there already.
    """

    at: Numbers
    hits: Numbers
    extra: Numbers
    missed: Numbers
    late_s: list[float]
    without: int
    before: int


class Examiner:
    """What asks one model, by what its model.json says."""

    def __init__(
        self, facts: Mapping[str, Any], hop_s: float, params: EvaluateRealtimeParams
    ) -> None:
        self.question = TASKS[facts["name"]]
        self.delay, self.threshold = facts["delay_hops"], facts["threshold"]
        self.hop_s, self.params = hop_s, params

    def marked(self, said: Array, stream: Heard) -> Marked:
        """Return what outputs `[T, O]` are worth."""
        if self.question.event:
            hops = pick_peaks(said[:, 0], self.threshold)
            return self._moments((hops - self.delay + 0.5) * self.hop_s, hops, stream)
        many = len(self.question.names) > 1
        answers = said.argmax(axis=1) if many else (said[:, 0] > self.threshold).astype(np.int64)
        return self.states(answers, stream, self.delay)

    def states(self, answers: Numbers, stream: Heard, delay: int) -> Marked:
        """Return what an answer at each hop is worth, `[T]`."""
        truth = self.question.labels(stream.rows, len(answers), self.hop_s)
        right = delayed(truth, delay)
        if len(self.question.names) > 1:
            hits = answers == right
            extra = missed = ~hits
        else:
            hits = (answers == 1) & (right == 1)
            extra, missed = (answers == 1) & (right == 0), (answers == 0) & (right == 1)
        within = round(self.params.longest_delay_s / self.hop_s)
        late: Latencies = latencies(answers, truth, within)
        late_s = [hops * self.hop_s for hops in late.hops]
        hits, extra, missed = (x.astype(np.int64) for x in (hits, extra, missed))
        at = np.arange(len(answers))
        return Marked(at, hits, extra, missed, late_s, late.without, late.before)

    def _moments(self, moments_s: Array, hops: Numbers, stream: Heard) -> Marked:
        """Return what moments are worth that were known a hop after their peak."""
        starts = sorted(start_s for _, start_s, _ in stream.rows)
        pairs = match_events(moments_s.tolist(), starts, self.params.tolerance_s)
        said, true = {s for s, _ in pairs}, {t for _, t in pairs}
        last = len(stream.frames) - 1
        at = [*(hops[s] for s, _ in pairs), *(h for n, h in enumerate(hops) if n not in said)]
        at += [min(int(s / self.hop_s), last) for n, s in enumerate(starts) if n not in true]
        kinds = np.repeat(
            np.eye(3, dtype=np.int64),
            [len(pairs), len(hops) - len(pairs), len(starts) - len(pairs)], axis=0,
        )  # fmt: skip
        late = [float((hops[s] + 2) * self.hop_s - starts[t]) for s, t in pairs]
        columns = kinds[:, 0], kinds[:, 1], kinds[:, 2]
        return Marked(np.array(at, dtype=np.int64), *columns, late, len(starts) - len(pairs), 0)

    def guessed(self, stream: Heard, habit: float) -> Marked:
        """Return what somebody is worth who has only counted; `habit` is what `habit_of` says."""
        if self.question.event:
            moments = np.arange(habit / 2, len(stream.frames) * self.hop_s, habit)
            hops = np.minimum((moments / self.hop_s).astype(np.int64), len(stream.frames) - 1)
            return self._moments(moments.astype(np.float32), hops, stream)
        return self.states(np.full(len(stream.frames), int(habit)), stream, 0)

    def habit_of(self, streams: Sequence[tuple[list[Row], int]]) -> float:
        """Return the commonest answer of streams, or the mean time between onsets in seconds.

        A yes or no is answered with yes: always no would have no F1.

        Args:
            streams: phones and hops of each.
        """
        if self.question.event:
            return sum(hops for _, hops in streams) * self.hop_s / sum(len(r) for r, _ in streams)
        if len(self.question.names) == 1:
            return 1.0
        counts = np.zeros(len(self.question.names), dtype=np.int64)
        for rows, hops in streams:
            labels = self.question.labels(rows, hops, self.hop_s)
            counts += np.bincount(labels, minlength=len(counts))
        return float(counts.argmax())


def score(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the F1 of sums `[..., 3]` of hits, extra and missed; 0 where there is nothing."""
    hits, extra, missed = np.moveaxis(sums, -1, 0)
    return np.asarray(2 * hits / np.maximum(1, 2 * hits + extra + missed))


def counts_by(marks: Sequence[tuple[Marked, NDArray[np.object_]]]) -> dict[str, Counts]:
    """Return the counts under each name, sorted; each stream comes with the name of each hop."""
    found: dict[str, Counts] = defaultdict(Counts)
    for mark, names in marks:
        own = names[mark.at]
        for name in np.unique(own):
            here = own == name
            sums = (int(x[here].sum()) for x in (mark.hits, mark.extra, mark.missed))
            found[str(name)] += Counts(*sums)
    return dict(sorted(found.items()))


def report_of(
    examiner: Examiner, said: Iterator[Array], streams: Sequence[Heard], habit: float
) -> dict[str, Any]:
    """Return what is said of one model."""
    params = examiner.params
    marks = [(examiner.marked(one, s), s) for one, s in zip(said, streams, strict=True)]
    speakers: dict[str, Counts] = defaultdict(Counts)
    for mark, stream in marks:
        speakers[stream.speaker] += _sum(mark)
    table = np.array([[c.hits, c.extra, c.missed] for _, c in sorted(speakers.items())], float)
    interval: Interval = bootstrap_of(table, score, params.resamples, params.seed)
    plain = sum((_sum(examiner.guessed(s, habit)) for s in streams), Counts())
    late = sorted(x for mark, _ in marks for x in mark.late_s)
    without, before = (sum(getattr(m, key) for m, _ in marks) for key in ("without", "before"))
    return {
        "metric": "accuracy" if len(examiner.question.names) > 1 else "f1",
        "score": sum(speakers.values(), Counts()).f1,
        "low": interval.low, "high": interval.high, "baseline": plain.f1,
        "languages": {k: c.f1 for k, c in counts_by([(m, s.languages) for m, s in marks]).items()},
        "sources": {k: c.f1 for k, c in counts_by([(m, s.sources) for m, s in marks]).items()},
        "delay_hops": examiner.delay, "threshold": examiner.threshold,
        "delay_ms": {
            "median": 1000 * float(np.median(late)) if late else None,
            "p90": 1000 * float(np.quantile(late, 0.9)) if late else None,
            "changes": len(late) + without + before, "without_answer": without,
            "answered_before": before,
        },
    }  # fmt: skip


def _sum(mark: Marked) -> Counts:
    return Counts(int(mark.hits.sum()), int(mark.extra.sum()), int(mark.missed.sum()))
