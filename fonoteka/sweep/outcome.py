"""The results of a sweep: a table of trials, a report, a patch and a figure.

trials.csv       one row per trial, the same bytes for any number of workers and after a kill
report.json      today's and the found values, both searches, the comparison on the test part
params.patch     for `git apply`; only if the found values are better on validation
importance.png   which keys matter, and how the searches went
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from fonoteka.core.files import write_json, write_text
from fonoteka.reporting.rounding import rounded
from fonoteka.sweep.importance import draw, importances
from fonoteka.sweep.journal import REASON
from fonoteka.sweep.patch import patch_of
from fonoteka.sweep.space import Space
from fonoteka.sweep.suggest import SEARCHES
from fonoteka.tables import write_table

TABLE, REPORT, PATCH, FIGURE = "trials.csv", "report.json", "params.patch", "importance.png"
ERROR_DIGITS = 6


@dataclass(frozen=True)
class BestTrial:
    """The trial with the lowest error; the first of several.

    Attributes:
        search: name of its search.
        number: in its search, from 0 on.
        error: on the validation part.
        values: of the searched keys.
    """

    search: str
    number: int
    error: float
    values: dict[str, Any]


def values_of(space: Space, trial: FrozenTrial) -> dict[str, Any]:
    """Return the values of the searched keys as they are in params.yaml."""
    return {key: each.value(trial.params[key]) for key, each in space.keys.items()}


def best_trial(space: Space, searches: Mapping[str, list[FrozenTrial]]) -> BestTrial | None:
    """Return the best trial of all searches, or None if all trials failed."""
    candidates = [
        BestTrial(search, trial.number, trial.value, values_of(space, trial))
        for search, trials in searches.items()
        for trial in trials
        if trial.value is not None
    ]
    return min(candidates, key=lambda each: each.error, default=None)


def write_trials(
    path: Path, space: Space, searches: Mapping[str, list[FrozenTrial]],
    today: Mapping[str, Any], today_error: float,
) -> None:  # fmt: skip
    """Write one row per trial, and one for today's values."""

    def row(search: str, number: int, error: float | None, values: Mapping[str, Any]) -> Any:
        state = "failed" if error is None else "complete"
        cells = {k: json.dumps(v) if isinstance(v, list) else v for k, v in values.items()}
        shown = "" if error is None else round(error, ERROR_DIGITS)
        return {"search": search, "trial": number, "state": state, "error": shown} | cells

    rows = [row("today", 0, today_error, today) | {"reason": ""}]
    for search, trials in searches.items():
        rows += [
            row(search, t.number, t.value, values_of(space, t))
            | {"reason": t.user_attrs.get(REASON, "")}
            for t in trials
        ]
    write_table(path, ["search", "trial", "state", "error", *space.keys, "reason"], rows)


def write_results(
    out: Path, space: Space, searches: Mapping[str, list[FrozenTrial]],
    today: Mapping[str, Any], today_error: float, test: Mapping[str, Any] | None,
) -> None:  # fmt: skip
    """Write all results except the table of trials.

    Args:
        out: folder of the results.
        space: of the sweep.
        searches: the trials of each search; at least one is complete.
        today: today's values.
        today_error: their error on the validation part.
        test: comparison on the test part, or None if there was no reason to look at it.
    """
    best = best_trial(space, searches)
    assert best is not None
    shares = importances([t for trials in searches.values() for t in trials], space.seed)
    errors = {search: [t.value for t in searches[search]] for search in SEARCHES}
    better = best.error < today_error
    report = {
        "error": f"{space.objective.key} in {space.objective.file}",
        "today": {"error": today_error, "values": dict(today)},
        "found": {
            "error": best.error, "values": best.values, "search": best.search,
            "trial": best.number, "better_on_validation": better,
        },
        "fixed_in_trials": space.fixed,
        "searches": {search: _summary(values) for search, values in errors.items()},
        "importance": rounded(shares, ERROR_DIGITS),
        "test": test,
    }  # fmt: skip
    write_json(out / REPORT, report)
    draw(out / FIGURE, shares, errors, today_error, space.objective.key)
    patch = patch_of(best.values) if better else ""
    if patch:
        write_text(out / PATCH, patch)
    else:
        (out / PATCH).unlink(missing_ok=True)  # of an earlier end with fewer trials


def _summary(errors: list[float | None]) -> dict[str, Any]:
    done = [error for error in errors if error is not None]
    return {
        "trials": len(errors),
        "failed": len(errors) - len(done),
        "best": min(done, default=None),
    }
