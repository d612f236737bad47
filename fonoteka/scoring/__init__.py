"""Decoding of posteriors and phone error rates with confidence intervals over speakers.

    greedy            symbols of CTC posteriors, with the frames of each
    segment_label     the most likely phone of a known segment
    errors            substitutions, deletions and insertions of hypotheses
    bootstrap         the 95 % interval of a rate, resampled over speakers
    paired_bootstrap  the 95 % interval of the difference of two models

>>> from fonoteka.scoring import bootstrap, errors
>>> errors([["a", "tʃ", "o"]], [["a", "s"]])
Errors(substitutions=1, deletions=1, insertions=0, reference=3)
>>> interval = bootstrap([(1, 10), (3, 10)], 100, seed=1)
>>> interval.low, interval.high
(0.1, 0.3)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fonoteka.scoring.decoding import DecodedSegment, greedy, segment_label, segment_scores
    from fonoteka.scoring.error_rate import (
        Errors,
        Interval,
        aligned,
        bootstrap,
        bootstrap_of,
        errors,
        errors_by,
        paired_bootstrap,
    )

__all__ = [
    "DecodedSegment",
    "Errors",
    "Interval",
    "aligned",
    "bootstrap",
    "bootstrap_of",
    "errors",
    "errors_by",
    "greedy",
    "paired_bootstrap",
    "segment_label",
    "segment_scores",
]
_DECODING = {"DecodedSegment", "greedy", "segment_label", "segment_scores"}


def __getattr__(name: str) -> Any:
    """Import an exported name on first use, so that importing one module loads no other."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "decoding" if name in _DECODING else "error_rate"
    return getattr(import_module(f"{__name__}.{module}"), name)
