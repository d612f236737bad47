"""An n-gram model as arrays over all histories and labels, for decoders.

A decoder asks for the probability of every label after a history in every frame. Backing off was
done beforehand, so the answer is one element.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fonoteka.core.errors import UserError
from fonoteka.streaming.phone_ngram import BEGIN, END, Ngram, PhoneNgram

LOG_10 = float(np.log(10.0))


@dataclass(frozen=True)
class NgramTable:
    """Probabilities by state; a state is a history that the model has.

    Attributes:
        log_probs: natural log of each label's probability in each state, `[S, V]`; 0 of the blank.
        following: the state after each label, `[S, V]`; the blank leaves the state as it is.
        begin: the state at the begin of a sequence.
    """

    log_probs: NDArray[np.float64]
    following: NDArray[np.int32]
    begin: int


def table_of(model: PhoneNgram, labels: Sequence[str]) -> NgramTable:
    """Return a model as arrays.

    Args:
        model: of any order; of 20,000 histories and 50 labels the arrays have 12 MB.
        labels: names of the V columns; the first is the blank.

    Raises:
        UserError: a label is not in the model's vocabulary.
    """
    if foreign := sorted({*labels[1:]} - {*model.phones}):
        raise UserError(
            f"the n-gram model does not have the label {foreign[0]!r}; estimate it again with the "
            "labels of the recogniser"
        )
    column = {label: number for number, label in enumerate(labels) if number}
    histories = {(), *(ngram for ngram in model.entries if _is_history(ngram, model.order))}
    state = {h: row for row, h in enumerate(sorted(histories, key=lambda h: (len(h), h)))}
    seen, longer = defaultdict(list), defaultdict(list)
    for ngram, entry in model.entries.items():
        if ngram[-1] in column:
            seen[ngram[:-1]].append((column[ngram[-1]], entry.probability * LOG_10))
            if ngram in state:
                longer[ngram[:-1]].append((column[ngram[-1]], state[ngram]))
    shape = len(state), len(labels)
    log_probs, following = np.zeros(shape), np.zeros(shape, dtype=np.int32)
    for history, row in state.items():  # the shorter ones first: the longer ones back off to them
        if history:
            shorter = next(
                state[history[i:]] for i in range(1, model.order) if history[i:] in state
            )
            log_probs[row, 1:] = log_probs[shorter, 1:] + model.entries[history].backoff * LOG_10
            following[row] = following[shorter]
        following[row, 0] = row
        for label, log_prob in seen[history]:
            log_probs[row, label] = log_prob
        for label, after in longer[history]:
            following[row, label] = after
    return NgramTable(log_probs, following, state.get((BEGIN,), 0))


def _is_history(ngram: Ngram, order: int) -> bool:
    """Return whether something can follow an n-gram of a model."""
    return len(ngram) < order and ngram[-1] != END
