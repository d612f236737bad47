"""How much of the error's variance each searched key explains, and a figure of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

DPI = 100


def importances(trials: Sequence[FrozenTrial], seed: int) -> dict[str, float]:
    """Return the share of each key, which sum to 1; empty without two different errors.

    Args:
        trials: of all searches; those that failed have no error and are left out.
        seed: of the random forest that the errors are explained by.

    Source: Hutter et al. 2014, "An Efficient Approach for Assessing Hyperparameter Importance".
    """
    done = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if len({trial.value for trial in done}) < 2:
        return {}
    study = optuna.create_study()
    study.add_trials(done)
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {key: float(shares[key]) for key in sorted(shares)}


def best_so_far(errors: Sequence[float | None]) -> list[float]:
    """Return the lowest error after each trial; a failed trial has none.

    >>> best_so_far([None, 0.3, 0.4, 0.2])
    [inf, 0.3, 0.3, 0.2]
    """
    return list(accumulate((float("inf") if e is None else e for e in errors), min))


def draw(
    path: Path, shares: Mapping[str, float], searches: Mapping[str, Sequence[float | None]],
    today: float, error: str,
) -> None:  # fmt: skip
    """Write a figure as PNG: the share of each key, and the lowest error after each trial.

    Args:
        path: of the file.
        shares: see `importances`.
        searches: the errors of each search, by trial.
        today: error with today's values.
        error: name of the error.
    """
    from matplotlib import pyplot as plt  # here: it takes 1.2 CPU seconds

    from fonoteka.reporting.figures import save

    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained")
    keys = sorted(shares, key=lambda key: shares[key])
    left.barh(keys, [shares[key] for key in keys], color="tab:gray")
    left.set(xlabel="share of the variance explained", xlim=(0, 1))
    for (name, errors), style in zip(searches.items(), ("tab:orange", "tab:blue"), strict=True):
        best = best_so_far(errors)
        points = [(number, value) for number, value in enumerate(best, 1) if value < float("inf")]
        numbers, values = ([point[side] for point in points] for side in (0, 1))
        right.step(numbers, values, ".-", where="post", label=name, color=style)
    right.axhline(today, color="black", linestyle=":", label="today")
    right.set(xlabel="trials", ylabel=f"lowest {error}")
    right.legend(frameon=False)
    save(figure, path, DPI)
