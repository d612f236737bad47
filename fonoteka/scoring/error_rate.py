"""Phone error rates with confidence intervals over speakers.

Errors are counted per speaker and speakers are resampled, because a test part has few speakers and
the utterances of one speaker are not independent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import jiwer
import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from fonoteka.core.errors import UserError

Pair = tuple[str | None, str | None]
"""A reference symbol and its hypothesis; None on one side for an insertion or a deletion."""

CHUNK_VALUES = 2**22  # values of resampled rows in memory, 32 MiB


@dataclass(frozen=True)
class Errors:
    """Error counts against a reference; counts can be added.

    Attributes:
        substitutions, deletions, insertions: numbers of symbols.
        reference: number of symbols in the reference.
    """

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    reference: int = 0

    def __add__(self, other: Errors) -> Errors:
        return Errors(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.reference + other.reference,
        )

    @property
    def wrong(self) -> int:
        """The number of all errors."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors per reference symbol; above 1 if there are many insertions.

        Raises:
            UserError: there is no reference symbol.
        """
        if not self.reference:
            raise UserError("no rate without a reference symbol; the test part is empty")
        return self.wrong / self.reference


def errors(references: Sequence[Sequence[str]], hypotheses: Sequence[Sequence[str]]) -> Errors:
    """Return the summed errors of all hypotheses.

    Raises:
        UserError: the lists differ in length, or a reference is empty or contains a space.

    >>> errors([["a", "tʃ"]], [["a", "s", "a"]])
    Errors(substitutions=1, deletions=0, insertions=1, reference=2)
    """
    if len(references) != len(hypotheses):
        raise UserError(f"{len(references)} references but {len(hypotheses)} hypotheses")
    for number, reference in enumerate(references):
        if not reference or any(not s or " " in s for s in reference):
            raise UserError(f"reference {number} is empty or contains a space: {list(reference)}")
    if not references:
        return Errors()
    out = jiwer.process_words(
        [" ".join(r) for r in references], [" ".join(h) for h in hypotheses]
    )  # fmt: skip
    return Errors(out.substitutions, out.deletions, out.insertions, sum(len(r) for r in references))


def errors_by(
    keys: Sequence[str], references: Sequence[Sequence[str]], hypotheses: Sequence[Sequence[str]]
) -> dict[str, Errors]:
    """Return the errors per key, such as a speaker, sorted by key.

    >>> errors_by(["b", "a"], [["a"], ["o"]], [["a"], []])["a"].deletions
    1
    """
    by_key: dict[str, tuple[list[Sequence[str]], list[Sequence[str]]]] = {}
    for key, reference, hypothesis in zip(keys, references, hypotheses, strict=True):
        pairs = by_key.setdefault(key, ([], []))
        pairs[0].append(reference)
        pairs[1].append(hypothesis)
    return {key: errors(*by_key[key]) for key in sorted(by_key)}


def aligned(reference: Sequence[str], hypothesis: Sequence[str]) -> list[Pair]:
    """Return the alignment of a reference and a hypothesis with the fewest errors.

    Either side may be empty. Among alignments with equally few errors it is the one that `errors`
    counts, so sums over pairs equal its counts.

    >>> aligned(["a", "tʃ", "o"], ["a", "s", "o", "n"])
    [('a', 'a'), ('tʃ', 's'), ('o', 'o'), (None, 'n')]
    """
    pairs: list[Pair] = []
    for step in Levenshtein.opcodes(reference, hypothesis):
        # an operation has the same length on both sides, or is empty on one
        left, right = (
            reference[step.src_start : step.src_end],
            hypothesis[step.dest_start : step.dest_end],
        )
        pairs += zip_longest(left, right)
    return pairs


def count_errors(pairs: Iterable[Pair]) -> Errors:
    """Return the errors of an alignment.

    >>> count_errors([("a", "a"), ("tʃ", "s"), (None, "a")])
    Errors(substitutions=1, deletions=0, insertions=1, reference=2)
    """
    pairs_list = list(pairs)
    insertions = sum(reference is None for reference, _ in pairs_list)
    deletions = sum(hypothesis is None for _, hypothesis in pairs_list)
    total = sum(reference != hypothesis for reference, hypothesis in pairs_list)
    return Errors(
        total - insertions - deletions, deletions, insertions, len(pairs_list) - insertions
    )


@dataclass(frozen=True)
class Interval:
    """A 95 % confidence interval, or the reason why there is none."""

    low: float | None
    high: float | None
    reason: str = ""


ONE_SPEAKER = Interval(None, None, "one speaker: no interval over speakers")


def resampled(table: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    """Return sums over speakers that are resampled with replacement.

    Args:
        table: counts (errors, reference symbols, ...) per speaker, shape `[S, ...]`.
        resamples: number of resamples.
        seed: of the random generator; tables of equally many speakers get the same draws.

    Returns:
        Sums per resample, shape `[resamples, ...]`.

    Source: Bisani and Ney 2004, "Bootstrap estimates for confidence intervals in ASR".
    """
    draws = np.random.default_rng(seed).integers(len(table), size=(resamples, len(table)))
    rows_per_chunk = max(
        1, CHUNK_VALUES // max(1, table.size)
    )  # many speakers and columns need much memory
    chunks = [
        table[draws[start : start + rows_per_chunk]].sum(axis=1)
        for start in range(0, resamples, rows_per_chunk)
    ]
    sums: NDArray[np.float64] = np.concatenate(chunks)
    return sums


def percentile_interval(values: NDArray[np.float64]) -> Interval:
    """Return the central 95 % of values, from the 2.5th to the 97.5th percentile."""
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(float(low), float(high))


def bootstrap(pairs: Iterable[tuple[int, int]], resamples: int, seed: int) -> Interval:
    """Return the bootstrap interval of a ratio of sums over speakers.

    Args:
        pairs: numerator (errors, hits) and denominator per speaker.
        resamples: number of resamples.
        seed: of the random generator.

    >>> bootstrap([(1, 10), (1, 10)], 100, seed=1)
    Interval(low=0.1, high=0.1, reason='')
    >>> bootstrap([(1, 10)], 100, seed=1).reason
    'one speaker: no interval over speakers'
    """
    table = np.array(list(pairs), dtype=np.float64).reshape(-1, 2)
    if len(table) < 2:
        return ONE_SPEAKER
    sums = resampled(table, resamples, seed)
    return percentile_interval(sums[:, 0] / sums[:, 1])


def bootstrap_of(
    table: NDArray[np.float64],
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    resamples: int,
    seed: int,
) -> Interval:
    """Return the bootstrap interval of any statistic of sums over speakers.

    Args:
        table: counts per speaker, shape `[S, ...]`.
        statistic: maps sums `[..., *K]` to statistics `[...]`, K being the shape of a row.
        resamples: number of resamples.
        seed: of the random generator.

    >>> table = np.array([[1.0, 10.0], [3.0, 10.0]])
    >>> interval = bootstrap_of(table, lambda sums: sums[..., 0] / sums[..., 1], 100, seed=1)
    >>> interval.low, interval.high
    (0.1, 0.3)
    """
    if len(table) < 2:
        return ONE_SPEAKER
    return percentile_interval(statistic(resampled(table, resamples, seed)))


def paired_bootstrap(
    ours: Mapping[str, Errors], theirs: Mapping[str, Errors], resamples: int, seed: int
) -> tuple[Interval, float | None]:
    """Return the bootstrap interval of the difference of two error rates on the same resamples.

    The difference of two rates can be significant although their intervals overlap, because a
    speaker who is difficult for one model is difficult for both. So the difference is resampled.

    Args:
        ours: errors per speaker.
        theirs: errors of the other model, for the same speakers and references.
        resamples: number of resamples.
        seed: of the random generator.

    Returns:
        The interval of ours minus theirs (below 0: ours is better), and the share of resamples in
        which ours is better; None if there is only one speaker.

    Raises:
        UserError: the speakers or their references differ.

    >>> ours = {"a": Errors(reference=10), "b": Errors(reference=10)}
    >>> theirs = {"a": Errors(1, reference=10), "b": Errors(1, reference=10)}
    >>> paired_bootstrap(ours, theirs, 100, seed=1)
    (Interval(low=-0.1, high=-0.1, reason=''), 1.0)
    """
    references = [{s: e.reference for s, e in side.items()} for side in (ours, theirs)]
    if references[0] != references[1]:
        counts = f"{references[0]} and {references[1]}"
        raise UserError(f"the test parts differ: {counts} reference symbols; evaluate both again")
    table = np.array(
        [(ours[s].wrong, theirs[s].wrong, ours[s].reference) for s in sorted(ours)],
        dtype=np.float64,
    ).reshape(-1, 3)  # fmt: skip
    if len(table) < 2:
        return ONE_SPEAKER, None
    # One table with both models, so that both get the same resampled speakers.
    sums = resampled(table, resamples, seed)
    differences = (sums[:, 0] - sums[:, 1]) / sums[:, 2]
    return percentile_interval(differences), float(np.mean(differences < 0))
