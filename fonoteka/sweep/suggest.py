"""Values of the next trials, by Optuna's TPE or as a random list.

The values of trial k depend on the seed, on k and on the finished trials of earlier rounds, and on
nothing else: not on how many trainings run side by side, which ends first, or whether the sweep was
killed. Optuna itself promises this for one job alone, because its sampler draws from one generator
and reads whatever has ended. So each trial has a sampler of its own, seeded by its number, in a
study in memory that contains the earlier rounds. Within a round the sampler takes the trials before
it for bad ones (`constant_liar`), so that a round is not one guess several times.

Source: Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization" (TPE).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from fonoteka.models.determinism import seed_of
from fonoteka.sweep.space import Space

RANDOM, TPE = "random", "tpe"
SEARCHES = (RANDOM, TPE)

optuna.logging.set_verbosity(optuna.logging.WARNING)  # else a line per study and trial


def suggestions(
    space: Space, search: str, earlier: Sequence[FrozenTrial], count: int
) -> list[dict[str, Any]]:
    """Return the values of the first `count` trials of the round after `earlier`.

    Args:
        space: of the sweep.
        search: `random` or `tpe`.
        earlier: all trials of earlier rounds, which are complete rounds.
        count: at most `space.round`.
    """
    study = optuna.create_study()
    study.add_trials(earlier)
    distributions = {key: each.distribution() for key, each in space.keys.items()}
    requested = []
    for number in range(len(earlier), len(earlier) + count):
        study.sampler = _sampler(space, search, number)
        requested.append(study.ask(distributions).params)
    return [
        {key: each.value(params[key]) for key, each in space.keys.items()} for params in requested
    ]


def _sampler(space: Space, search: str, number: int) -> BaseSampler:
    seed = seed_of(space.seed, search, number)
    if search == RANDOM:
        return RandomSampler(seed)
    # The first round is random: there is nothing to learn from yet.
    return TPESampler(
        seed=seed, n_startup_trials=space.round, multivariate=True, constant_liar=True
    )
