"""Combine the predictions of several models for the same clip.

Two methods: the mean of the posteriors is decoded once, as those of one model; or each model is
decoded alone and the symbols are voted on (ROVER). The mean uses each model's less likely symbols
too, and its posteriors can be shipped; the vote does not need the same frames of all models.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import exp, isclose
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from fonoteka.core.errors import UserError
from fonoteka.phones import LABELS
from fonoteka.scoring.decoding import greedy


class DecodedSymbol(NamedTuple):
    """A decoded symbol and the confidence in it, 0 to 1."""

    symbol: str
    confidence: float


Slot = tuple[DecodedSymbol | None, ...]
"""The symbol of each member at one position of the alignment; None if it has none there."""


def average(
    log_probs: Sequence[NDArray[np.float32]], weights: Sequence[float]
) -> NDArray[np.float32]:
    """Return the log of the weighted mean of the members' posteriors.

    The mean is of probabilities, not of their logs: a member with a probability of 0 lowers
    a phone's share but cannot exclude it. The largest term of each mean is factored out
    first, so that no posterior is too small for its exponential.

    Args:
        log_probs: log posteriors of each member, shape `[T, V]` each.
        weights: of the members, each above 0, with the sum 1.

    Returns:
        Log posteriors, shape `[T, V]`, float32; rows sum to 1 as probabilities if the members'
        rows do.

    Raises:
        ValueError: the shapes differ, a value is NaN or +inf, or not one weight per member is
            given.

    >>> half, sure = np.log(np.array([[[.5, .5]], [[.9, .1]]], dtype="f4"))
    >>> np.exp(average([half, sure], [.25, .75])).round(3)
    array([[0.8, 0.2]], dtype=float32)
    """
    _check_weights(len(log_probs), weights)
    shapes = [array.shape for array in log_probs]
    if len(shapes[0]) != 2 or len(set(shapes)) != 1:
        raise UserError(f"expected posteriors [T, V] of the same frames, found {shapes}")
    for number, array in enumerate(log_probs):
        if not (array < np.inf).all():  # NaN is not below anything either
            raise UserError(f"posteriors of member {number} hold a NaN or +inf; it is broken")
    terms = [array.astype(np.float64) for array in log_probs]
    largest: NDArray[np.float64] = np.maximum.reduce(terms)
    largest[np.isneginf(largest)] = 0.0  # impossible for all: -inf - -inf would be a NaN
    mean = np.zeros_like(largest)
    for weight, term in zip(weights, terms, strict=True):
        mean += weight * np.exp(term - largest)
    with np.errstate(divide="ignore"):  # the log of 0 is -inf, as it should be
        mean = largest + np.log(mean)
    return mean.astype(np.float32)


def decode(log_probs: NDArray[np.float32], labels: Sequence[str] = LABELS) -> list[DecodedSymbol]:
    """Return the greedy path with the confidence in each symbol: its peak posterior.

    Not the mean over its frames: a CTC model has its peak in one frame, and lower posteriors of the
    symbol in the frames around it.

    Args:
        log_probs: log posteriors, shape `[T, V]`.
        labels: names of the V columns; the first is the blank.

    Raises:
        ValueError: as `fonoteka.scoring.decoding.greedy`.

    >>> sure = np.log(np.array([[.9, .1], [.2, .8], [.4, .6]], dtype="f4"))
    >>> [(h.symbol, round(h.confidence, 3)) for h in decode(sure, ["", "a"])]
    [('a', 0.8)]
    """
    segments = greedy(log_probs, labels)
    peaks = log_probs.max(axis=1)  # the symbol is the most likely label in its frames
    return [DecodedSymbol(s.symbol, min(1.0, exp(peaks[s.start : s.end].max()))) for s in segments]


def network(members: Sequence[Sequence[DecodedSymbol]]) -> list[Slot]:
    """Return the members' sequences aligned into slots.

    One sequence is the base and the others are aligned to it; symbols that several insert at the
    same position are aligned in the same way. The base is the sequence with the smallest edit
    distance to the others, the first in the alphabet among equals: it depends on the symbols, not
    on the order of the members.

    Args:
        members: the decoded sequence of each member.

    Returns:
        Slots in time; each has one entry per member, at least one of them a symbol. Entry m of all
        slots, without None, is member m's sequence.

    Source: Fiscus 1997, "A post-processing system to yield reduced word error rates: Recognizer
    Output Voting Error Reduction (ROVER)"; there the members are aligned one after the other.

    >>> members = [[DecodedSymbol(s, .5) for s in word] for word in ("ao", "abo")]
    >>> [[d and d.symbol for d in slot] for slot in network(members)]
    [['a', 'a'], [None, 'b'], ['o', 'o']]
    """
    sequences = [tuple(h.symbol for h in member) for member in members]
    if not any(sequences):
        return []
    # The empty sequence is not a base: all symbols would be insertions at the same position.
    base = min(
        (m for m in range(len(sequences)) if sequences[m]),
        key=lambda m: (
            sum(Levenshtein.distance(sequences[m], other) for other in sequences),
            sequences[m],
        ),
    )
    columns: list[list[DecodedSymbol | None]] = [[None] * len(sequences) for _ in sequences[base]]
    gaps: list[list[list[DecodedSymbol]]] = [
        [[] for _ in sequences] for _ in range(len(columns) + 1)
    ]
    for m, member in enumerate(members):
        for step in Levenshtein.opcodes(sequences[base], sequences[m]):
            run = member[step.dest_start : step.dest_end]
            if step.tag == "insert":
                gaps[step.src_start][m] += run
            elif step.tag != "delete":  # equal or replaced, one by one
                for position, decoded in zip(range(step.src_start, step.src_end), run, strict=True):
                    columns[position][m] = decoded
    slots = network(gaps[0])
    for column, gap in zip(columns, gaps[1:], strict=True):
        slots += [tuple(column), *network(gap)]
    return slots


def elect(slots: Sequence[Slot], weights: Sequence[float], null_confidence: float) -> list[str]:
    """Return the symbols that win their slots.

    A symbol's score is the sum of weight x confidence of its members; members without a symbol vote
    for no symbol with a confidence of `null_confidence`. On equal scores a symbol wins against no
    symbol, and among symbols that of the first member.

    Args:
        slots: as `network` returns them.
        weights: of the members, each above 0, with the sum 1.
        null_confidence: 0 to 1; a higher value leaves out more symbols of single members.

    Raises:
        ValueError: the weights are not one per member, or the confidence is not in 0 to 1.
    """
    if slots:
        _check_weights(len(slots[0]), weights)
    if not 0 <= null_confidence <= 1:
        raise UserError(f"null_confidence must be 0 to 1, found {null_confidence}")
    winners = []
    for slot in slots:
        scores: dict[str, float] = defaultdict(float)
        null_score = 0.0
        for decoded, weight in zip(slot, weights, strict=True):
            if decoded is None:
                null_score += weight * null_confidence
            else:
                scores[decoded.symbol] += weight * decoded.confidence
        winner = max(scores, key=scores.__getitem__)
        if scores[winner] >= null_score:
            winners.append(winner)
    return winners


def vote(
    members: Sequence[Sequence[DecodedSymbol]], weights: Sequence[float], null_confidence: float
) -> list[str]:
    """Return the winners of the members' aligned sequences (ROVER).

    Raises:
        ValueError: the weights are not one per member, or the confidence is not in 0 to 1.

    >>> members = [[DecodedSymbol(s, .5) for s in word] for word in ("data", "dada", "datax")]
    >>> "".join(vote(members, [1 / 3] * 3, null_confidence=0.5))
    'data'
    """
    _check_weights(len(members), weights)
    return elect(network(members), weights, null_confidence)


def _check_weights(members: int, weights: Sequence[float]) -> None:
    """Refuse weights that are not one per member.

    Raises:
        ValueError: there is no member, or not one weight above 0 per member with the sum 1.
    """
    fit = members == len(weights) and all(w > 0 for w in weights)
    if not members or not fit or not isclose(sum(weights), 1.0, abs_tol=1e-9):
        raise UserError(
            f"expected a weight above 0 for each of {members} members, together 1, "
            f"found {list(weights)}"
        )
