"""Say whether the numbers are good enough, and none has become worse than it may.

    python -m fonoteka gate                 against the last commit
    python -m fonoteka gate --base main     against another revision

Reads   the reports and the packages that section `gate` of params.yaml names; the same reports at
        a base revision, through git
Writes  nothing; exits 0 where all is well, 1 where a number missed, 2 where it can't be decided

It is a command and no stage: what it says depends on another revision, which DVC doesn't track, and
a stage that fails would take its own answer back.
`compare_metric` decides what is worse, here and on the page of `make diff`; limits and whole
packages are checked here alone.
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
from fonoteka.pipeline.diff.compare_metric import NEW, UNDECIDED, WORSE, Number, Report, plain
from fonoteka.pipeline.diff.compare_metric import judge as judge_number
from fonoteka.pipeline.revision import Revision, here, revision_of
from fonoteka.reporting.text_table import table

PASS, MISS = "pass", "miss"
CODES = {PASS: 0, MISS: 1, UNDECIDED: 2}
COLUMNS = ("number", "value", "base", "direction", "limit", "tolerance", "verdict")


@dataclass(frozen=True)
class GateParams:
    """Section `gate`.

    Attributes:
        models: names of the models that are gated; their packages are in data/models.
        each_model: what is asked of every model, by the name of the metric. `{model}` in a file
            stands for the model's name.
        packages: other folders of models whose files have to be those that were packaged.
        numbers: what is asked of each number, by its name. `MODEL.METRIC` takes the place of what
            `each_model` asks.
    """

    models: tuple[str, ...]
    each_model: dict[str, Number]
    packages: tuple[str, ...]
    numbers: dict[str, Number]

    def __post_init__(self) -> None:
        asked = {
            f"{model}.{metric}": replace(number, file=number.file.replace("{model}", model))
            for model in self.models
            for metric, number in self.each_model.items()
        }
        folders = (f"data/models/{model}" for model in self.models)
        object.__setattr__(self, "numbers", asked | self.numbers)
        object.__setattr__(self, "packages", (*folders, *self.packages))
        if not self.numbers:
            raise UserError("gate.numbers is empty, so nothing would be asked; name some")
        for name, number in self.numbers.items():
            number.check(f"gate.numbers.{name}")


@dataclass(frozen=True)
class Row:
    """A number or a package, what was asked, and what came of it.

    Attributes:
        number: its name.
        value: as it is.
        base: as it was at the base; empty without one, `new` where there it wasn't.
        direction, limit, tolerance: what was asked.
        verdict: pass, miss or undecided.
        reason: why it didn't pass.
    """

    number: str
    value: str = ""
    base: str = ""
    direction: str = ""
    limit: str = ""
    tolerance: str = ""
    verdict: str = PASS
    reason: str = ""


def judge(name: str, asked: Number, here: Report, base: Report | None) -> Row:
    """Return what comes of one number; a base without it decides nothing."""
    found = judge_number(asked, here, base)
    missed = found.past or found.verdict == WORSE
    return Row(
        name,
        value="" if found.value is None else plain(found.value),
        base=NEW if found.verdict == NEW else "" if found.base is None else plain(found.base),
        direction=asked.direction,
        limit=plain(Decimal(str(asked.limit))),
        tolerance=plain(Decimal(str(asked.tolerance))),
        verdict=UNDECIDED if found.verdict == UNDECIDED else MISS if missed else PASS,
        reason=found.reason,
    )


def inspect(folder: Path) -> Row:
    """Return what comes of a package: each of its files has to be the one that was packaged."""
    if problems := check_package(folder):
        return Row(str(folder), "damaged", verdict=MISS, reason="; ".join(problems))
    return Row(str(folder), f"{len(recorded(folder))} files")


def page(rows: Sequence[Row]) -> str:
    """Return all rows as a person reads them: names and verdicts left, the rest right."""
    cells = [[getattr(row, column) or None for column in COLUMNS] for row in rows]
    return table(COLUMNS, cells, left=(0, len(COLUMNS) - 1))


def sentences(rows: Sequence[Row]) -> list[str]:
    """Return one sentence for what missed and one for what can't be decided, naming each."""
    said = []
    for verdict, opening in ((MISS, "missed"), (UNDECIDED, "can't be decided")):
        reasons = [f"{row.number}: {row.reason}" for row in rows if row.verdict == verdict]
        if reasons:
            said.append(f"gate: {len(reasons)} of {len(rows)} {opening}: {'; '.join(reasons)}")
    return said


def decide(params: GateParams, base: Revision) -> list[Row]:
    """Return a row for each number and each package."""
    there = base.report if base.commit else None
    rows = [judge(name, asked, here, there) for name, asked in sorted(params.numbers.items())]
    return rows + [inspect(Path(folder)) for folder in params.packages]


def run(base: str, *, as_json: bool) -> int:
    """Print every number and package with its verdict, and return the exit code of the worst.

    Raises:
        ValueError: a report, section `gate` or the revision `base` cannot be read.
    """
    with entered():
        params = load("gate", GateParams)
        revision = revision_of(base)
        rows = decide(params, revision)
    verdict = max((row.verdict for row in rows), key=CODES.__getitem__)
    if as_json:
        answer = {"base": asdict(revision), "rows": [*map(asdict, rows)], "verdict": verdict}
        print(json.dumps(answer, ensure_ascii=False, indent=2))
    else:
        print(f"base: {revision.said}\n", page(rows), sep="\n")
    print(*sentences(rows), sep="\n", end="\n" * (verdict != PASS), file=sys.stderr)
    return CODES[verdict]
