"""Rounds of choosing, transcribing and training, for each strategy and seed.

The transcripts are known and hidden: to transcribe a clip is to look it up. All strategies of a
seed begin with the same clips, chosen at random, and use the code of `fonoteka select`.
"""

from __future__ import annotations

from collections.abc import Sequence
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
        learner: of the head.
    """

    seeds: int = 5
    pool: int = 1200
    calibration: int = 60
    start_s: float = 10.0
    round_s: float = 10.0
    rounds: int = 9
    learner: LearnerParams = field(default_factory=LearnerParams)

    @property
    def budget_s(self) -> float:
        """Seconds that are transcribed in the end."""
        return self.start_s + self.rounds * self.round_s


def simulate(material: Material, params: SimulationParams) -> list[dict[str, Any]]:
    """Return one row per seed, strategy and round: `seed`, `strategy`, `seconds`, `per`.

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
    start = _chosen(pool, [], Quotas(params.start_s), "random", None, seed)
    first = Learner([pool[i] for i in start], params.learner, seed)
    rows = []
    for strategy in ORDER:
        done, learner = list(start), first
        for number in range(params.rounds + 1):
            if number:
                learner = Learner([pool[i] for i in done], params.learner, seed)
            per = learner.error_rate(material.test)
            seconds = sum(pool[i].seconds for i in done)
            rows.append({"seed": seed, "strategy": strategy, "seconds": seconds, "per": per})
            if number < params.rounds:
                learner.calibrate(held)
                # What a round left over, less than a clip, goes to the next one.
                limit = params.start_s + (number + 1) * params.round_s - seconds
                done += _chosen(pool, done, Quotas(limit), strategy, learner, seed)
        print(
            f"selection: {material.name} seed {seed} {strategy}: PER {per:.3f} after "
            f"{seconds:.0f} s",
            flush=True,
        )
    return rows


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
