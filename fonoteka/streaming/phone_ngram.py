"""Phone n-gram models: estimated from phone sequences by Witten-Bell smoothing.

Witten-Bell is used because it is defined for any counts. Kneser-Ney's discounts are ratios of the
numbers of n-grams that were seen once, twice and three times, and a small inventory may have none.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fonoteka.core.errors import UserError

BEGIN, END = "<s>", "</s>"
"""Marks of a sequence's begin, which is only a history, and of its end, which is predicted."""

Ngram = tuple[str, ...]
LARGEST_ORDER = 6


class NgramEntry(NamedTuple):
    """The last symbol of an n-gram after the others, and the n-gram as a history; both log10.

    Attributes:
        probability: of the last symbol; -inf of `BEGIN`, which is never predicted.
        backoff: added to the probability of a symbol that was not seen after the n-gram, for which
            the history is shortened; 0 if nothing was seen after it.
    """

    probability: float
    backoff: float


@dataclass(frozen=True)
class PhoneNgram:
    """An n-gram model in the form of ARPA files.

    Attributes:
        order: length of the longest n-grams.
        phones: the vocabulary, without the marks.
        entries: every seen n-gram, and every unigram of the vocabulary.
    """

    order: int
    phones: tuple[str, ...]
    entries: Mapping[Ngram, NgramEntry]

    def log10_probability(self, history: Sequence[str], symbol: str) -> float:
        """Return the log10 probability of a phone or of `END` after a history.

        Raises:
            UserError: the symbol is not in the vocabulary.
        """
        context = tuple(history[max(0, len(history) - self.order + 1) :])
        if (symbol,) not in self.entries:
            raise UserError(f"{symbol!r} is not one of the model's {len(self.phones)} phones")
        penalty = 0.0
        while (*context, symbol) not in self.entries:
            penalty += self.entries[context].backoff if context in self.entries else 0.0
            context = context[1:]
        return penalty + self.entries[*context, symbol].probability


def estimate(sequences: Iterable[Sequence[str]], phones: Sequence[str], order: int) -> PhoneNgram:
    """Return the interpolated Witten-Bell estimate of phone sequences.

    With c(h) symbols seen after a history h, T(h) of them different, and h' the history without its
    first symbol: p(w | h) = (c(h, w) + T(h) p(w | h')) / (c(h) + T(h)). The unigrams are
    interpolated with the uniform distribution, so that every phone has a probability.

    Args:
        sequences: phones of utterances.
        phones: the vocabulary; the sequences contain no other symbol.
        order: length of the longest n-grams, 1 to 6.

    Raises:
        UserError: the order is out of range, there is no phone, or a phone is not in the
            vocabulary.

    Source: Witten and Bell 1991, "The zero-frequency problem"; the interpolated form is that of
    Chen and Goodman 1998, section 2.5.

    >>> model = estimate([["a", "b"], ["a", "a"]], ["a", "b"], order=2)
    >>> round(10 ** model.log10_probability([BEGIN], "a") * 27, 9)  # (2 + 1 * 4/9) / (2 + 1)
    22.0
    """
    if not 1 <= order <= LARGEST_ORDER:
        raise UserError(f"the order of an n-gram model is 1 to {LARGEST_ORDER}, found {order}")
    followers = _followers(sequences, frozenset(phones), order)
    if not followers:
        raise UserError("no phone to estimate an n-gram model from")
    vocabulary = (*phones, END)
    probability: dict[Ngram, float] = {}
    backoff: dict[Ngram, float] = {}
    for history in sorted(followers, key=len):
        counts = followers[history]
        total, kinds = counts.total(), len(counts)
        backoff[history] = kinds / (total + kinds)
        for symbol in counts if history else vocabulary:
            lower = probability[*history[1:], symbol] if history else 1 / len(vocabulary)
            probability[*history, symbol] = (counts[symbol] + kinds * lower) / (total + kinds)
    entries = {
        ngram: NgramEntry(math.log10(p), math.log10(backoff.get(ngram, 1.0)))
        for ngram, p in probability.items()
    }
    # the unigrams' own backoff, to the uniform distribution, is in their probabilities
    begin = NgramEntry(-math.inf, math.log10(backoff.get((BEGIN,), 1.0)))
    return PhoneNgram(order, tuple(phones), entries | {(BEGIN,): begin})


def _followers(
    sequences: Iterable[Sequence[str]], phones: frozenset[str], order: int
) -> dict[Ngram, Counter[str]]:
    """Return how often each symbol follows each history of up to `order - 1` symbols."""
    followers: defaultdict[Ngram, Counter[str]] = defaultdict(Counter)
    for number, sequence in enumerate(sequences):
        if unknown := sorted({*sequence} - phones):
            raise UserError(f"sequence {number} contains {unknown[0]!r}, which is not a phone")
        marked = (BEGIN, *sequence, END)
        for end in range(1, len(marked)):
            for begin in range(max(0, end - order + 1), end + 1):
                followers[marked[begin:end]][marked[end]] += 1
    return dict(followers)


def perplexity(model: PhoneNgram, sequences: Iterable[Sequence[str]]) -> float:
    """Return the perplexity per symbol of sequences, their ends included.

    Raises:
        UserError: there is no sequence, or a phone is not in the vocabulary.

    >>> uniform = estimate([["a", "b"]], ["a", "b"], order=1)  # a, b and the end, once each
    >>> round(perplexity(uniform, [["b", "b", "a"]]), 9)
    3.0
    """
    logs = []
    for sequence in sequences:
        marked = (BEGIN, *sequence, END)
        for end in range(1, len(marked)):
            history = marked[max(0, end - model.order + 1) : end]
            logs.append(model.log10_probability(history, marked[end]))
    if not logs:
        raise UserError("no sequence to compute a perplexity of")
    return float(10 ** (-math.fsum(logs) / len(logs)))
