"""Run benchmarks and store their reports with the machine that they were measured on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, write_json
from fonoteka.reporting.machine import machine, missed
from fonoteka.reporting.text_table import table

BUSY_LOAD = 1.0
"""Processes at work in the last minute; the reports in git were measured at 0.46 to 0.77."""


@dataclass(frozen=True)
class Benchmark:
    """One benchmark.

    Attributes:
        measure: returns the report; its limits are under `sla`.
        page: returns the report as text for a terminal.
        file: JSON file of the report.
        section: key of the report in that file; None if the report is the whole file.
    """

    measure: Callable[[], dict[str, Any]]
    page: Callable[[Mapping[str, Any]], str]
    file: Path
    section: str | None = None


def run_benchmarks(
    benchmarks: Mapping[str, Benchmark], names: Collection[str] = (), busy: bool = False
) -> None:
    """Run benchmarks, store each report as soon as it is measured, and print it.

    Args:
        benchmarks: by name, in the order in which they run.
        names: of those to run; all if empty.
        busy: run although other processes are at work.

    Raises:
        UserError: a name is unknown, other processes are at work, or a limit was missed.
    """
    if unknown := sorted({*names} - {*benchmarks}):
        raise UserError(f"bench: {unknown[0]!r} is not one of {[*benchmarks]}")
    values = machine()  # before this command loads the machine itself
    if values["load_at_start"] > BUSY_LOAD and not busy:
        raise UserError(
            f"bench: the load of the last minute is {values['load_at_start']}, above {BUSY_LOAD}, "
            "so times would be too long; wait until other processes have ended, or add --busy"
        )
    reports = []
    for name in [name for name in benchmarks if name in names or not names]:
        benchmark = benchmarks[name]
        reports.append({"machine": values} | benchmark.measure())
        _store(reports[-1], benchmark.file, benchmark.section)
        print(benchmark.page(reports[-1]), end="\n\n", flush=True)
    if problems := missed(reports):
        raise UserError(f"bench: {len(problems)} missed: {'; '.join(problems)}")


def _store(report: dict[str, Any], file: Path, section: str | None) -> None:
    if section is None:
        write_json(file, report)
    else:
        others = read_json(file) if file.is_file() else {}
        write_json(file, others | {section: report})


def page(title: str, header: Sequence[str], rows: Sequence[Sequence[object]], *notes: str) -> str:
    """Return a report as text: a title, a table and notes."""
    return "\n".join([title, "", table(header, rows), *([""] if notes else []), *notes])
