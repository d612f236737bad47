"""Rates with intervals over speakers, and tables, from observations."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.confidence.calibration import expected_error, reliability, tally
from fonoteka.phones import INVENTORY
from fonoteka.scoring.error_rate import Errors, Interval, bootstrap, bootstrap_of, paired_bootstrap
from stages.evaluation.evaluate.confusion import Counts, balanced_accuracy, class_rates, counts_of
from stages.evaluation.observation import Observation

Group = list[Observation]
Figure = Callable[[NDArray[np.float64]], NDArray[np.float64]]
PHONE_COLUMNS = ("phone", "segments", "precision", "recall", "f1", "accuracy", "substitutions",
                 "deletions", "insertions")  # fmt: skip
CONFUSION_COLUMNS = ("reference", "hypothesis")


def grouped(
    observations: Sequence[Observation], key: Callable[[Observation], str]
) -> dict[str, Group]:
    """Return the observations under each value of `key`, sorted."""
    groups: dict[str, Group] = defaultdict(list)
    for observation in observations:
        groups[key(observation)].append(observation)
    return dict(sorted(groups.items()))


def speakers_of(observations: Sequence[Observation]) -> dict[str, Group]:
    """Return the observations of each speaker."""
    return grouped(observations, lambda o: o.utterance.speaker)


def total(observations: Sequence[Observation]) -> Errors:
    """Return all errors of the shipped float file."""
    return sum((o.errors for o in observations), Errors())


def with_interval(name: str, value: float | None, bounds: Interval) -> dict[str, float | None]:
    """Return a rate under its name, its interval under `<name>_low` and `<name>_high`."""
    return {name: value, f"{name}_low": bounds.low, f"{name}_high": bounds.high}


def phone_errors(observations: Sequence[Observation], resamples: int, seed: int) -> dict[str, Any]:
    """Return the phone error rate with its interval over speakers, and its counts."""
    errors = total(observations)
    sums = [total(group) for group in speakers_of(observations).values()]
    interval = bootstrap([(e.wrong, e.reference) for e in sums], resamples, seed)
    return with_interval("per", errors.rate, interval) | {
        "substitutions": errors.substitutions, "deletions": errors.deletions,
        "insertions": errors.insertions, "phones": errors.reference, "speakers": len(sums),
        "utterances": len(observations),
        **({"interval": interval.reason} if interval.reason else {}),
    }  # fmt: skip


def segment_figures(
    observations: Sequence[Observation], bins: int, resamples: int, seed: int
) -> dict[str, Any]:
    """Return the scores of segments, whose boundaries are given, with intervals over speakers.

    A speaker without a segment is left out.
    """
    groups = [g for g in speakers_of(observations).values() if any(len(o.labels) for o in g)]
    report: dict[str, Any] = {"segments": sum(len(o.labels) for o in observations)}
    classes = np.array([class_counts(g) for g in groups]).reshape(-1, len(INVENTORY), 2)
    near = [(sum(int(o.near.sum()) for o in g), sum(len(o.near) for o in g)) for g in groups]
    figures: dict[str, tuple[NDArray[np.float64], Figure]] = {
        "segment_accuracy": (classes.sum(axis=1), ratio),
        "top3": (np.array(near, dtype=np.float64), ratio),
        "balanced_accuracy": (classes, balanced_accuracy),
        "ece": (np.array([bin_sums(g, bins) for g in groups]), expected_error),
    }
    for name, (table, figure) in figures.items():
        value = float(figure(table.sum(axis=0))) if groups else None
        report |= with_interval(name, value, bootstrap_of(table, figure, resamples, seed))
    if len(groups) < 2:
        number = "one speaker" if groups else "no speaker"
        report["segment_interval"] = f"{number} with segments: no interval over speakers"
    return report


def ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the first of the last axis over the second."""
    result: NDArray[np.float64] = sums[..., 0] / sums[..., 1]
    return result


def class_counts(observations: Sequence[Observation]) -> NDArray[np.float64]:
    """Return correct and all segments of each phone, shape `[P, 2]`."""
    counts = confusion(observations)
    return np.stack([np.diagonal(counts), counts.sum(axis=1)], axis=1).astype(np.float64)


def bin_sums(observations: Sequence[Observation], bins: int) -> NDArray[np.float64]:
    """Return segments, summed confidence and correct answers of each bin, `[bins, 3]`."""
    confidence = np.concatenate([o.confidence for o in observations])
    return tally(confidence, np.concatenate([o.right for o in observations]), bins)


def confusion(observations: Sequence[Observation]) -> Counts:
    """Return the confusion matrix of the segments' phones, shape `[P, P]`."""
    labels = np.concatenate([o.labels for o in observations])
    return counts_of(labels, np.concatenate([o.predicted for o in observations]), len(INVENTORY))


def by_length(observations: Sequence[Observation], edges: Sequence[int]) -> dict[str, Any]:
    """Return errors by the length of utterances in phones.

    Args:
        observations: of utterances with a reference.
        edges: the longest length of each bin but the last, which has none.
    """
    width = len(str(edges[-1] + 1))  # of one width, so that sorted JSON has them in order
    lows = [f"{edge + 1:0{width}}" for edge in (0, *edges)]
    names = [f"{low}-{high:0{width}}" for low, high in zip(lows, edges, strict=False)]
    names.append(f"{lows[-1]}-")
    bins: dict[str, Group] = {name: [] for name in names}
    for o in observations:
        bins[names[bisect_left(edges, len(o.utterance.phones))]].append(o)
    table = {}
    for name, group in bins.items():
        errors = total(group)
        table[name] = {
            "utterances": len(group), "phones": errors.reference, "errors": errors.wrong,
            "per": errors.rate if group else None,
        }  # fmt: skip
    return table


def most_frequent(
    observations: Sequence[Observation], most: int
) -> dict[str, list[dict[str, Any]]]:
    """Return the most frequent errors of each kind, ties in order of symbols.

    A substitution has the keys `reference`, `hypothesis` and `count`; a deletion has no
    `hypothesis`, an insertion no `reference`.

    Args:
        observations: of the test split.
        most: the number of errors that are listed per kind.
    """
    counts = Counter(pair for o in observations for pair in o.pairs if pair[0] != pair[1])
    kinds: dict[str, list[dict[str, Any]]] = {
        "most_frequent_substitutions": [], "most_frequent_deletions": [],
        "most_frequent_insertions": [],
    }  # fmt: skip
    for (reference, hypothesis), count in sorted(
        counts.items(), key=lambda item: (-item[1], item[0][0] or "", item[0][1] or "")
    ):
        if hypothesis is None:
            kinds["most_frequent_deletions"].append({"reference": reference, "count": count})
        elif reference is None:
            kinds["most_frequent_insertions"].append({"hypothesis": hypothesis, "count": count})
        else:
            row = {"reference": reference, "hypothesis": hypothesis, "count": count}
            kinds["most_frequent_substitutions"].append(row)
    return {kind: rows[:most] for kind, rows in kinds.items()}


def int8_figures(observations: Sequence[Observation], resamples: int, seed: int) -> dict[str, Any]:
    """Return the int8 file's rate and its difference to the float file's, on the same draws."""
    sums = {
        speaker: (total(group), sum((o.int8_errors for o in group), Errors()))
        for speaker, group in speakers_of(observations).items()
    }
    int8 = {speaker: errors for speaker, (_, errors) in sums.items()}
    fp32 = {speaker: errors for speaker, (errors, _) in sums.items()}
    errors = sum(int8.values(), Errors())
    interval = bootstrap([(e.wrong, e.reference) for e in int8.values()], resamples, seed)
    difference, _ = paired_bootstrap(int8, fp32, resamples, seed)
    increase = (errors.wrong - total(observations).wrong) / errors.reference
    return with_interval("per", errors.rate, interval) | with_interval(
        "difference", increase, difference
    )


def phone_rows(observations: Sequence[Observation]) -> list[dict[str, Any]]:
    """Return one row per phone, in the inventory's order; an undefined rate is NaN.

    Rates are of segments, one phone against the rest. Substitutions, deletions and insertions are
    counted in the decoded sequence.
    """
    counts = confusion(observations)
    rates = class_rates(counts)
    errors = Counter(pair for o in observations for pair in o.pairs if pair[0] != pair[1])
    substitutions: Counter[str] = Counter()
    for (reference, hypothesis), count in errors.items():
        if reference is not None and hypothesis is not None:
            substitutions[reference] += count
    return [
        {
            "phone": phone, "segments": int(counts[number].sum()),
            "precision": rates.precision[number], "recall": rates.recall[number],
            "f1": rates.f1[number], "accuracy": rates.accuracy[number],
            "substitutions": substitutions[phone], "deletions": errors[phone, None],
            "insertions": errors[None, phone],
        }
        for number, phone in enumerate(INVENTORY)
    ]  # fmt: skip


def reliability_rows(observations: Sequence[Observation], bins: int) -> list[dict[str, Any]]:
    """Return accuracy and confidence per bin of confidence."""
    return [dict(row) for row in reliability(bin_sums(observations, bins))]


def confusion_rows(observations: Sequence[Observation]) -> list[dict[str, str]]:
    """Return one row per segment: the reference phone and the predicted phone."""
    pairs = (pair for o in observations for pair in zip(o.labels, o.predicted, strict=True))
    return [
        dict(zip(CONFUSION_COLUMNS, (INVENTORY[label], INVENTORY[predicted]), strict=True))
        for label, predicted in pairs
    ]
