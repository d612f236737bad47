"""Compare the numbers of reports with their limits and with another revision.

    python -m fonoteka gate                 against the last commit
    python -m fonoteka gate --base main     against another revision

Reads   the reports and the packages that section `gate` of params.yaml names; the same reports at
        a base revision, through git
Writes  nothing; exits 0 if every number passes, 1 if one fails, 2 if one cannot be decided

This is a command and not a stage, because the result depends on another revision, which DVC does
not track, and because DVC discards the outputs of a stage that fails.
`compare_metric` decides what is worse, here and on the page of `make diff`; only this command
checks limits that were exceeded before, and whole packages.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.params import load
from fonoteka.git import entered
from fonoteka.packaging import check_package, recorded
from fonoteka.pipeline.diff.compare_metric import (
    NEW,
    UNDECIDED,
    WORSE,
    MetricSpec,
    ReportReader,
    evaluate,
    plain,
)
from fonoteka.pipeline.revision import Revision, current_report, revision_of
from fonoteka.reporting.text_table import table

PASS, FAIL = "pass", "fail"
CODES = {PASS: 0, FAIL: 1, UNDECIDED: 2}
COLUMNS = ("number", "value", "base", "direction", "limit", "tolerance", "verdict")


@dataclass(frozen=True)
class GateParams:
    """Section `gate`.

    Attributes:
        models: names of the models that are gated; their packages are in data/models.
        each_model: the metrics of every model, by name. `{model}` in a file is replaced with the
            name of the model.
        packages: other folders of models whose files must be those that were packaged.
        numbers: further numbers, by name. `MODEL.METRIC` replaces that entry of `each_model`.
    """

    models: tuple[str, ...]
    each_model: dict[str, MetricSpec]
    packages: tuple[str, ...]
    numbers: dict[str, MetricSpec]

    def __post_init__(self) -> None:
        of_models = {
            f"{model}.{metric}": replace(spec, file=spec.file.replace("{model}", model))
            for model in self.models
            for metric, spec in self.each_model.items()
        }
        folders = (f"data/models/{model}" for model in self.models)
        object.__setattr__(self, "numbers", of_models | self.numbers)
        object.__setattr__(self, "packages", (*folders, *self.packages))
        if not self.numbers:
            raise UserError("gate.numbers is empty, so nothing would be checked; add a number")
        for name, spec in self.numbers.items():
            spec.check(f"gate.numbers.{name}")


@dataclass(frozen=True)
class GateRow:
    """A number or a package, with its limits and its verdict.

    Attributes:
        number: its name.
        value: the current value.
        base: the value at the base; empty without a base, `new` if the base does not have it.
        direction, limit, tolerance: from section `gate`.
        verdict: pass, fail or undecided.
        reason: why it does not pass.
    """

    number: str
    value: str = ""
    base: str = ""
    direction: str = ""
    limit: str = ""
    tolerance: str = ""
    verdict: str = PASS
    reason: str = ""


def check_number(
    name: str, spec: MetricSpec, current: ReportReader, base: ReportReader | None
) -> GateRow:
    """Return the row of one number; if the base does not have it, only its limit counts."""
    comparison = evaluate(spec, current, base)
    failed = comparison.past_limit or comparison.verdict == WORSE
    before = "" if comparison.base is None else plain(comparison.base)
    return GateRow(
        name,
        value="" if comparison.value is None else plain(comparison.value),
        base=NEW if comparison.verdict == NEW else before,
        direction=spec.direction,
        limit=plain(Decimal(str(spec.limit))),
        tolerance=plain(Decimal(str(spec.tolerance))),
        verdict=UNDECIDED if comparison.verdict == UNDECIDED else FAIL if failed else PASS,
        reason=comparison.reason,
    )


def check_files(folder: Path) -> GateRow:
    """Return the row of a package, which passes if its files are those that were packaged."""
    if problems := check_package(folder):
        return GateRow(str(folder), "damaged", verdict=FAIL, reason="; ".join(problems))
    return GateRow(str(folder), f"{len(recorded(folder))} files")


def page(rows: Sequence[GateRow]) -> str:
    """Return the table of all rows: names and verdicts aligned left, numbers right."""
    cells = [[getattr(row, column) or None for column in COLUMNS] for row in rows]
    return table(COLUMNS, cells, left=(0, len(COLUMNS) - 1))


def sentences(rows: Sequence[GateRow]) -> list[str]:
    """Return one sentence on the rows that failed and one on those that cannot be decided."""
    messages = []
    for verdict, predicate in ((FAIL, "failed"), (UNDECIDED, "cannot be decided")):
        reasons = [f"{row.number}: {row.reason}" for row in rows if row.verdict == verdict]
        if reasons:
            count = f"{len(reasons)} of {len(rows)}"
            messages.append(f"gate: {count} {predicate}: {'; '.join(reasons)}")
    return messages


def decide(params: GateParams, base: Revision) -> list[GateRow]:
    """Return one row per number and per package."""
    base_report = base.report if base.commit else None
    rows = [
        check_number(name, spec, current_report, base_report)
        for name, spec in sorted(params.numbers.items())
    ]
    return rows + [check_files(Path(folder)) for folder in params.packages]


def run(base: str, *, as_json: bool) -> int:
    """Print every number and package with its verdict, and return the worst exit code.

    Raises:
        UserError: a report, section `gate` or the revision `base` cannot be read.
    """
    with entered():
        params = load("gate", GateParams)
        revision = revision_of(base)
        rows = decide(params, revision)
    verdict = max((row.verdict for row in rows), key=CODES.__getitem__)
    if as_json:
        report = {"base": asdict(revision), "rows": [*map(asdict, rows)], "verdict": verdict}
        print(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        print(f"base: {revision.description}\n", page(rows), sep="\n")
    print(*sentences(rows), sep="\n", end="\n" * (verdict != PASS), file=sys.stderr)
    return CODES[verdict]
