"""Try every two and three of the models in two ways, and keep what errs least.

Called with the validation part alone: what is chosen here has seen its references.
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
from stages.evaluation.ensemble.rover import average, elect, hear, network, vote

Array = NDArray[np.float32]
METHODS = ("average", "vote")
SIZES = (2, 3)  # members of an ensemble


@dataclass(frozen=True)
class Recipe:
    """How models are put together; of one member, that model alone.

    Attributes:
        method: `average` or `vote`.
        members: names of the models.
        weights: of the members, together 1.
        null_confidence: of voting alone.
    """

    method: str
    members: tuple[str, ...]
    weights: tuple[float, ...]
    null_confidence: float = 0.0


@dataclass(frozen=True)
class Tried:
    """A recipe and its errors on the part it was chosen on."""

    recipe: Recipe
    wrong: int


def weightings(members: int, step: float) -> list[tuple[float, ...]]:
    """Return all weights above 0 that are multiples of a step and together 1.

    Raises:
        ValueError: the step doesn't divide 1 or is too large for so many members.

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
    """Return what a recipe says of each utterance.

    Args:
        recipe: whom to ask, and how to put the answers together.
        log_probs: name of a model to its log posteriors `[T, V]` of each utterance.
    """
    clips = zip(*(log_probs[name] for name in recipe.members), strict=True)
    if recipe.method == "average":
        return [_symbols(average(clip, recipe.weights)) for clip in clips]
    return [vote([hear(x) for x in clip], recipe.weights, recipe.null_confidence) for clip in clips]


def search(
    references: Sequence[Sequence[str]], log_probs: Mapping[str, Sequence[Array]],
    step: float, null_confidences: Sequence[float],
) -> list[Tried]:  # fmt: skip
    """Return the best recipe of every combination and method.

    Of equal ones the one with the most even weights is taken: it leans least on this part.

    Args:
        references: symbols of each utterance.
        log_probs: name of a model to its log posteriors `[T, V]` of each utterance.
        step: between two weights of a member.
        null_confidences: those tried in voting, see `stages.evaluation.ensemble.rover.elect`.

    Raises:
        ValueError: the step doesn't divide 1, or there is no confidence to try.
    """
    if not null_confidences:
        raise UserError("ensemble.null_confidence is empty; name one to try in params.yaml")
    heard = {name: [hear(x) for x in clips] for name, clips in log_probs.items()}
    found = []
    for members in (names for size in SIZES for names in combinations(heard, size)):
        grid = weightings(len(members), step)
        clips = list(zip(*(log_probs[name] for name in members), strict=True))
        found.append(_best(
            (_wrong(references, (_symbols(average(clip, w)) for clip in clips)),
             Recipe("average", members, w))
            for w in grid
        ))  # fmt: skip
        # Sequences are aligned without their weights, so once for all of them.
        slots = [network(clip) for clip in zip(*(heard[name] for name in members), strict=True)]
        found.append(_best(
            (_wrong(references, (elect(places, w, doubt) for places in slots)),
             Recipe("vote", members, w, doubt))
            for w, doubt in product(grid, null_confidences)
        ))  # fmt: skip
    return found


def best_of(found: Iterable[Tried], method: str) -> Tried:
    """Return the best of a method: of equal ones that of fewer members."""
    rows = [tried for tried in found if tried.recipe.method == method]
    return min(rows, key=lambda t: (t.wrong, len(t.recipe.members), t.recipe.members))


def _best(tried: Iterable[tuple[int, Recipe]]) -> Tried:
    def order(row: tuple[int, Recipe]) -> tuple[Any, ...]:
        wrong, recipe = row
        # rounded, since the order in which a sum is added up is no preference
        uneven = round(sum(w * w for w in recipe.weights), 9)
        return wrong, uneven, recipe.weights, recipe.null_confidence

    wrong, recipe = min(tried, key=order)
    return Tried(recipe, wrong)


def _symbols(log_probs: Array) -> list[str]:
    return [spoken.symbol for spoken in greedy(log_probs)]


def _wrong(references: Sequence[Sequence[str]], said: Iterable[Sequence[str]]) -> int:
    """Return the errors alone, in far less time than `fonoteka.scoring.error_rate.errors` takes."""
    pairs = zip(references, said, strict=True)
    return sum(Levenshtein.distance(reference, symbols) for reference, symbols in pairs)
