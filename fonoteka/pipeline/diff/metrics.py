"""Judge every metric of every model against another revision's.

What section `gate` of params.yaml asks about counts, with its tolerance and its limit. So does the
same metric of a model that the gate doesn't name, with the widest tolerance that the gate has for
it. Other metrics are judged by their intervals alone and are told, but fail nothing: nobody has
said yet how much of them may be lost, and of some forty that are looked at, one falls by chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from fonoteka.pipeline.diff.compare_metric import WORSE, Number, judge, number_in, plain
from fonoteka.pipeline.diff.sides import Side

REMOVED = "removed"
# Which way is better is what a metric means, and no parameter.
METRICS = {
    "per": "lower",
    "segment_accuracy": "higher",
    "balanced_accuracy": "higher",
    "top3": "higher",
    "ece": "lower",
    "int8.per": "lower",
    "int8.difference": "lower",
    "onnx_bytes": "lower",
}
LANGUAGES = "languages"  # each has its own phone error rate


@dataclass(frozen=True)
class Row:
    """A metric on both sides.

    Attributes:
        number: its name.
        model: the model whose report it is in; empty where it isn't in one.
        old, new, difference: as numbers; empty where there is none.
        low, high: the 95 % interval of the difference; None where the reports don't allow one.
        interval: how that was found, paired or apart; empty where there is none.
        direction: which values are better.
        tolerance: a difference that counts for nothing; empty where nobody said.
        limit: the worst value that passes; empty where nobody said.
        verdict: better, same, worse, new, removed or undecided.
        counts: whether it can make a regression.
        regression: whether it is one.
        reason: why it is worse, past its limit or undecided.
    """

    number: str
    model: str
    old: str
    new: str
    difference: str
    low: float | None
    high: float | None
    interval: str
    direction: str
    tolerance: str
    limit: str
    verdict: str
    counts: bool
    regression: bool
    reason: str


def rows(asked: Mapping[str, Number], here: Side, base: Side) -> list[Row]:
    """Return a row for each number that the gate asks about and each metric of each model."""
    files = base.models | here.models
    models = {file: model for model, file in files.items()}
    found = [
        _row(name, models.get(number.file, ""), number, True, here, base)
        for name, number in sorted(asked.items())
    ]
    known = {(number.file, number.key) for number in asked.values()}
    for model, file in sorted(files.items()):
        ours, theirs = _report(here, model), _report(base, model)
        for key, direction in _metrics(ours, theirs):
            if (file, key) in known:
                continue
            number, counts = _unasked(file, key, direction, asked)
            name = f"{model}.{key}"
            if has(ours, key):
                found.append(_row(name, model, number, counts, here, base))
            else:
                found.append(_removed(name, model, number, base))
    return found


def _report(side: Side, model: str) -> object:
    return side.report(side.models[model]) if model in side.models else None


def _metrics(*reports: object) -> Iterator[tuple[str, str]]:
    """Yield the metrics that one of a model's reports has, and their directions."""
    languages = {
        name: None
        for report in reports
        if isinstance(report, dict) and isinstance(report.get(LANGUAGES), dict)
        for name in report[LANGUAGES]
    }
    keys = METRICS | {f"{LANGUAGES}.{name}.per": "lower" for name in sorted(languages)}
    yield from ((k, way) for k, way in keys.items() if any(has(report, k) for report in reports))


def has(report: object, key: str) -> bool:
    """Return whether a report has a key with a value; a rate that isn't defined is None there.

    >>> has({"int8": {"per": 0.1}}, "int8.per"), has({"int8": None}, "int8.per")
    (True, False)
    """
    for name in key.split("."):
        if not isinstance(report, dict) or report.get(name) is None:
            return False
        report = report[name]
    return True


def _unasked(
    file: str, key: str, direction: str, asked: Mapping[str, Number]
) -> tuple[Number, bool]:
    """Return what to ask of a metric that the gate doesn't name, and whether it counts."""
    likes = [n.tolerance for n in asked.values() if (n.key, n.direction) == (key, direction)]
    nowhere = math.inf if direction == "lower" else -math.inf
    return Number(file, key, direction, nowhere, max(likes, default=0.0)), bool(likes)


def _row(name: str, model: str, asked: Number, counts: bool, here: Side, base: Side) -> Row:
    """Return the row of a metric that is to be here."""
    found = judge(asked, here.report, base.report)
    new, old, chance = found.value, found.base, found.chance
    crossed = found.past and (old is None or asked.passes(old))
    return Row(
        name,
        model,
        old="" if old is None else plain(old),
        new="" if new is None else plain(new),
        difference="" if old is None or new is None else _signed(new - old),
        low=round(chance.low, 6) if chance else None,
        high=round(chance.high, 6) if chance else None,
        interval=chance.how if chance else "",
        direction=asked.direction,
        tolerance=plain(Decimal(str(asked.tolerance))) if counts else "",
        limit=plain(Decimal(str(asked.limit))) if math.isfinite(asked.limit) else "",
        verdict=found.verdict,
        counts=counts,
        regression=counts and (found.verdict == WORSE or crossed),
        reason=found.reason,
    )


def _removed(name: str, model: str, asked: Number, base: Side) -> Row:
    """Return the row of a metric that only the base has: that is said, and no fault.

    One that the gate names gets no such row. It is undecided until the gate doesn't name it either.
    """
    old = number_in(base.report, asked.file, asked.key)
    return Row(
        name, model, old=plain(old), new="", difference="", low=None, high=None, interval="",
        direction=asked.direction, tolerance="", limit="", verdict=REMOVED, counts=False,
        regression=False, reason="",
    )  # fmt: skip


def _signed(value: Decimal) -> str:
    """Return a difference with its sign.

    >>> _signed(Decimal("0.010")), _signed(Decimal("-0.2")), _signed(Decimal("0.0"))
    ('+0.01', '-0.2', '0')
    """
    return f"+{plain(value)}" if value > 0 else plain(value)


def added_and_removed(here: Side, base: Side) -> tuple[list[str], list[str]]:
    """Return the names of the models that are new and of those that are gone."""
    now, before = set(here.models), set(base.models)
    return sorted(now - before), sorted(before - now)
