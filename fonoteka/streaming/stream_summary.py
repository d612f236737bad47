"""Metrics of many streams, pooled, each with its interval over speakers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from fonoteka.confidence.speaker_draws import (
    Numbers,
    SpeakerQuantiles,
    interval_over_draws,
    numbered,
)
from fonoteka.core.errors import UserError
from fonoteka.phones import MANNERS
from fonoteka.scoring.error_rate import Interval
from fonoteka.streaming.stream_metrics import StreamScore

QUANTILES = {"p50": 0.5, "p90": 0.9}


def summarise(scores: Sequence[StreamScore], resamples: int, seed: int) -> dict[str, Any]:
    """Return the metrics of streams as an entry of a report.

    Rates are sums over all streams, and quantiles are of all phones or streams together.

    Args:
        scores: of at least one stream.
        resamples: draws of the speakers for an interval.
        seed: of the draws.

    Returns:
        `per`, `erasure` and `unstable_partials` with `_low` and `_high`; `matched`, the share of
        true phones that have a lag; `commit_lag_ms`, `commit_lag_from_start_ms`,
        `first_emission_ms` and `first_provisional_ms` of utterances with p50 and p90, their
        intervals and `n`; `first_emission_ms_by_manner` of their first phones;
        `committed_changed`; `streams`, `speakers`, `utterances` and `phones`. None for what does
        not exist.

    Raises:
        UserError: there is no stream.
    """
    if not scores:
        raise UserError("streaming: no stream to summarise; the split has no clip with phone times")
    ratio = partial(_ratio, scores, resamples, seed)
    reference = [score.errors.reference for score in scores]
    final = [score.final for score in scores]
    updates = [score.updates for score in scores]
    lags = [[lag.after_end_s for lag in score.lags] for score in scores]
    starts = [[lag.after_start_s for lag in score.lags] for score in scores]
    quantiles = partial(_quantiles_ms, [score.speaker for score in scores], resamples, seed)
    return {
        **ratio("per", [score.errors.wrong for score in scores], reference),
        "matched": sum(map(len, lags)) / sum(reference),
        "commit_lag_ms": quantiles(lags),
        "commit_lag_from_start_ms": quantiles(starts),
        "first_emission_ms": quantiles(
            [_present(first.committed_s for first in score.first) for score in scores]
        ),
        "first_provisional_ms": quantiles(
            [_present(first.shown_s for first in score.first) for score in scores]
        ),
        # A phone is committed after it has ended: the time of a vowel, which is long, is longest.
        "first_emission_ms_by_manner": {
            manner: quantiles(
                [
                    _present(f.committed_s for f in score.first if f.phone in phones)
                    for score in scores
                ]
            )
            for manner, phones in MANNERS.items()
        },
        **ratio("erasure", [score.deleted for score in scores], final),
        **ratio("unstable_partials", [score.unstable_updates for score in scores], updates),
        "committed_changed": sum(score.committed_changed for score in scores),
        "streams": len(scores),
        "speakers": len({score.speaker for score in scores}),
        "utterances": sum(len(score.first) for score in scores),
        "phones": sum(reference),
    }


def _present(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _ratio(
    scores: Sequence[StreamScore], resamples: int, seed: int, name: str,
    numerators: Sequence[int], denominators: Sequence[int],
) -> dict[str, float | None]:  # fmt: skip
    """Return a ratio of sums over streams with its interval; None if there is no denominator."""
    if not sum(denominators):
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    names, number = numbered([score.speaker for score in scores])
    top, bottom = (np.bincount(number, counts, len(names)) for counts in (numerators, denominators))

    def ratio(draws: Numbers) -> Numbers:
        whole = draws @ bottom
        return np.asarray(np.where(whole > 0, draws @ top / np.maximum(whole, 1), np.nan))

    interval = interval_over_draws(len(names), ratio, resamples, seed)
    value = sum(numerators) / sum(denominators)
    return {name: value, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _quantiles_ms(
    speakers: Sequence[str], resamples: int, seed: int, seconds: Sequence[Sequence[float]]
) -> dict[str, float | int | None]:
    """Return quantiles in ms of all values together.

    Args:
        speakers: of each stream.
        resamples: number of resamples.
        seed: of the random generator.
        seconds: the values of each stream.
    """
    values = np.array([1000 * value for stream in seconds for value in stream])
    owners = [name for name, own in zip(speakers, seconds, strict=True) for _ in own]
    quantiles = SpeakerQuantiles(values, owners)
    every_speaker_once = np.ones((1, len(quantiles.speakers)))
    result: dict[str, float | int | None] = {}
    for name, share in QUANTILES.items():
        interval, value = Interval(None, None), None
        if owners:
            statistic = partial(quantiles, share)
            interval = interval_over_draws(len(quantiles.speakers), statistic, resamples, seed)
            value = float(statistic(every_speaker_once)[0])
        result |= {name: value, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return result | {"n": len(values)}
