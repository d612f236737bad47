"""Choose the settings of a beam search by the phone error rate on validation utterances."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from fonoteka.core.errors import UserError
from fonoteka.manifest import Utterance
from fonoteka.streaming.beam_decoder import beam_search
from fonoteka.streaming.ngram_table import NgramTable
from fonoteka.streaming.prefix_beam import BeamOptions

Array = NDArray[np.float32]


@dataclass(frozen=True)
class EvaluateBeamParams:
    """Section `beam`.

    Attributes:
        widths: numbers of hypotheses that are tried, ascending.
        lm_weights: weights of the n-gram model that are tried.
        insertions: scores per phone that are tried, in nats.
        first_round: every so many-th validation utterance is in the first round.
        finalists: pairs of a weight and a score per phone in the second round.
        threshold: see `BeamOptions`.
        hold_frames: see `BeamOptions`; for whole recordings.
        stream_hold_frames: the same for streams, where a short one commits phones early.
        resamples: draws of the speakers for an interval.
        seed: of the draws.
        digits: decimals of a rate in the report.
    """

    widths: tuple[int, ...]
    lm_weights: tuple[float, ...]
    insertions: tuple[float, ...]
    first_round: int
    finalists: int
    threshold: float
    hold_frames: int
    stream_hold_frames: int
    resamples: int
    seed: int
    digits: int

    def __post_init__(self) -> None:
        if not (self.widths and self.lm_weights and self.insertions):
            raise UserError("beam: widths, lm_weights and insertions need a value each to try")
        if self.first_round < 1 or self.finalists < 1:
            raise UserError(f"beam: first_round and finalists must be at least 1, found {self}")

    def options(self, width: int, lm_weight: float, insertion: float) -> BeamOptions:
        """Return settings for whole recordings."""
        return BeamOptions(width, lm_weight, insertion, self.threshold, self.hold_frames)


@dataclass(frozen=True)
class ScoredPart:
    """Utterances with a reference, and the log posteriors `[T, V]` of each by one model."""

    utterances: Sequence[Utterance]
    log_probs: Sequence[Array]

    def every(self, step: int) -> ScoredPart:
        """Return every `step`-th utterance; their order is that of hashes, so it is a sample."""
        return ScoredPart(self.utterances[::step], self.log_probs[::step])


def wrong(part: ScoredPart, table: NgramTable, options: BeamOptions) -> int:
    """Return the number of errors of a beam search."""
    return sum(
        Levenshtein.distance(u.phones, [s.symbol for s in beam_search(log_probs, table, options)])
        for u, log_probs in zip(part.utterances, part.log_probs, strict=True)
    )


def tuned(
    part: ScoredPart, table: NgramTable, params: EvaluateBeamParams
) -> tuple[int, BeamOptions]:
    """Return the settings with the fewest errors on the validation part, after these errors.

    All pairs of a weight and a score per phone are tried on some utterances with the narrowest
    beam, the best ones on all utterances with the widest, and the best one with every width. Among
    equally good settings the smaller weight, the smaller score per phone and the narrower beam win.
    """
    narrow, wide = min(params.widths), max(params.widths)
    grid = [params.options(narrow, *pair) for pair in product(params.lm_weights, params.insertions)]
    finalists = ranked(grid, part.every(params.first_round), table)[: params.finalists]
    best = ranked([replace(options, width=wide) for _, options in finalists], part, table)[0]
    others = [replace(best[1], width=width) for width in params.widths if width != wide]
    return sorted([best, *ranked(others, part, table)], key=preference)[0]


def ranked(
    candidates: Iterable[BeamOptions], part: ScoredPart, table: NgramTable
) -> list[tuple[int, BeamOptions]]:
    """Return settings after their errors, the best ones first."""
    scored = [(wrong(part, table, options), options) for options in candidates]
    return sorted(scored, key=preference)


def preference(scored: tuple[int, BeamOptions]) -> tuple[float, ...]:
    """Return the key by which settings are sorted."""
    errors, options = scored
    return (
        errors, options.lm_weight, abs(options.insertion), options.insertion, options.width,
    )  # fmt: skip
