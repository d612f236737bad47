"""Judge a number of a report against the same number at another revision.

`make gate` and `make diff` ask this one module, so that they can't disagree on what is worse:

- a difference of no more than the tolerance is none: a person said so in params.yaml;
- a difference whose 95 % interval holds 0 is none: another draw of voices could turn it round;
- any other difference is better or worse, as the number's direction says.

A limit is asked of the number as it is, whatever it was. Numbers are compared as they stand in
reports, in decimal: 0.095 is not worse than 0.09 by more than 0.005, which in binary it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.pipeline.diff.significance import Chance, chance

DIRECTIONS = ("lower", "higher")
BETTER, SAME, WORSE = "better", "same", "worse"
NEW, ALONE, UNDECIDED = "new", "alone", "undecided"

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
            raise UserError(f"{where}.direction must be one of {DIRECTIONS}: {self.direction!r}")
        if not math.isfinite(self.limit):
            raise UserError(f"{where}.limit must be a finite number, found {self.limit}")
        if not (math.isfinite(self.tolerance) and self.tolerance >= 0):
            raise UserError(f"{where}.tolerance must be at least 0, found {self.tolerance}")
        for file, key in self.terms:
            if not key or Path(file).is_absolute() or ".." in Path(file).parts:
                raise UserError(
                    f"{where}: expected a report's path from the top of the repository and a key, "
                    f"found {file!r} and {key!r}"
                )

    @property
    def terms(self) -> list[tuple[str, str]]:
        """The number's report and key; of a difference those of both."""
        parts = (term.strip().rpartition(":") for term in self.key.split(" - ", 1))
        return [(file or self.file, key) for file, _, key in parts]

    @property
    def sign(self) -> int:
        """1 where more is worse, else -1."""
        return 1 if self.direction == "lower" else -1

    def passes(self, value: Decimal) -> bool:
        """Return whether a value is not past the limit."""
        return self.sign * (value - Decimal(str(self.limit))) <= 0


@dataclass(frozen=True)
class Finding:
    """What came of a number.

    Attributes:
        verdict: better, same or worse than at the base; new where that hasn't it, alone where there
            is no base, undecided where one of the two can't be read.
        value, base: the number here and at the base, where they can be read.
        chance: the interval of value minus base, where the reports have what it takes.
        past: whether the value is past its limit.
        reason: why it is worse, past its limit or undecided; else empty.
    """

    verdict: str
    value: Decimal | None = None
    base: Decimal | None = None
    chance: Chance | None = None
    past: bool = False
    reason: str = ""


class AbsentError(UserError):
    """A report or a key is not there."""


def judge(asked: Number, here: Report, base: Report | None) -> Finding:
    """Return what comes of a number; nothing is raised, what can't be read is undecided."""
    try:
        value = read(asked, here)
    except ValueError as error:
        return Finding(UNDECIDED, reason=str(error))
    past, reasons = not asked.passes(value), []
    if past:
        side = "above" if asked.sign > 0 else "below"
        limit = plain(Decimal(str(asked.limit)))
        reasons.append(f"{plain(value)} is {side} its limit {limit}")
    verdict, before, found = ALONE, None, None
    if base is not None:
        try:
            before = read(asked, base)
            found = _chance(asked, here, base)
        except AbsentError:
            verdict = NEW
        except ValueError as error:
            reasons.append(f"at the base {error}")
            return Finding(UNDECIDED, value, past=past, reason=" and ".join(reasons))
    if before is not None:
        verdict = compare(value, before, asked, found)
        if verdict == WORSE:
            reasons.append(_worse(value, before, asked, found))
    return Finding(verdict, value, before, found, past, " and ".join(reasons))


def compare(value: Decimal, base: Decimal, asked: Number, found: Chance | None) -> str:
    """Return better, same or worse.

    >>> asked = Number("a.json", "per", "lower", limit=1, tolerance=0.005)
    >>> compare(Decimal("0.095"), Decimal("0.09"), asked, None)
    'same'
    >>> compare(Decimal("0.096"), Decimal("0.09"), asked, Chance(-0.001, 0.013, "paired"))
    'same'
    >>> compare(Decimal("0.096"), Decimal("0.09"), asked, Chance(0.004, 0.008, "paired"))
    'worse'
    """
    worse_by = asked.sign * (value - base)
    if abs(worse_by) <= Decimal(str(asked.tolerance)) or (found and found.low <= 0 <= found.high):
        return SAME
    return WORSE if worse_by > 0 else BETTER


def _worse(value: Decimal, base: Decimal, asked: Number, found: Chance | None) -> str:
    said = (
        f"{plain(value)} is worse by {plain(asked.sign * (value - base))} than {plain(base)} at "
        f"the base, and {plain(Decimal(str(asked.tolerance)))} is tolerated"
    )
    return said + (f" (95 % of the difference: {found.said}, {found.how})" if found else "")


def _chance(asked: Number, here: Report, base: Report) -> Chance | None:
    """Return the interval of a number's difference; of a number made of two there is none."""
    if len(asked.terms) > 1:
        return None
    ((file, key),) = asked.terms
    try:
        return chance(key, here(file), base(file))
    except ValueError as error:
        raise UserError(f"{file}: {error}") from error


def read(asked: Number, report: Report) -> Decimal:
    """Return a number, or the difference of two.

    Raises:
        AbsentError: there is no such report, or no such key in it.
        ValueError: it is not a finite number.
    """
    first, *rest = (number_in(report, file, key) for file, key in asked.terms)
    return first - rest[0] if rest else first


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
        raise UserError(f"{file}: {key} is {said} and not a number")
    if not (value := Decimal(str(found))).is_finite():
        raise UserError(f"{file}: {key} is {found} and not a finite number")
    return value


def shortened(text: str, most: int = 160) -> str:
    """Return a text that fits into a sentence.

    >>> shortened("abcdef", 3)
    'abc...'
    """
    return text if len(text) <= most else f"{text[:most]}..."


def plain(value: Decimal) -> str:
    """Return a number without an exponent and without idle zeros.

    >>> plain(Decimal("0.0950")), plain(Decimal("8E+6")), plain(Decimal("-0.0"))
    ('0.095', '8000000', '0')
    """
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text
