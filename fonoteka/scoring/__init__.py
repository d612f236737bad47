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

from typing import TYPE_CHECKING

from fonoteka.core.exports import lazy_exports

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
_MODULES = {
    "DecodedSegment": "decoding",
    "Errors": "error_rate",
    "Interval": "error_rate",
    "aligned": "error_rate",
    "bootstrap": "error_rate",
    "bootstrap_of": "error_rate",
    "errors": "error_rate",
    "errors_by": "error_rate",
    "greedy": "decoding",
    "paired_bootstrap": "error_rate",
    "segment_label": "decoding",
    "segment_scores": "decoding",
}
__getattr__ = lazy_exports(__name__, _MODULES)
