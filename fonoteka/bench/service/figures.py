"""Figures of what clients saw: answers, refusals, quantiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fonoteka.bench.service.clip_load import Answers
from fonoteka.bench.service.live_load import LiveResult
from fonoteka.reporting.machine import significant


def load_row(answers: Answers, audio_s: float) -> dict[str, Any]:
    """Return the figures of clients that sent recordings of `audio_s` seconds."""
    return {
        "answers": len(answers.seconds),
        "refused": answers.statuses[429],
        "failed": failed(answers),
        "audio_s_per_s": significant(len(answers.seconds) * audio_s / answers.wall_s),
        **quantiles_ms(answers.seconds),
    }


def failed(answers: Answers) -> int:
    """Return how many requests had neither an answer nor the advice to try again."""
    return sum(count for status, count in answers.statuses.items() if status not in (200, 429))


def quantiles_ms(seconds: Sequence[float]) -> dict[str, float | None]:
    """Return the median and the 95th percentile in ms; None for an empty list.

    >>> quantiles_ms([0.1, 0.2, 0.3])
    {'p50_ms': 200.0, 'p95_ms': 290.0}
    """
    if not len(seconds):
        return {"p50_ms": None, "p95_ms": None}
    p50, p95 = 1000 * np.quantile(seconds, [0.5, 0.95])
    return {"p50_ms": round(float(p50), 1), "p95_ms": round(float(p95), 1)}


def live_row(results: Sequence[LiveResult]) -> dict[str, Any]:
    """Return the figures of streams that were spoken at a time."""
    lags = [lag for result in results for lag in result.lags_s]
    return {
        "failed": sum(bool(result.error) for result in results),
        "phones": len(lags),
        **quantiles_ms(lags),
    }
