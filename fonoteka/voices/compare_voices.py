"""Find names whose voices are alike, and names whose pieces are not.

All cosines are of sums of whole numbers (see `fonoteka.voices.store`), computed in float64 without
rounding: below 2**53 for 6 pieces of 2048 steps, so no order of the sums matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.core.errors import UserError

BLOCK = 1024
"""Voices that are compared with all others at a time: 80 MB for 10,000 of them."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class AuditVoicesParams:
    """Section `audit_voices`.

    Attributes:
        action: `report` flags, or `refuse` a corpus that has one among people.
        same_voice: 0 to 1; two names in two splits whose voices reach this cosine are flagged.
        two_voices: 0 to 1; a name whose pieces can be divided into two voices below this cosine
            is flagged.
        listed: flags of each kind in the report; all are counted.
    """

    action: str
    same_voice: float
    two_voices: float
    listed: int

    def __post_init__(self) -> None:
        """Raise for an unknown word and for numbers out of range."""
        if self.action not in ("refuse", "report"):
            raise UserError(f"audit_voices.action must be refuse or report, found {self.action!r}")
        for name in ("same_voice", "two_voices"):
            if not 0 < getattr(self, name) < 1:
                raise UserError(
                    f"audit_voices.{name} must be between 0 and 1, found {getattr(self, name)}"
                )
        if self.listed < 0:
            raise UserError(f"audit_voices.listed must be at least 0, found {self.listed}")


@dataclass(frozen=True)
class AlikePairs:
    """Pairs of voices that reach a cosine.

    Attributes:
        compared: number of pairs.
        count: number of those that reach it.
        nearest: `(first, second, cosine)` of those, nearest first, at most as many as were asked.
    """

    compared: int
    count: int
    nearest: list[tuple[int, int, float]]


def cosine_of(products: Any, first: Any, second: Any) -> Any:
    """Return cosines of products of vectors and the squares of their lengths."""
    return products / np.sqrt(first * second)


def alike_pairs(
    voices: Numbers, parts: NDArray[np.int64], groups: NDArray[np.int64], minimum: float,
    listed: int,
) -> tuple[AlikePairs, AlikePairs]:  # fmt: skip
    """Return the pairs of voices in two parts that are alike: outside groups, and inside one.

    Args:
        voices: whole numbers, not all 0 in a row, shape `[S, D]`.
        parts: of each voice, shape `[S]`; only voices of different parts are compared.
        groups: of voices that are expected to be alike, shape `[S]`; -1 for a voice of none.
        minimum: the cosine that a pair reaches.
        listed: pairs to return, of each kind.
    """
    squares = np.einsum("sd,sd->s", voices, voices)
    kinds = [AlikePairs(0, 0, []), AlikePairs(0, 0, [])]
    for start in range(0, len(voices), BLOCK):
        rows = slice(start, start + BLOCK)
        cosines = cosine_of(voices[rows] @ voices.T, squares[rows, None], squares)
        # Each pair once: the second voice is after the first.
        wanted = np.arange(len(voices)) > np.arange(start, start + len(cosines))[:, None]
        wanted &= parts[rows, None] != parts
        inside = (groups[rows, None] == groups) & (groups >= 0)
        for kind, mask in enumerate((wanted & ~inside, wanted & inside)):
            kinds[kind] = _with_block(kinds[kind], cosines, mask, start, minimum, listed)
    return kinds[0], kinds[1]


def _with_block(
    earlier: AlikePairs, cosines: Numbers, mask: NDArray[np.bool_], start: int, minimum: float,
    listed: int,
) -> AlikePairs:  # fmt: skip
    """Return the pairs of earlier blocks and of this one; the list does not grow with them."""
    first, second = np.nonzero(mask & (cosines >= minimum))
    values = cosines[first, second]
    # Equal cosines are in the order of the voices, so that the list is the same everywhere.
    best = np.lexsort((second, first, -values))[:listed]
    own = [(int(first[i]) + start, int(second[i]), float(values[i])) for i in best]
    nearest = sorted([*earlier.nearest, *own], key=lambda pair: (-pair[2], pair[:2]))[:listed]
    return AlikePairs(earlier.compared + int(mask.sum()), earlier.count + len(values), nearest)


def nearest_other_part(voices: Numbers, parts: NDArray[np.int64]) -> Numbers:
    """Return the highest cosine of each voice with one of another part, shape `[S]`.

    It is NaN if all voices are in one part.
    """
    squares = np.einsum("sd,sd->s", voices, voices)
    result = np.full(len(voices), np.nan)
    for start in range(0, len(voices), BLOCK):
        rows = slice(start, start + BLOCK)
        cosines = cosine_of(voices[rows] @ voices.T, squares[rows, None], squares)
        cosines[parts[rows, None] == parts] = -np.inf
        highest = cosines.max(axis=1, initial=-np.inf)
        result[rows] = np.where(np.isfinite(highest), highest, np.nan)
    return result


def least_alike_division(pieces: Numbers) -> tuple[float, tuple[int, ...]]:
    """Return the lowest cosine between two halves of a name's pieces, and the smaller half.

    Every division into two is tried, because it is unknown which pieces would be of whom. The
    cosine is 1 for one piece.

    Args:
        pieces: whole numbers, shape `[K, D]`, K at most 6.

    >>> least_alike_division(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    (0.0, (2,))
    """
    products = pieces @ pieces.T
    total = products.sum(axis=0)
    lowest, smaller = 1.0, tuple[int, ...]()
    for half in _halves(len(pieces)):
        chosen = list(half)
        inside = products[np.ix_(chosen, chosen)].sum()
        across = total[chosen].sum() - inside
        outside = total.sum() - 2 * across - inside
        value = float(cosine_of(across, inside, outside))
        if value < lowest:
            lowest, smaller = value, half
    return lowest, smaller


def _halves(count: int) -> Sequence[tuple[int, ...]]:
    """Return one side of each division of `count` items into two, the smaller one."""
    halves: list[tuple[int, ...]] = []
    for size in range(1, count // 2 + 1):
        halves += [
            half for half in combinations(range(count), size) if 2 * size < count or 0 in half
        ]
    return halves
