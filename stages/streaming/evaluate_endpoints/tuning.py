"""Choose thresholds and the hangover of a detector on validation streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import NamedTuple

import numpy as np

from fonoteka.streaming.endpoint import Endpoint, EndpointParams, EndpointRules
from fonoteka.streaming.vad.detector import TUNED, Hysteresis
from fonoteka.streaming.vad.interfaces import Decisions, Scores, SpeechScorer, VadParams
from stages.streaming.evaluate_endpoints.endpoint_scores import (
    EndpointCounts,
    FrameCounts,
    count_endpoints,
    count_frames,
    simulate,
    speech_of,
    sum_frames,
)
from stages.streaming.evaluate_endpoints.joined_streams import JoinedStream
from stages.streaming.evaluate_endpoints.settings import EvaluateEndpointsParams


class ScoredStream(NamedTuple):
    """The scores of a detector on a stream, `[N]`, with its samples per score and its delay."""

    stream: JoinedStream
    scores: Scores
    frame: int
    delay: int


class EndpointPart:
    """The streams of a split, scored once per detector and mode."""

    def __init__(
        self, streams: Sequence[JoinedStream], open_scorer: Callable[[VadParams], SpeechScorer]
    ) -> None:
        self.streams = streams
        self._speech = [speech_of(stream) for stream in streams]
        self._open = open_scorer
        self._scored: dict[tuple[str, int], list[ScoredStream]] = {}

    def scored(self, vad: VadParams) -> list[ScoredStream]:
        """Return the streams with the scores of a detector; thresholds do not matter."""
        key = vad.name, vad.mode
        if key not in self._scored:
            self._scored[key] = [*self._score(self._open(vad))]
        return self._scored[key]

    def _score(self, scorer: SpeechScorer) -> Iterator[ScoredStream]:
        for stream in self.streams:
            scorer.reset()
            yield ScoredStream(stream, scorer.push(stream.samples), scorer.frame, scorer.delay)

    def frames(self, vad: VadParams) -> list[FrameCounts]:
        """Return how the decisions of a detector agree with the speech of each stream."""
        return [
            count_frames(decisions_of(scores, vad), frame, delay, speech)
            for (_, scores, frame, delay), speech in zip(
                self.scored(vad), self._speech, strict=True
            )
        ]


def decisions_of(scores: Scores, vad: VadParams) -> Decisions:
    """Return the decisions on the scores `[N]` of a whole stream."""
    return Hysteresis(vad.threshold, vad.release).push(scores)


def replay(
    stream: JoinedStream, decisions: Decisions, frame: int, params: EndpointParams,
    commit_lag_s: float,
) -> list[Endpoint]:  # fmt: skip
    """Return the endpoints that a detector with these decisions `[N]` finds in a stream."""
    rules = EndpointRules(frame, params)
    return simulate(
        stream,
        commit_lag_s,
        lambda begin, end, spoken: rules.advance(decisions[begin // frame : end // frame], spoken),
    )


def count_all(
    part: EndpointPart, params: EndpointParams, commit_lag_s: float
) -> list[EndpointCounts]:
    """Return the counts of each stream of a part."""
    counts = []
    for stream, scores, frame, _ in part.scored(params.vad):
        decisions = decisions_of(scores, params.vad)
        endpoints = replay(stream, decisions, frame, params, commit_lag_s)
        counts.append(count_endpoints(endpoints, stream))
    return counts


def count(part: EndpointPart, params: EndpointParams, commit_lag_s: float) -> EndpointCounts:
    """Return the sums over all streams of a part."""
    return sum(count_all(part, params, commit_lag_s), start=EndpointCounts())


class TunedVad(NamedTuple):
    """A detector, and its endpoints and frames on the validation streams."""

    vad: VadParams
    counts: EndpointCounts
    frames: FrameCounts


def candidates_of(name: str, params: EvaluateEndpointsParams) -> list[VadParams]:
    """Return the detectors that are tried, without a hangover."""
    plain = replace(TUNED[name], hangover_s=0.0)
    if name == "webrtc":
        return [replace(plain, mode=mode) for mode in range(4)]
    return [
        replace(plain, threshold=threshold, release=round(threshold - below, 6))
        for threshold, below in product(params.thresholds, params.release_below)
    ]


def with_hangover(vad: VadParams, counts: EndpointCounts, rule2_s: float) -> VadParams:
    """Return a detector with the hangover that its endpoints show, at most half of rule 2.

    It is the median delay beyond rule 2, in steps of 10 ms.

    Args:
        vad: without a hangover.
        counts: of its endpoints.
        rule2_s: the silence of rule 2.
    """
    if not counts.delays_ms:
        return vad
    over_s = float(np.median(counts.delays_ms)) / 1000 - rule2_s
    return replace(vad, hangover_s=round(min(max(over_s, 0.0), rule2_s / 2), 2))


def tune(name: str, valid: EndpointPart, params: EvaluateEndpointsParams) -> TunedVad:
    """Return the best thresholds of a detector, see `rank`."""
    rule2_s = EndpointParams().rule2_silence_s
    tried = []
    for candidate in candidates_of(name, params):
        plain = count(valid, EndpointParams(vad=candidate), params.commit_lag_s)
        vad = with_hangover(candidate, plain, rule2_s)
        counts = count(valid, EndpointParams(vad=vad), params.commit_lag_s)
        tried.append(TunedVad(vad, counts, sum_frames(valid.frames(vad))))
    longest_ms = 1000 * (rule2_s + params.max_over_rule2_s)
    return min(tried, key=lambda tuned: rank(tuned, longest_ms))


def rank(tuned: TunedVad, longest_ms: float) -> tuple[float, float, float]:
    """Return a key that is lower for better detectors.

    Fewer false cuts and missed endpoints are better, then a delay within `longest_ms`, then a
    higher F1 of the frames: where several thresholds make no error, that of the best decisions has
    the most room for other voices.
    """
    late_ms = max(tuned.counts.delay_ms_p90 - longest_ms, 0.0)
    return tuned.counts.errors, late_ms, -tuned.frames.f1
