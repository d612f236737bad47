"""The error of placed phones, on clips whose phone times are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.manifest import Utterance

METHODS = ("aligner", "aligner_with_priors", "plain_ctc")
Times = Sequence[tuple[float, float]]
"""`(start, end)` of each phone in seconds."""


@dataclass(frozen=True)
class MeasuredClip:
    """Phone times of one clip with times in the corpus.

    Attributes:
        utterance: with its own times.
        words: the span of each word in the phones, `[first, after)`.
        times: by each of the `METHODS`; None if a clip has too few frames.
    """

    utterance: Utterance
    words: Sequence[tuple[str, int, int]]
    times: Mapping[str, Times | None]


def start_errors(clips: Sequence[MeasuredClip], method: str, kind: str) -> NDArray[np.float64]:
    """Return the distances of starts from the corpus's own in seconds, of phones or words."""
    distances = [np.empty(0)]
    for clip in clips:
        own, times = clip.utterance.phone_times_s, clip.times[method]
        if own is None or times is None:
            continue
        starts = [first for _, first, _ in clip.words] if kind == "word" else range(len(own))
        distances.append(np.array([abs(times[i][0] - own[i][0]) for i in starts]))
    all_distances: NDArray[np.float64] = np.concatenate(distances)
    return all_distances.round(4)  # as times are: one frame off is 20 ms, not a bit more


def summary(distances: NDArray[np.float64]) -> dict[str, float | int | None]:
    """Return quantiles of distances in milliseconds, and the shares within limits."""
    if not len(distances):
        return dict.fromkeys(("median_ms", "p90_ms", "within_20_ms", "within_50_ms"))
    return {
        "median_ms": round(1000 * float(np.median(distances)), 1),
        "p90_ms": round(1000 * float(np.quantile(distances, 0.9)), 1),
        "within_20_ms": round(float(np.mean(distances <= 0.020)), 4),
        "within_50_ms": round(float(np.mean(distances <= 0.050)), 4),
    }


def errors_of(clips: Sequence[MeasuredClip]) -> dict[str, Any]:
    """Return the start errors of phones and words by each method, per language too."""
    languages = sorted({clip.utterance.language for clip in clips})
    groups = {"all": clips} | {
        code: [clip for clip in clips if clip.utterance.language == code] for code in languages
    }
    return {"clips": len(clips)} | {
        method: {
            group: {
                f"{kind}_start": summary(start_errors(own, method, kind))
                for kind in ("phone", "word")
            }
            for group, own in groups.items()
        }
        for method in METHODS
    }
