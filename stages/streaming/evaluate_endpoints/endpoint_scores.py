"""Endpoints of a stream with known utterances, and how many of them are right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.realtime.frame_labels import speech_labels
from fonoteka.streaming.endpoint import Endpoint
from fonoteka.streaming.vad.interfaces import Decisions
from stages.streaming.evaluate_endpoints.joined_streams import JoinedStream

HOP_S = 0.01
"""Decisions of all detectors are compared with known times at this resolution."""

Advance = Callable[[int, int, bool], list[Endpoint]]
"""Feeds the samples from one place to another, with `spoken`, and returns the endpoints."""


def simulate(stream: JoinedStream, commit_lag_s: float, advance: Advance) -> list[Endpoint]:
    """Return the endpoints of a stream whose phones are committed `commit_lag_s` after their ends.

    The stream is fed in pieces between commits, so that `spoken` is exact for each sample.
    """
    ends = [end_s for rows in stream.phones for _, _, end_s in rows]
    commits = sorted({round((end_s + commit_lag_s) * SAMPLE_RATE_HZ) for end_s in ends})
    edges = [0, *(commit for commit in commits if commit < len(stream.samples))]
    endpoints: list[Endpoint] = []
    last = 0  # the place of the last endpoint
    for begin, end in zip(edges, [*edges[1:], len(stream.samples)], strict=True):
        # The piece begins with a commit, except the first one.
        endpoints += advance(begin, end, 0 < begin > last)
        last = endpoints[-1].sample if endpoints else 0
    return endpoints


@dataclass
class EndpointCounts:
    """Sums over utterances.

    Attributes:
        utterances: their number.
        false_cuts: utterances with an endpoint inside.
        missed: utterances without an endpoint in the pause after them.
        extra: further endpoints in pauses.
        delays_ms: from the end of an utterance to its endpoint, of those that were not missed.
    """

    utterances: int = 0
    false_cuts: int = 0
    missed: int = 0
    extra: int = 0
    delays_ms: list[float] = field(default_factory=list)

    def __add__(self, other: EndpointCounts) -> EndpointCounts:
        """Return the sums over the utterances of both."""
        return EndpointCounts(
            self.utterances + other.utterances, self.false_cuts + other.false_cuts,
            self.missed + other.missed, self.extra + other.extra,
            self.delays_ms + other.delays_ms,
        )  # fmt: skip

    @property
    def errors(self) -> int:
        """False cuts and missed endpoints."""
        return self.false_cuts + self.missed

    @property
    def delay_ms_p90(self) -> float:
        """The delay that nine of ten endpoints do not exceed; infinite if all were missed."""
        return float(np.quantile(self.delays_ms, 0.9)) if self.delays_ms else float("inf")

    def report(self) -> dict[str, Any]:
        """Return counts, shares of the utterances, and quantiles of the delay."""
        p50, p90 = (
            (float(np.quantile(self.delays_ms, q)) for q in (0.5, 0.9))
            if self.delays_ms
            else (None, None)
        )
        return {
            "utterances": self.utterances, "false_cuts": self.false_cuts, "missed": self.missed,
            "false_cut_share": self.false_cuts / self.utterances,
            "missed_share": self.missed / self.utterances, "extra": self.extra,
            "delay_ms_p50": p50, "delay_ms_p90": p90,
        }  # fmt: skip


def count_endpoints(endpoints: Iterable[Endpoint], stream: JoinedStream) -> EndpointCounts:
    """Return how the endpoints agree with the utterances of a stream."""
    places = np.array([endpoint.sample for endpoint in endpoints]) / SAMPLE_RATE_HZ
    bounds = stream.bounds_s
    counts = EndpointCounts(utterances=len(bounds))
    nexts = [*(start_s for start_s, _ in bounds[1:]), len(stream.samples) / SAMPLE_RATE_HZ]
    for (start_s, end_s), next_s in zip(bounds, nexts, strict=True):
        inside = np.count_nonzero((places >= start_s) & (places < end_s))
        after = places[(places >= end_s) & (places <= next_s)]
        counts.false_cuts += int(inside > 0)
        counts.missed += int(len(after) == 0)
        counts.extra += max(len(after) - 1, 0)
        counts.delays_ms += [1000 * float(place - end_s) for place in after[:1]]
    counts.extra += int(np.count_nonzero(places < bounds[0][0]))
    return counts


class FrameCounts(NamedTuple):
    """Hops by decision and truth."""

    hits: int
    false_alarms: int
    misses: int

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall; 0 without a hit."""
        return 2 * self.hits / max(2 * self.hits + self.false_alarms + self.misses, 1)

    def report(self) -> dict[str, float | None]:
        """Return precision and recall of speech; None without a decision for it, or without it."""
        decided, true = self.hits + self.false_alarms, self.hits + self.misses
        return {
            "precision": self.hits / decided if decided else None,
            "recall": self.hits / true if true else None,
        }


def speech_of(stream: JoinedStream) -> Decisions:
    """Return whether each hop of a stream is speech, `[N]`; pauses below 0.1 s in it are."""
    rows = [row for utterance in stream.phones for row in utterance]
    labels = speech_labels(rows, int(len(stream.samples) / SAMPLE_RATE_HZ / HOP_S), HOP_S)
    return labels.astype(np.bool_)


def count_frames(decisions: Decisions, frame: int, delay: int, speech: Decisions) -> FrameCounts:
    """Return how decisions agree with the speech of a stream.

    Args:
        decisions: of a detector, `[M]`.
        frame: samples per decision.
        delay: samples by which the decisions lag.
        speech: of each hop, `[N]`.
    """
    centre = ((np.arange(len(speech)) + 0.5) * HOP_S * SAMPLE_RATE_HZ).astype(np.int64)
    index = (centre + delay) // frame
    complete = index < len(decisions)  # the last frame may be incomplete
    truth, decided = speech[complete], decisions[index[complete]]
    pairs = (decided & truth, decided & ~truth, ~decided & truth)
    return FrameCounts(*(int(np.count_nonzero(pair)) for pair in pairs))


def sum_frames(counts: Sequence[FrameCounts]) -> FrameCounts:
    """Return the sums over streams."""
    return FrameCounts(*(sum(column) for column in zip(*counts, strict=True)))
