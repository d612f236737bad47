"""Compare every metric of every model with another revision.

Numbers in section `gate` of params.yaml can make a regression, with their tolerance and limit. So
can the same metric of a model that the gate does not name, with the widest tolerance that the gate
has for it. Other metrics are compared by their intervals alone and are shown, but fail nothing: no
tolerance is set for them, and with some forty 95 % intervals one or two exclude 0 by chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from fonoteka.pipeline.diff.compare_metric import WORSE, MetricSpec, evaluate, number_in, plain
from fonoteka.pipeline.diff.sides import ComparedRevision

REMOVED = "removed"
# The direction is part of a metric's definition, so it is not a parameter.
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
class MetricRow:
    """A metric on both sides.

    Attributes:
        number: its name.
        model: the model whose report contains it; empty if it is not in a model's report.
        old, new, difference: as numbers; empty if absent.
        low, high: the 95 % interval of the difference; None if the reports do not allow one.
        interval: its method, paired or apart; empty if absent.
        direction: which values are better.
        tolerance: the largest difference that counts as the same; empty if none is set.
        limit: the worst value that passes; empty if none is set.
        verdict: better, same, worse, new, removed or undecided.
        counts: whether it can be a regression.
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


def rows(
    specs: Mapping[str, MetricSpec], current: ComparedRevision, base: ComparedRevision
) -> list[MetricRow]:
    """Return a row for each number of the gate and for each other metric of each model.

    Args:
        specs: the numbers of the gate, by name.
        current: the working tree.
        base: the revision to compare with.
    """
    files = base.models | current.models
    models = {file: model for model, file in files.items()}
    table = [
        _row(name, models.get(spec.file, ""), spec, True, current, base)
        for name, spec in sorted(specs.items())
    ]
    # A metric that the gate names has its row already, possibly under another name.
    gated = {(spec.file, spec.key) for spec in specs.values()}
    for model, file in sorted(files.items()):
        ours, theirs = _report(current, model), _report(base, model)
        for key, direction in _metrics(ours, theirs):
            if (file, key) in gated:
                continue
            spec, counts = _ungated(file, key, direction, specs)
            name = f"{model}.{key}"
            if has(ours, key):
                table.append(_row(name, model, spec, counts, current, base))
            else:
                table.append(_removed(name, model, spec, base))
    return table


def _report(side: ComparedRevision, model: str) -> object:
    return side.report(side.models[model]) if model in side.models else None


def _metrics(*reports: object) -> Iterator[tuple[str, str]]:
    """Yield the metrics that at least one of a model's reports has, and their directions."""
    languages = {
        name: None
        for report in reports
        if isinstance(report, dict) and isinstance(report.get(LANGUAGES), dict)
        for name in report[LANGUAGES]
    }
    keys = METRICS | {f"{LANGUAGES}.{name}.per": "lower" for name in sorted(languages)}
    for key, direction in keys.items():
        if any(has(report, key) for report in reports):
            yield key, direction


def has(report: object, key: str) -> bool:
    """Return whether a report has a key with a value; a rate that is not defined is None.

    >>> has({"int8": {"per": 0.1}}, "int8.per"), has({"int8": None}, "int8.per")
    (True, False)
    """
    for name in key.split("."):
        if not isinstance(report, dict) or report.get(name) is None:
            return False
        report = report[name]
    return True


def _ungated(
    file: str, key: str, direction: str, specs: Mapping[str, MetricSpec]
) -> tuple[MetricSpec, bool]:
    """Return the spec of a metric that the gate does not name, and whether it counts."""
    tolerances = [s.tolerance for s in specs.values() if (s.key, s.direction) == (key, direction)]
    no_limit = math.inf if direction == "lower" else -math.inf
    tolerance = max(tolerances, default=0.0)
    return MetricSpec(file, key, direction, no_limit, tolerance), bool(tolerances)


def _row(
    name: str,
    model: str,
    spec: MetricSpec,
    counts: bool,
    current: ComparedRevision,
    base: ComparedRevision,
) -> MetricRow:
    """Return the row of a metric that the current side should have."""
    comparison = evaluate(spec, current.report, base.report)
    new, old, interval = comparison.value, comparison.base, comparison.interval
    # A value that was past its limit before is not a regression of this branch.
    crossed = comparison.past_limit and (old is None or spec.passes(old))
    return MetricRow(
        name,
        model,
        old="" if old is None else plain(old),
        new="" if new is None else plain(new),
        difference="" if old is None or new is None else _signed(new - old),
        low=round(interval.low, 6) if interval else None,
        high=round(interval.high, 6) if interval else None,
        interval=interval.method if interval else "",
        direction=spec.direction,
        tolerance=plain(Decimal(str(spec.tolerance))) if counts else "",
        limit=plain(Decimal(str(spec.limit))) if math.isfinite(spec.limit) else "",
        verdict=comparison.verdict,
        counts=counts,
        regression=counts and (comparison.verdict == WORSE or crossed),
        reason=comparison.reason,
    )


def _removed(name: str, model: str, spec: MetricSpec, base: ComparedRevision) -> MetricRow:
    """Return the row of a metric that only the base has, which is not a regression.

    A metric that the gate names gets no such row: it is undecided as long as the gate names it.
    """
    old = number_in(base.report, spec.file, spec.key)
    return MetricRow(
        name, model, old=plain(old), new="", difference="", low=None, high=None, interval="",
        direction=spec.direction, tolerance="", limit="", verdict=REMOVED, counts=False,
        regression=False, reason="",
    )  # fmt: skip


def _signed(value: Decimal) -> str:
    """Return a difference with its sign.

    >>> _signed(Decimal("0.010")), _signed(Decimal("-0.2")), _signed(Decimal("0.0"))
    ('+0.01', '-0.2', '0')
    """
    return f"+{plain(value)}" if value > 0 else plain(value)


def added_and_removed(
    current: ComparedRevision, base: ComparedRevision
) -> tuple[list[str], list[str]]:
    """Return the names of the models that were added and of those that were removed."""
    now, before = set(current.models), set(base.models)
    return sorted(now - before), sorted(before - now)
