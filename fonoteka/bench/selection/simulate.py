"""Rounds of choosing, transcribing and training, for each strategy and seed.

The transcripts are known and hidden: to transcribe a clip is to look it up. All strategies of a
seed begin with the same clips, chosen at random, and use the code of `fonoteka select`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fonoteka.bench.selection.clips import LabelledClip, Material
from fonoteka.bench.selection.learner import Learner, LearnerParams
from fonoteka.core.errors import UserError
from fonoteka.selection.choose import PoolCandidate, Quotas, choose

ORDER = ("random", "uncertainty", "diversity", "both")


@dataclass(frozen=True)
class SimulationParams:
    """The size of a simulation.

    Attributes:
        seeds: of the draws and the weights, each a whole simulation.
        pool: clips that are drawn from the corpus for a seed.
        calibration: clips with transcripts beside them, for the calibration of all strategies.
        start_s: seconds that are transcribed before the first round.
        round_s: seconds of a round.
        rounds: after the first training.
        by_language: whether each language may have its share of the pool's seconds and no more.
        learner: of the head.
    """

    seeds: int = 5
    pool: int = 1200
    calibration: int = 60
    start_s: float = 10.0
    round_s: float = 10.0
    rounds: int = 9
    by_language: bool = False
    learner: LearnerParams = field(default_factory=LearnerParams)

    @property
    def budget_s(self) -> float:
        """Seconds that are transcribed in the end."""
        return self.start_s + self.rounds * self.round_s


def simulate(material: Material, params: SimulationParams) -> list[dict[str, Any]]:
    """Return one row per seed, strategy and round: `seed`, `strategy`, `seconds`, `per`.

    `language_s` and `language_per` of a row are the transcribed seconds and the error by language.

    Raises:
        UserError: the corpus has too few clips or seconds for the pool.
    """
    if len(material.pool) < params.pool + params.calibration:
        raise UserError(
            f"{material.name}: {len(material.pool)} clips, fewer than {params.pool} of the pool "
            f"and {params.calibration} of the calibration; lower --pool"
        )
    return [row for seed in range(params.seeds) for row in _seed(material, params, seed)]


def _seed(material: Material, params: SimulationParams, seed: int) -> list[dict[str, Any]]:
    order = np.random.default_rng(seed).permutation(len(material.pool)).tolist()
    drawn = [material.pool[i] for i in order[: params.pool + params.calibration]]
    pool, held = drawn[: params.pool], drawn[params.pool :]
    if (seconds := sum(clip.seconds for clip in pool)) < params.budget_s:
        raise UserError(
            f"{material.name}: the pool has {seconds:.0f} s, less than the budget of "
            f"{params.budget_s:.0f} s; lower --rounds"
        )
    shares = shares_of(pool) if params.by_language else {}
    start = _chosen(pool, [], limits_of(params.start_s, shares, {}), "random", None, seed)
    first = Learner([pool[i] for i in start], params.learner, seed)
    rows = []
    for strategy in ORDER:
        done, learner = list(start), first
        for number in range(params.rounds + 1):
            if number:
                learner = Learner([pool[i] for i in done], params.learner, seed)
            per, language_per = learner.error_rates(material.test)
            used = seconds_by_language([pool[i] for i in done])
            seconds = sum(used.values())
            rows.append({
                "seed": seed, "strategy": strategy, "seconds": seconds, "per": per,
                "language_s": used, "language_per": language_per,
            })  # fmt: skip
            if number < params.rounds:
                learner.calibrate(held)
                # What a round left over, less than a clip, goes to the next one.
                limits = limits_of(params.start_s + (number + 1) * params.round_s, shares, used)
                done += _chosen(pool, done, limits, strategy, learner, seed)
        print(
            f"selection: {material.name} seed {seed} {strategy}: PER {per:.3f} after "
            f"{seconds:.0f} s",
            flush=True,
        )
    return rows


def shares_of(clips: Sequence[LabelledClip]) -> dict[str, float]:
    """Return the share of the seconds that each language has."""
    used = seconds_by_language(clips)
    return {language: seconds / sum(used.values()) for language, seconds in used.items()}


def seconds_by_language(clips: Sequence[LabelledClip]) -> dict[str, float]:
    """Return the seconds of each language, sorted by its code."""
    used: dict[str, float] = {}
    for clip in clips:
        used[clip.language] = used.get(clip.language, 0.0) + clip.seconds
    return dict(sorted(used.items()))


def limits_of(total_s: float, shares: Mapping[str, float], used: Mapping[str, float]) -> Quotas:
    """Return what may still be chosen when `total_s` are transcribed in all.

    Args:
        total_s: after this round.
        shares: of each language; empty without a limit by language.
        used: seconds of each language so far.

    >>> limits_of(10.0, {"en": 0.25, "sr": 0.75}, {"sr": 4.0})
    Quotas(total_s=6.0, language_s={'en': 2.5, 'sr': 3.5}, speaker_s=inf)
    """
    rest = {name: total_s * share - used.get(name, 0.0) for name, share in shares.items()}
    return Quotas(total_s - sum(used.values()), rest)


def _chosen(
    pool: Sequence[LabelledClip], done: Sequence[int], limits: Quotas, strategy: str,
    learner: Learner | None, seed: int,
) -> list[int]:  # fmt: skip
    """Return the indices of the clips to transcribe next."""
    values, profiles = np.zeros(len(pool)), np.zeros((len(pool), 1))
    if learner is not None and strategy != "random":
        values, profiles = learner.uncertainty(pool)
    rest = sorted({*range(len(pool))} - {*done})
    candidates = [
        PoolCandidate(
            pool[i].id, pool[i].seconds, pool[i].speaker, pool[i].language, float(values[i])
        )
        for i in rest
    ]  # fmt: skip
    picks = choose(candidates, profiles[rest], limits, strategy, profiles[list(done)], seed)
    return [rest[pick] for pick in picks]
