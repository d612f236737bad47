"""The report of one policy: metrics of its streams beside those of offline decoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fonoteka.realtime.joined_streams import Stream
from fonoteka.scoring.error_rate import Errors
from fonoteka.streaming.interfaces import StreamUpdate
from fonoteka.streaming.stream_metrics import StreamScore, score_stream
from fonoteka.streaming.stream_summary import summarise
from stages.streaming.evaluate_streaming.streamed_model import (
    OfflineStream,
    reference_of,
    source_of,
    speaker_of,
)


@dataclass(frozen=True)
class PolicyResult:
    """What a policy made of a stream.

    Attributes:
        source: the corpus of the stream.
        score: its metrics.
        offline: errors of the offline result.
        equal: whether the committed phones are those of the offline result.
    """

    source: str
    score: StreamScore
    offline: Errors
    equal: bool


def policy_result(
    stream: Stream, updates: Sequence[StreamUpdate], offline: OfflineStream
) -> PolicyResult:
    """Return the result of a stream from its updates."""
    phones = [phone.symbol for update in updates for phone in update.committed]
    score = score_stream(updates, reference_of(stream), speaker_of(stream))
    return PolicyResult(source_of(stream), score, offline.errors, phones == offline.phones)


def policy_report(results: Sequence[PolicyResult], resamples: int, seed: int) -> dict[str, Any]:
    """Return the metrics of all streams and, under `sources`, those of each corpus."""
    sources = {
        source: _figures([result for result in results if result.source == source], resamples, seed)
        for source in sorted({result.source for result in results})
    }
    return _figures(results, resamples, seed) | {"sources": sources}


def _figures(results: Sequence[PolicyResult], resamples: int, seed: int) -> dict[str, Any]:
    offline = sum((result.offline for result in results), Errors())
    return summarise([result.score for result in results], resamples, seed) | {
        "offline_per": offline.rate,
        "equal_to_offline": sum(result.equal for result in results) / len(results),
    }
