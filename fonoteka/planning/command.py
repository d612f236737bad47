"""Measure a build, write PLANNING.md, and compare forecasts with runs.

    python -m fonoteka planning measure [BUILD] [--also BUILD]
    python -m fonoteka planning page [--check]
    python -m fonoteka planning check BUILD BUILD [BUILD ...]

Writes  reports/bench/planning.json, PLANNING.md
Params  planning

They are commands and not stages: what a stage cost depends on the machine and the moment.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, write_json, write_text
from fonoteka.core.params import load
from fonoteka.planning import check as forecasts
from fonoteka.planning.build import read_build
from fonoteka.planning.measure import REPORT, measure, models_with_missing_stages
from fonoteka.planning.numerals import percent
from fonoteka.planning.page import page
from fonoteka.planning.prices import OLD_DAYS, PlanningParams
from fonoteka.reporting.text_table import table

PAGE = Path("PLANNING.md")


def run_measure(folder: Path, also: Sequence[Path]) -> None:
    """Measure a build and store the report; the result of the last check stays in it.

    Raises:
        UserError: the build cannot be read, or another one has other parameters.
    """
    report = measure(read_build(folder), [read_build(other) for other in also])
    if REPORT.is_file() and (checked := read_json(REPORT).get("check")):
        report["check"] = checked
    write_json(REPORT, report)
    for line in report["missing"]:
        print(f"missing: {line}", file=sys.stderr)
    for model, stages in models_with_missing_stages(report).items():
        print(f"incomplete: {model} lacks {', '.join(stages)}", file=sys.stderr)
    build = report["build"]
    print(f"{REPORT}: {build['stages']} stages, {build['cpu_s']} CPU s")


def run_page(*, compare: bool) -> int:
    """Write PLANNING.md, or compare it with what would be written; return the exit code.

    Raises:
        UserError: the report is missing, or the prices have no date.
    """
    params = load("planning", PlanningParams)
    if not REPORT.is_file():
        raise UserError(f"{REPORT}: no such file; run `python -m fonoteka planning measure`")
    report = read_json(REPORT)
    if "stages" not in report:  # `check` stores its result without a measured build too
        raise UserError(f"{REPORT}: no stages; run `python -m fonoteka planning measure`")
    text = page(report, params)
    days = params.prices.days_old(datetime.now(tz=UTC).date())
    if days > OLD_DAYS:
        print(f"warning: the prices are {days} days old; see planning.prices", file=sys.stderr)
    if not compare:
        write_text(PAGE, text)
        print(PAGE)
        return 0
    current = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    if current.rstrip("\n") == text.rstrip("\n"):
        return 0
    print(f"{PAGE} differs from {REPORT} and params.yaml; run `python -m fonoteka planning page`")
    return 1


def run_check(folders: Sequence[Path]) -> int:
    """Compare forecasts with logs, store the result, and return 1 if an error is too large.

    Raises:
        UserError: a build cannot be read, or the builds do not fit.
    """
    params = load("planning", PlanningParams)
    checks = forecasts.check([read_build(folder) for folder in folders])
    report = read_json(REPORT) if REPORT.is_file() else {}
    write_json(REPORT, report | {"check": forecasts.entry(checks, params.max_error)})
    rows = [
        [
            each.build, round(each.cpu_s, 1), round(each.forecast_s, 1), percent(each.error),
            percent(each.work_error),
        ]
        for each in checks
    ]  # fmt: skip
    print(table(["build", "CPU s", "forecast", "error", "without imports"], rows))
    return int(any(abs(each.error) > params.max_error for each in checks))
