"""Combine every two and three of the models by two methods, and keep the best of each.

Called with the validation part alone, because the choice depends on the references.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import isclose
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from fonoteka.core.errors import UserError
from fonoteka.scoring.decoding import greedy
from stages.evaluation.ensemble.rover import average, decode, elect, network, vote

Array = NDArray[np.float32]
METHODS = ("average", "vote")
SIZES = (2, 3)  # members of an ensemble


@dataclass(frozen=True)
class Recipe:
    """How models are combined; with one member, that model alone.

    Attributes:
        method: `average` or `vote`.
        members: names of the models.
        weights: of the members, with the sum 1.
        null_confidence: for the method `vote` only.
    """

    method: str
    members: tuple[str, ...]
    weights: tuple[float, ...]
    null_confidence: float = 0.0


@dataclass(frozen=True)
class Candidate:
    """A recipe and its errors on the validation part."""

    recipe: Recipe
    wrong: int


def weightings(members: int, step: float) -> list[tuple[float, ...]]:
    """Return all weights above 0 that are multiples of a step and have the sum 1.

    Raises:
        ValueError: the step does not divide 1 or is too large for the members.

    >>> weightings(2, 0.25)
    [(0.25, 0.75), (0.5, 0.5), (0.75, 0.25)]
    """
    parts = round(1 / step) if 0 < step < 1 else 0
    if parts < members or not isclose(parts * step, 1.0):
        raise UserError(
            f"ensemble.step must divide 1 into at least {members} parts, found {step}; "
            "change it in params.yaml"
        )
    counts = product(range(1, parts), repeat=members)
    return [tuple(n / parts for n in row) for row in counts if sum(row) == parts]


def hypotheses(recipe: Recipe, log_probs: Mapping[str, Sequence[Array]]) -> list[list[str]]:
    """Return the decoded symbols of a recipe for each utterance.

    Args:
        recipe: the members and how they are combined.
        log_probs: name of a model to its log posteriors `[T, V]` of each utterance.
    """
    clips = zip(*(log_probs[name] for name in recipe.members), strict=True)
    if recipe.method == "average":
        return [_symbols(average(clip, recipe.weights)) for clip in clips]
    return [
        vote([decode(x) for x in clip], recipe.weights, recipe.null_confidence) for clip in clips
    ]


def search(
    references: Sequence[Sequence[str]], log_probs: Mapping[str, Sequence[Array]],
    step: float, null_confidences: Sequence[float],
) -> list[Candidate]:  # fmt: skip
    """Return the best recipe of every combination and method.

    Among equally good ones the most even weights win: they depend least on this part.

    Args:
        references: symbols of each utterance.
        log_probs: name of a model to its log posteriors `[T, V]` of each utterance.
        step: between two weights of a member.
        null_confidences: values tried for `vote`, see `stages.evaluation.ensemble.rover.elect`.

    Raises:
        ValueError: the step does not divide 1, or there is no confidence to try.
    """
    if not null_confidences:
        raise UserError("ensemble.null_confidence is empty; name one to try in params.yaml")
    decoded = {name: [decode(x) for x in clips] for name, clips in log_probs.items()}
    candidates = []
    for members in (names for size in SIZES for names in combinations(decoded, size)):
        grid = weightings(len(members), step)
        clips = zip(*(log_probs[name] for name in members), strict=True)
        wrong = _wrong_averages(references, clips, grid)
        candidates.append(
            _best(zip(wrong, (Recipe("average", members, w) for w in grid), strict=True))
        )
        # The alignment does not depend on the weights, so one serves all of them.
        slots = [network(clip) for clip in zip(*(decoded[name] for name in members), strict=True)]
        candidates.append(_best(
            (_wrong(references, (elect(row, w, null_confidence) for row in slots)),
             Recipe("vote", members, w, null_confidence))
            for w, null_confidence in product(grid, null_confidences)
        ))  # fmt: skip
    return candidates


def _wrong_averages(
    references: Sequence[Sequence[str]], clips: Iterable[Sequence[Array]],
    grid: Sequence[tuple[float, ...]],
) -> list[int]:  # fmt: skip
    """Return the number of errors of each weighting; a clip is read once for all of them."""
    wrong = [0] * len(grid)
    for reference, clip in zip(references, clips, strict=True):
        for number, weights in enumerate(grid):
            symbols = _symbols(average(clip, weights))
            wrong[number] += Levenshtein.distance(reference, symbols)
    return wrong


def best_of(candidates: Iterable[Candidate], method: str) -> Candidate:
    """Return the best of a method; among equally good ones, the one with fewer members."""
    rows = [candidate for candidate in candidates if candidate.recipe.method == method]
    return min(rows, key=lambda c: (c.wrong, len(c.recipe.members), c.recipe.members))


def _best(scored: Iterable[tuple[int, Recipe]]) -> Candidate:
    def order(row: tuple[int, Recipe]) -> tuple[Any, ...]:
        wrong, recipe = row
        # Rounded: the order of a sum changes its last bits, and must not decide.
        uneven = round(sum(w * w for w in recipe.weights), 9)
        return wrong, uneven, recipe.weights, recipe.null_confidence

    wrong, recipe = min(scored, key=order)
    return Candidate(recipe, wrong)


def _symbols(log_probs: Array) -> list[str]:
    return [segment.symbol for segment in greedy(log_probs)]


def _wrong(references: Sequence[Sequence[str]], hypotheses: Iterable[Sequence[str]]) -> int:
    """Return the number of errors, much faster than `fonoteka.scoring.error_rate.errors`."""
    pairs = zip(references, hypotheses, strict=True)
    return sum(Levenshtein.distance(reference, symbols) for reference, symbols in pairs)
