"""Phone error rates with the doubt that few speakers leave.

Counts are kept apart for each speaker: speakers, not utterances, are what a test part has few of.
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
"""What was said and what was heard for it; None where nothing was said or nothing heard."""

AT_ONCE = 2**22  # numbers of drawn rows held in memory, 32 MiB


@dataclass(frozen=True)
class Errors:
    """Errors against a reference; they add up.

    Attributes:
        substitutions, deletions, insertions: of symbols.
        reference: symbols in the reference.
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
        """All errors."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors a reference symbol; above 1 where much was inserted.

        Raises:
            ValueError: there is no reference.
        """
        if not self.reference:
            raise UserError("no rate without a reference symbol; the test part is empty")
        return self.wrong / self.reference


def errors(references: Sequence[Sequence[str]], hypotheses: Sequence[Sequence[str]]) -> Errors:
    """Return the errors of all hypotheses.

    Raises:
        ValueError: the lists differ in length, or a reference is empty or holds a space.

    >>> errors([["a", "tʃ"]], [["a", "s", "a"]])
    Errors(substitutions=1, deletions=0, insertions=1, reference=2)
    """
    if len(references) != len(hypotheses):
        raise UserError(f"{len(references)} references but {len(hypotheses)} hypotheses")
    for number, reference in enumerate(references):
        if not reference or any(not s or " " in s for s in reference):
            raise UserError(f"reference {number} is empty or holds a space: {list(reference)}")
    if not references:
        return Errors()
    out = jiwer.process_words(
        [" ".join(r) for r in references], [" ".join(h) for h in hypotheses]
    )  # fmt: skip
    return Errors(out.substitutions, out.deletions, out.insertions, sum(len(r) for r in references))


def errors_by(
    keys: Sequence[str], references: Sequence[Sequence[str]], hypotheses: Sequence[Sequence[str]]
) -> dict[str, Errors]:
    """Return the errors under each key, the keys sorted; a key, as a speaker, has many references.

    >>> errors_by(["b", "a"], [["a"], ["o"]], [["a"], []])["a"].deletions
    1
    """
    rows: dict[str, tuple[list[Sequence[str]], list[Sequence[str]]]] = {}
    for key, said, heard in zip(keys, references, hypotheses, strict=True):
        pairs = rows.setdefault(key, ([], []))
        pairs[0].append(said)
        pairs[1].append(heard)
    return {key: errors(*rows[key]) for key in sorted(rows)}


def aligned(said: Sequence[str], heard: Sequence[str]) -> list[Pair]:
    """Return what was heard for each symbol said, on one path of fewest errors.

    Either side may be empty. Where several paths have equally few errors it is the one that
    `errors` counts, so that sums over pairs are its sums.

    >>> aligned(["a", "tʃ", "o"], ["a", "s", "o", "n"])
    [('a', 'a'), ('tʃ', 's'), ('o', 'o'), (None, 'n')]
    """
    pairs: list[Pair] = []
    for step in Levenshtein.opcodes(said, heard):
        # as many on both sides, or none on one of them
        left, right = said[step.src_start : step.src_end], heard[step.dest_start : step.dest_end]
        pairs += zip_longest(left, right)
    return pairs


def counted(pairs: Iterable[Pair]) -> Errors:
    """Return the errors of an alignment.

    >>> counted([("a", "a"), ("tʃ", "s"), (None, "a")])
    Errors(substitutions=1, deletions=0, insertions=1, reference=2)
    """
    rows = list(pairs)
    insertions = sum(said is None for said, _ in rows)
    deletions = sum(heard is None for _, heard in rows)
    wrong = sum(said != heard for said, heard in rows)
    return Errors(wrong - insertions - deletions, deletions, insertions, len(rows) - insertions)


@dataclass(frozen=True)
class Interval:
    """A 95 % interval, or the reason why there is none."""

    low: float | None
    high: float | None
    reason: str = ""


ALONE = Interval(None, None, "one speaker: no interval over speakers")


def resampled(table: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    """Return the sums of a table's rows when speakers are drawn with replacement.

    Args:
        table: what adds up (errors, reference symbols, ...) of each speaker, shape `[S, ...]`.
        resamples: how often the speakers are drawn.
        seed: of the draws; tables of the same speakers meet the same draws.

    Returns:
        Sums of each draw, shape `[resamples, ...]`.

    Source: Bisani and Ney 2004, "Bootstrap estimates for confidence intervals in ASR".
    """
    drawn = np.random.default_rng(seed).integers(len(table), size=(resamples, len(table)))
    step = max(1, AT_ONCE // max(1, table.size))  # many speakers times many columns is much memory
    parts = [table[drawn[at : at + step]].sum(axis=1) for at in range(0, resamples, step)]
    sums: NDArray[np.float64] = np.concatenate(parts)
    return sums


def interval_of(values: NDArray[np.float64]) -> Interval:
    """Return the middle 95 % of what the draws gave."""
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(float(low), float(high))


def bootstrap(pairs: Iterable[tuple[int, int]], resamples: int, seed: int) -> Interval:
    """Return the interval of a ratio of sums when speakers are drawn with replacement.

    Args:
        pairs: for each speaker the numerator (errors, hits) and the denominator.
        resamples: how often the speakers are drawn.
        seed: of the draws.

    >>> bootstrap([(1, 10), (1, 10)], 100, seed=1)
    Interval(low=0.1, high=0.1, reason='')
    >>> bootstrap([(1, 10)], 100, seed=1).reason
    'one speaker: no interval over speakers'
    """
    table = np.array(list(pairs), dtype=np.float64).reshape(-1, 2)
    if len(table) < 2:
        return ALONE
    sums = resampled(table, resamples, seed)
    return interval_of(sums[:, 0] / sums[:, 1])


def bootstrap_of(
    table: NDArray[np.float64],
    figure: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    resamples: int,
    seed: int,
) -> Interval:
    """Return the interval of any figure of sums when speakers are drawn with replacement.

    Args:
        table: what adds up, of each speaker, shape `[S, ...]`.
        figure: turns sums `[..., *K]` into figures `[...]`, K being a row of the table.
        resamples: how often the speakers are drawn.
        seed: of the draws.

    >>> table = np.array([[1.0, 10.0], [3.0, 10.0]])
    >>> found = bootstrap_of(table, lambda sums: sums[..., 0] / sums[..., 1], 100, seed=1)
    >>> found.low, found.high
    (0.1, 0.3)
    """
    if len(table) < 2:
        return ALONE
    return interval_of(figure(resampled(table, resamples, seed)))


def paired_bootstrap(
    ours: Mapping[str, Errors], theirs: Mapping[str, Errors], resamples: int, seed: int
) -> tuple[Interval, float | None]:
    """Return how far our error rate lies above theirs when both meet the same draws of speakers.

    Two rates with wide intervals can still differ surely, since what makes one speaker hard makes
    it hard for both; so the difference is drawn, not the two rates.

    Args:
        ours: the errors of each speaker.
        theirs: those of the other model: the same speakers with the same references.
        resamples: how often the speakers are drawn.
        seed: of the draws.

    Returns:
        The interval of ours minus theirs (below 0: ours is better), and the share of draws in which
        ours is the better; None where one speaker allows no draw.

    Raises:
        ValueError: the speakers or their references differ.

    >>> ours = {"a": Errors(reference=10), "b": Errors(reference=10)}
    >>> theirs = {"a": Errors(1, reference=10), "b": Errors(1, reference=10)}
    >>> paired_bootstrap(ours, theirs, 100, seed=1)
    (Interval(low=-0.1, high=-0.1, reason=''), 1.0)
    """
    tested = [{s: e.reference for s, e in side.items()} for side in (ours, theirs)]
    if tested[0] != tested[1]:
        raise UserError(f"not the same test part: {tested[0]} and {tested[1]}")
    table = np.array(
        [(ours[s].wrong, theirs[s].wrong, ours[s].reference) for s in sorted(ours)],
        dtype=np.float64,
    ).reshape(-1, 3)  # fmt: skip
    if len(table) < 2:
        return ALONE, None
    sums = resampled(table, resamples, seed)
    differences = (sums[:, 0] - sums[:, 1]) / sums[:, 2]
    return interval_of(differences), float(np.mean(differences < 0))
