"""Say whether the numbers are good enough, and none has become worse than it may.

    make gate                               against the last commit
    make gate BASE=main                     against another revision
    python -m stages.tools.gate --base REV [--json]

Reads   the reports and the packages that section `gate` of params.yaml names; the same reports at
        a base revision, through git
Writes  nothing; exits 0 where all is well, 1 where a number missed, 2 where it can't be decided

It is a command and no stage: what it says depends on another revision, which DVC doesn't track, and
a stage that fails would take its own answer back. Numbers are compared as they stand in reports, in
decimal: 0.095 is not worse than 0.09 by more than 0.005, which in binary it is.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from stages.common.cli import stage
from stages.common.files import read_json
from stages.common.package import check_package, recorded
from stages.common.params import load
from stages.tools.aligned import table
from stages.tools.revision import Revision, revision_of

DIRECTIONS = ("lower", "higher")
PASS, MISS, UNDECIDED = "pass", "miss", "undecided"
CODES = {PASS: 0, MISS: 1, UNDECIDED: 2}
COLUMNS = ("number", "value", "base", "direction", "limit", "tolerance", "verdict")

Report = Callable[[str], Any]
"""Gives the parsed JSON of a path, or None where there is no such file."""


@dataclass(frozen=True)
class Number:
    """A number in a report, and what is asked of it.

    Attributes:
        file: the report, from the top of the repository.
        key: names on the way to the number, with dots between them; of ` - ` between two such ways
            the difference, and a way may start with another report and a colon.
        direction: which values are better, `lower` or `higher`.
        limit: the worst value that passes.
        tolerance: how much worse than at the base it may be.
    """

    file: str
    key: str
    direction: str
    limit: float
    tolerance: float

    def check(self, where: str) -> None:
        """Refuse what can't be meant; `where` names the number."""
        if self.direction not in DIRECTIONS:
            raise ValueError(f"{where}.direction must be one of {DIRECTIONS}: {self.direction!r}")
        if not math.isfinite(self.limit):
            raise ValueError(f"{where}.limit must be a finite number, found {self.limit}")
        if not (math.isfinite(self.tolerance) and self.tolerance >= 0):
            raise ValueError(f"{where}.tolerance must be at least 0, found {self.tolerance}")
        for file, key in self.terms:
            if not key or Path(file).is_absolute() or ".." in Path(file).parts:
                raise ValueError(
                    f"{where}: expected a report's path from the top of the repository and a key, "
                    f"found {file!r} and {key!r}"
                )

    @property
    def terms(self) -> list[tuple[str, str]]:
        """The number's report and key; of a difference those of both."""
        parts = (term.strip().rpartition(":") for term in self.key.split(" - ", 1))
        return [(file or self.file, key) for file, _, key in parts]


@dataclass(frozen=True)
class GateParams:
    """Section `gate`.

    Attributes:
        packages: folders of models whose files have to be those that were packaged.
        numbers: what is asked of each number, by the name that it is given.
    """

    packages: tuple[str, ...]
    numbers: dict[str, Number]

    def __post_init__(self) -> None:
        if not self.numbers:
            raise ValueError("gate.numbers is empty, so nothing would be asked; name some")
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


class AbsentError(ValueError):
    """A report or a key is not there."""


def number_in(report: Report, file: str, key: str) -> Decimal:
    """Return a number of a report.

    Raises:
        AbsentError: there is no such report, or no such key in it.
        ValueError: it is not a finite number.
    """
    found = report(file)
    if found is None:
        raise AbsentError(f"{file}: no such report; run dvc repro")
    for name in key.split("."):
        if not isinstance(found, dict) or name not in found:
            has = f"there are {sorted(found)}" if isinstance(found, dict) else f"it is {found!r}"
            raise AbsentError(f"{file}: no key {name!r} of {key!r}; {shortened(has)}")
        found = found[name]
    if isinstance(found, bool) or not isinstance(found, int | float):
        said = shortened(repr(found))
        raise ValueError(f"{file}: {key} is {said} and not a number")  # noqa: TRY004
    if not (value := Decimal(str(found))).is_finite():
        raise ValueError(f"{file}: {key} is {found} and not a finite number")
    return value


def shortened(text: str, most: int = 160) -> str:
    """Return a text that fits into a sentence.

    >>> shortened("abcdef", 3)
    'abc...'
    """
    return text if len(text) <= most else f"{text[:most]}..."


def read(report: Report, asked: Number) -> Decimal:
    """Return a number, or the difference of two."""
    first, *rest = (number_in(report, file, key) for file, key in asked.terms)
    return first - rest[0] if rest else first


def judge(name: str, asked: Number, here: Report, base: Report | None) -> Row:
    """Return what comes of one number; a base without it decides nothing."""
    limit, tolerance = Decimal(str(asked.limit)), Decimal(str(asked.tolerance))
    said = {"direction": asked.direction, "limit": plain(limit), "tolerance": plain(tolerance)}
    try:
        value = read(here, asked)
    except ValueError as error:
        return Row(name, **said, verdict=UNDECIDED, reason=str(error))
    said["value"] = plain(value)
    sign = 1 if asked.direction == "lower" else -1
    reasons = []
    if sign * (value - limit) > 0:
        side = "above" if sign > 0 else "below"
        reasons.append(f"{plain(value)} is {side} its limit {plain(limit)}")
    try:
        before = read(base, asked) if base else None
    except AbsentError:
        said["base"], before = "new", None
    except ValueError as error:
        reasons.append(f"at the base {error}")
        return Row(name, **said, verdict=UNDECIDED, reason=" and ".join(reasons))
    if before is not None:
        said["base"] = plain(before)
        if (worse := sign * (value - before)) > tolerance:
            reasons.append(
                f"{plain(value)} is worse by {plain(worse)} than {plain(before)} at the base, and "
                f"{plain(tolerance)} is tolerated"
            )
    return Row(name, **said, verdict=MISS if reasons else PASS, reason=" and ".join(reasons))


def plain(value: Decimal) -> str:
    """Return a number without an exponent and without idle zeros.

    >>> plain(Decimal("0.0950")), plain(Decimal("8E+6")), plain(Decimal("-0.0"))
    ('0.095', '8000000', '0')
    """
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


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


def here(file: str) -> Any:
    """Return a report of the working tree, or None where it isn't there."""
    return read_json(Path(file)) if Path(file).is_file() else None


def decide(params: GateParams, base: Revision) -> list[Row]:
    """Return a row for each number and each package."""
    there = base.report if base.commit else None
    rows = [judge(name, asked, here, there) for name, asked in sorted(params.numbers.items())]
    return rows + [inspect(Path(folder)) for folder in params.packages]


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="gate", description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="HEAD", help="revision to compare with (default: HEAD)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    try:
        params = load("gate", GateParams)
        base = revision_of(options.base)
        rows = decide(params, base)
    except (ValueError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(CODES[UNDECIDED])
    verdict = max((row.verdict for row in rows), key=CODES.__getitem__)
    if options.json:
        answer = {"base": asdict(base), "rows": [*map(asdict, rows)], "verdict": verdict}
        print(json.dumps(answer, ensure_ascii=False, indent=2))
    else:
        print(f"base: {base.said}\n", page(rows), sep="\n")
    print(*sentences(rows), sep="\n", end="\n" * (verdict != PASS), file=sys.stderr)
    sys.exit(CODES[verdict])


if __name__ == "__main__":
    stage(main)
