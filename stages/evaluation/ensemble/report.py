"""Score the best recipes on unseen voices, against the single model that is best there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.lazy_sequence import LazySequence
from fonoteka.manifest import Utterance
from fonoteka.scoring.error_rate import Errors, Interval, errors_by, paired_bootstrap
from stages.evaluation.ensemble.search import METHODS, Array, Candidate, Recipe, best_of, hypotheses

SHIPPED = "average"
REASON = (
    "the mean of posteriors is a posterior, so it is shipped as one ONNX file with the same "
    "interface as the others; a vote is not"
)


@dataclass(frozen=True)
class Part:
    """The utterances of a part that have a reference, and each model's posteriors for them.

    Attributes:
        utterances: those with a reference.
        log_probs: name of a model to its log posteriors `[T, V]` of each utterance.
        empty_references: number of utterances left out because they have no error rate.
    """

    utterances: list[Utterance]
    log_probs: dict[str, Sequence[Array]]
    empty_references: int

    @property
    def references(self) -> list[tuple[str, ...]]:
        """The phones of each utterance."""
        return [u.phones for u in self.utterances]


def part_of(
    utterances: Sequence[Utterance], posteriors: Mapping[str, Mapping[str, Array]], place: str
) -> Part:
    """Return a part with the posteriors of its utterances.

    Args:
        utterances: of the part.
        posteriors: name of a model to log posteriors `[T, V]` of each id.
        place: names the part in errors.

    Raises:
        ValueError: no utterance has a phone.
    """
    scorable = [u for u in utterances if u.phones]
    if not scorable:
        raise UserError(f"{place}: none of {len(utterances)} utterances has a phone to score")
    ids = [u.id for u in scorable]
    # Each is read when it is asked for: in memory they would take 37 MB per hour and model.
    log_probs: dict[str, Sequence[Array]] = {
        name: LazySequence(ids, arrays.__getitem__) for name, arrays in posteriors.items()
    }
    return Part(scorable, log_probs, len(utterances) - len(scorable))


def scored(recipe: Recipe, part: Part) -> dict[str, Errors]:
    """Decode a part and return the errors of each speaker."""
    speakers = [u.speaker for u in part.utterances]
    return errors_by(speakers, part.references, list(hypotheses(recipe, part.log_probs)))


def report(
    valid: Part, test: Part, candidates: list[Candidate], resamples: int, seed: int
) -> dict[str, Any]:
    """Return the whole report.

    Only here the test part is decoded: by each single model, and by the best recipe per method.

    Args:
        valid: the part that the recipes were chosen on.
        test: unseen voices: no member was trained and no recipe was chosen on them.
        candidates: as `search` returns it.
        resamples: draws of the speakers for an interval.
        seed: of the draws.
    """
    singles = {name: Recipe("average", (name,), (1.0,)) for name in valid.log_probs}
    alone = {name: scored(recipe, test) for name, recipe in singles.items()}
    best_single = min(alone, key=lambda name: (_total(alone[name]).wrong, name))
    phones = sum(map(len, valid.references))
    combinations: dict[str, dict[str, Any]] = defaultdict(dict)
    for candidate in candidates:
        recipe = candidate.recipe
        row = _recipe_entry(recipe) | {"valid_per": candidate.wrong / phones}
        combinations["+".join(recipe.members)][recipe.method] = row
    best = {}
    for method, name in zip(METHODS, ("the ensemble", "the vote"), strict=True):
        winner = best_of(candidates, method)
        # The search counts errors by a faster function; scoring must give the same number.
        again = _total(scored(winner.recipe, valid))
        assert again.wrong == winner.wrong, f"searched {winner.wrong} errors, scored {again.wrong}"
        ours = scored(winner.recipe, test)
        best[method] = (
            _recipe_entry(winner.recipe) | {"valid_per": again.rate} | _rates(_total(ours))
            | against(name, ours, best_single, alone[best_single], resamples, seed)
        )  # fmt: skip
    return best | {
        "shipped": SHIPPED, "shipped_because": REASON,
        "parts": {"valid": _size(valid), "test": _size(test)},
        "combinations": combinations,
        "singles": {
            name: {
                "valid_per": _total(scored(recipe, valid)).rate, **_rates(_total(alone[name])),
            }
            for name, recipe in singles.items()
        },
    }  # fmt: skip


def against(
    name: str, ours: dict[str, Errors], other: str, theirs: dict[str, Errors],
    resamples: int, seed: int,
) -> dict[str, Any]:  # fmt: skip
    """Return the difference to the other model, over the same draws of speakers."""
    interval, better = paired_bootstrap(ours, theirs, resamples, seed)
    rates = _total(ours).rate, _total(theirs).rate
    return {
        "against_best_single": {
            "model": other, "difference": rates[0] - rates[1], "low": interval.low,
            "high": interval.high, "better_in": better,
        },
        "verdict": verdict(name, other, *rates, interval),
    }  # fmt: skip


def verdict(name: str, other: str, ours: float, theirs: float, difference: Interval) -> str:
    """Return one sentence: whether ours is better, in points of the error rate.

    >>> verdict("the ensemble", "b", 0.08, 0.09, Interval(-0.015, -0.005))
    'the ensemble beats b by 1.00 points (95 %: 0.50 to 1.50)'
    """
    rates = f"{_points(ours)} % against {_points(theirs)} %"
    if difference.low is None or difference.high is None:
        return f"{name} is not proven better or worse than {other}: {rates}, {difference.reason}"
    low, high = _points(difference.low), _points(difference.high)
    if difference.high < 0:
        interval = f"{_points(-difference.high)} to {_points(-difference.low)}"
        return f"{name} beats {other} by {_points(theirs - ours)} points (95 %: {interval})"
    if difference.low > 0:
        increase = _points(ours - theirs)
        return f"{name} is worse than {other} by {increase} points (95 %: {low} to {high})"
    return (
        f"{name} does not beat {other}: {rates}, and the 95 % interval of the difference, "
        f"{low} to {high} points, contains 0"
    )


def _recipe_entry(recipe: Recipe) -> dict[str, Any]:
    vote = {"null_confidence": recipe.null_confidence} if recipe.method == "vote" else {}
    return {"weights": dict(zip(recipe.members, recipe.weights, strict=True)), **vote}


def _total(speakers: dict[str, Errors]) -> Errors:
    return sum(speakers.values(), Errors())


def _rates(errors: Errors) -> dict[str, Any]:
    counts = {key: n for key, n in asdict(errors).items() if key != "reference"}
    return {"test_per": errors.rate, **counts}


def _size(part: Part) -> dict[str, int]:
    return {
        "speakers": len({u.speaker for u in part.utterances}), "utterances": len(part.utterances),
        "phones": sum(map(len, part.references)), "empty_references": part.empty_references,
    }  # fmt: skip


def _points(share: float) -> str:
    """Return a share in points; a share that rounds to 0 has no sign."""
    return f"{round(100 * share, 2) + 0.0:.2f}"
