"""Choose clips within a budget of seconds: uncertain, different from each other, within quotas.

A greedy choice takes one clip after the other, the one of the highest score that the budget and the
quotas still allow:

    random        a hash of the seed and the id
    uncertainty   the share of phones that are expected to be wrong
    diversity     the distance to the nearest clip that is chosen or existing (k-center, greedy)
    both          the product of the last two

The greedy k-center is at most twice as far from the optimum as any other choice of that size, and
compares each pick with each clip once: 200,000 clips and 1,500 picks are 3e8 distances. Facility
location needs all pairs at once, 4e10 for that pool.

Source: Gonzalez 1985, "Clustering to minimize the maximum intercluster distance"; Sener and
Savarese 2018, "Active learning for convolutional neural networks: a core-set approach".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fonoteka.core.errors import UserError
from fonoteka.core.files import unit_interval
from fonoteka.phones import LANGUAGES

Values = NDArray[np.float64]

STRATEGIES = ("both", "uncertainty", "diversity", "random")


@dataclass(frozen=True)
class PoolCandidate:
    """A clip that may be chosen.

    Attributes:
        id: of the clip; it decides between equal scores.
        seconds: what the clip costs.
        speaker: `corpus/name`.
        language: code; empty if it is not existing.
        uncertainty: expected share of wrong phones, 0 to 1.
    """

    id: str
    seconds: float
    speaker: str
    language: str
    uncertainty: float


@dataclass(frozen=True)
class Quotas:
    """Upper limits in seconds.

    Attributes:
        total_s: of all clips.
        language_s: by language; if any is given, other languages are not chosen.
        speaker_s: of each speaker; infinite without a limit.
    """

    total_s: float
    language_s: Mapping[str, float] = field(default_factory=dict)
    speaker_s: float = math.inf


def quotas(
    hours: float | None, per_language: Sequence[str] = (), per_speaker_hours: float | None = None
) -> Quotas:
    """Return quotas from a command line.

    Args:
        hours: of all clips; None is refused.
        per_language: `code=hours` each.
        per_speaker_hours: of each speaker; None without a limit.

    Raises:
        UserError: a number is not above 0, or a language is unknown or named twice.

    >>> quotas(2, ["sr=0.5"]).language_s
    {'sr': 1800.0}
    """
    total_s = 3600 * _above_zero(hours, "--hours")
    language_s: dict[str, float] = {}
    for text in per_language:
        code, equals, number = text.partition("=")
        if not equals:
            raise UserError(f"--per-language {text!r}: expected language=hours, such as sr=0.5")
        if code not in LANGUAGES:
            raise UserError(
                f"--per-language {text!r}: language {code!r} is unknown; expected one of "
                f"{list(LANGUAGES)}"
            )
        if code in language_s:
            raise UserError(f"--per-language: {code!r} is given twice; keep one")
        language_s[code] = 3600 * _above_zero(number, f"--per-language {code}")
    if per_speaker_hours is None:
        return Quotas(total_s, language_s)
    return Quotas(total_s, language_s, 3600 * _above_zero(per_speaker_hours, "--per-speaker"))


def _above_zero(value: float | str | None, option: str) -> float:
    try:
        number = float(value) if value is not None else math.nan
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise UserError(f"{option}: expected hours above 0, found {value}")
    return number


def choose(
    candidates: Sequence[PoolCandidate],
    vectors: Values,
    limits: Quotas,
    strategy: str,
    existing: Values | None = None,
    seed: int = 0,
) -> list[int]:
    """Return the indices of the chosen clips, in the order in which they were chosen.

    The same input gives the same choice, in any order of the candidates.

    Args:
        candidates: N clips, each id once.
        vectors: what distances are measured between, `[N, D]`.
        limits: of seconds; a clip that does not fit is passed over, and shorter ones may follow.
        strategy: one of `STRATEGIES`.
        existing: vectors of clips that are transcribed or queued already, `[K, D]`.
        seed: of the strategy `random`.

    Raises:
        UserError: the strategy is unknown.
    """
    if strategy not in STRATEGIES:
        raise UserError(f"strategy {strategy!r} is not one of {list(STRATEGIES)}")
    order = sorted(range(len(candidates)), key=lambda i: candidates[i].id)
    if not order:
        return []
    allowance = _Limits([candidates[i] for i in order], limits)
    points = np.asarray(vectors, dtype=np.float64)[order]
    score = _Score([candidates[i] for i in order], points, strategy, existing, seed)
    chosen: list[int] = []
    while (open_ := allowance.open()).any():
        # The first of equal scores is the one of the lowest id, because the clips are in order.
        pick = int(np.where(open_, score.values(), -np.inf).argmax())
        allowance.take(pick)
        score.take(pick)
        chosen.append(order[pick])
    return chosen


class _Score:
    """The score of each clip, given those that are chosen or existing."""

    def __init__(
        self, clips: Sequence[PoolCandidate], points: Values, strategy: str,
        existing: Values | None, seed: int,
    ) -> None:  # fmt: skip
        self.points, self.spreads = points, strategy in ("diversity", "both")
        weights = np.ones(len(clips))
        if strategy in ("uncertainty", "both"):
            weights = np.array([clip.uncertainty for clip in clips])
        elif strategy == "random":
            weights = np.array([unit_interval(str(seed), clip.id) for clip in clips])
        self.weights = weights
        self.nearest = np.full(len(clips), np.inf)
        self.covered = False
        for point in existing if existing is not None and self.spreads else ():
            self._cover(np.asarray(point))

    def values(self) -> Values:
        if not self.spreads:
            return self.weights
        if self.covered:
            return np.asarray(self.weights * self.nearest)
        # Nothing is covered yet: start in the middle of the clips, not with an outlier.
        distance = np.linalg.norm(self.points - self.points.mean(axis=0), axis=1)
        closeness: Values = 1 - distance / max(float(distance.max()), 1e-12)
        return self.weights * (closeness + 1e-9)

    def take(self, pick: int) -> None:
        if self.spreads:
            self._cover(self.points[pick])

    def _cover(self, point: Values) -> None:
        distance = np.linalg.norm(self.points - point, axis=1)
        self.nearest, self.covered = np.minimum(self.nearest, distance), True


class _Limits:
    """What the budget and the quotas still allow."""

    def __init__(self, clips: Sequence[PoolCandidate], limits: Quotas) -> None:
        self.seconds = np.array([clip.seconds for clip in clips])
        self.rest = np.ones(len(clips), dtype=np.bool_)
        self.total_s = limits.total_s
        codes, self.language = np.unique([c.language for c in clips], return_inverse=True)
        names, self.speaker = np.unique([c.speaker for c in clips], return_inverse=True)
        others = 0.0 if limits.language_s else math.inf
        self.language_s = np.array([limits.language_s.get(str(code), others) for code in codes])
        self.speaker_s = np.full(len(names), limits.speaker_s)

    def open(self) -> NDArray[np.bool_]:
        """Return which clips may still be chosen, `[N]`."""
        # 1 us: sums of seconds in another order differ by less.
        left = np.minimum(self.language_s[self.language], self.speaker_s[self.speaker])
        fits = self.seconds <= np.minimum(left, self.total_s) + 1e-6
        return np.asarray(self.rest & fits)

    def take(self, pick: int) -> None:
        self.rest[pick] = False
        seconds = self.seconds[pick]
        self.total_s -= seconds
        self.language_s[self.language[pick]] -= seconds
        self.speaker_s[self.speaker[pick]] -= seconds
