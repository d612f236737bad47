"""Make one opinion of several models' opinions on the same clip.

Two ways: the mean of the posteriors is decoded once, as if one model had given it; or each model is
decoded alone and the symbols are put to the vote. The mean keeps what a model holds likely beside
its first choice, and has posteriors that can be shipped; the vote needs no frames that agree.
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


class Heard(NamedTuple):
    """A decoded symbol and the confidence in it, 0 to 1."""

    symbol: str
    confidence: float


Slot = tuple[Heard | None, ...]
"""What each member says at one place of the common sequence; None where it says nothing."""


def average(
    log_probs: Sequence[NDArray[np.float32]], weights: Sequence[float]
) -> NDArray[np.float32]:
    """Return the log of the weighted mean of the members' posteriors.

    The mean is of probabilities, not of their logs: a member that holds a phone impossible lowers
    its share but can't forbid it to the others. The largest term of each mean is factored out
    first, so that no posterior is too small for its exponential.

    Args:
        log_probs: log posteriors of each member, shape `[T, V]` each.
        weights: of the members, each above 0, together 1.

    Returns:
        Log posteriors, shape `[T, V]`, float32; rows sum to 1 as probabilities where the members'
        rows do.

    Raises:
        ValueError: the shapes differ, a value is NaN or +inf, or the weights don't fit.

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


def hear(log_probs: NDArray[np.float32], labels: Sequence[str] = LABELS) -> list[Heard]:
    """Return the greedy path with the confidence in each symbol: its peak posterior.

    Not the mean over its frames: a CTC model is sure in one frame and on its way in and out of the
    symbol in those beside it.

    Args:
        log_probs: log posteriors, shape `[T, V]`.
        labels: names of the V columns; the first is the blank.

    Raises:
        ValueError: as `fonoteka.scoring.decoding.greedy`.

    >>> sure = np.log(np.array([[.9, .1], [.2, .8], [.4, .6]], dtype="f4"))
    >>> [(h.symbol, round(h.confidence, 3)) for h in hear(sure, ["", "a"])]
    [('a', 0.8)]
    """
    said = greedy(log_probs, labels)
    peaks = log_probs.max(axis=1)  # the symbol is the likeliest in its frames: its own peak
    return [Heard(s.symbol, min(1.0, exp(peaks[s.start : s.end].max()))) for s in said]


def network(members: Sequence[Sequence[Heard]]) -> list[Slot]:
    """Return the members' sequences aligned into slots.

    One sequence is the base and the others are aligned to it; what several insert at the same place
    is aligned among them in the same way. The base is the sequence nearest to the others, the
    alphabet deciding between equals: it depends on what was said, not on who is named first.

    Args:
        members: the decoded sequence of each member.

    Returns:
        Slots in time; each has one entry a member, at least one of them a symbol. Entry m of all
        slots, without None, is member m's sequence.

    Source: Fiscus 1997, "A post-processing system to yield reduced word error rates: Recognizer
    Output Voting Error Reduction (ROVER)"; there the members are aligned one after the other.

    >>> one, two = ([Heard(s, .5) for s in said] for said in ("ao", "abo"))
    >>> [[h and h.symbol for h in slot] for slot in network([one, two])]
    [['a', 'a'], [None, 'b'], ['o', 'o']]
    """
    said = [tuple(h.symbol for h in member) for member in members]
    if not any(said):
        return []
    base = min(
        (m for m in range(len(said)) if said[m]),
        key=lambda m: (sum(Levenshtein.distance(said[m], other) for other in said), said[m]),
    )
    columns: list[list[Heard | None]] = [[None] * len(said) for _ in said[base]]
    gaps: list[list[list[Heard]]] = [[[] for _ in said] for _ in range(len(columns) + 1)]
    for m, member in enumerate(members):
        for step in Levenshtein.opcodes(said[base], said[m]):
            run = member[step.dest_start : step.dest_end]
            if step.tag == "insert":
                gaps[step.src_start][m] += run
            elif step.tag != "delete":  # equal or replaced, one by one
                for at, heard in zip(range(step.src_start, step.src_end), run, strict=True):
                    columns[at][m] = heard
    slots = network(gaps[0])
    for column, gap in zip(columns, gaps[1:], strict=True):
        slots += [tuple(column), *network(gap)]
    return slots


def elect(slots: Sequence[Slot], weights: Sequence[float], null_confidence: float) -> list[str]:
    """Return the symbols that win their slots.

    A symbol's score is the sum of weight x confidence of the members that say it; members that say
    nothing vote for nothing with a confidence of `null_confidence`. Of equal scores a symbol wins
    against nothing, and the member named first against the others.

    Args:
        slots: as `network` returns them.
        weights: of the members, each above 0, together 1.
        null_confidence: 0 to 1; the higher, the more symbols of single members are left out.

    Raises:
        ValueError: the weights don't fit the members, or the confidence is none.
    """
    if slots:
        _check_weights(len(slots[0]), weights)
    if not 0 <= null_confidence <= 1:
        raise UserError(f"null_confidence must be 0 to 1, found {null_confidence}")
    winners = []
    for slot in slots:
        scores: dict[str, float] = defaultdict(float)
        nothing = 0.0
        for heard, weight in zip(slot, weights, strict=True):
            if heard is None:
                nothing += weight * null_confidence
            else:
                scores[heard.symbol] += weight * heard.confidence
        winner = max(scores, key=scores.__getitem__)
        if scores[winner] >= nothing:
            winners.append(winner)
    return winners


def vote(
    members: Sequence[Sequence[Heard]], weights: Sequence[float], null_confidence: float
) -> list[str]:
    """Return what the members' sequences agree on: their network's winners (ROVER).

    Raises:
        ValueError: the weights don't fit the members, or the confidence is none.

    >>> heard = [[Heard(s, .5) for s in said] for said in ("data", "dada", "datax")]
    >>> "".join(vote(heard, [1 / 3] * 3, null_confidence=0.5))
    'data'
    """
    _check_weights(len(members), weights)
    return elect(network(members), weights, null_confidence)


def _check_weights(members: int, weights: Sequence[float]) -> None:
    """Refuse weights that don't fit the members.

    Raises:
        ValueError: there is no member, or not one weight above 0 for each, together 1.
    """
    fit = members == len(weights) and all(w > 0 for w in weights)
    if not members or not fit or not isclose(sum(weights), 1.0, abs_tol=1e-9):
        raise UserError(
            f"expected a weight above 0 for each of {members} members, together 1, "
            f"found {list(weights)}"
        )
