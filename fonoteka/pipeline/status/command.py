"""Show what a run would do: which stages are stale, the reasons, and the cost.

    python -m fonoteka status [--allow-missing] [--json]

Reads   dvc.yaml, dvc.lock, params.yaml and the files of the working tree, through dvc;
        reports/corpus.json, for numbers of clips; .dvc/tmp/durations.json, for seconds
Writes  nothing; exits 0 if all is fresh, 1 if a stage is to be run or pulled, 2 if that cannot be
        decided

A stage is *stale* if its command, a parameter, a dependency or an output differs from dvc.lock. It
is *missing* if it never ran or its outputs are lost. It is *not pulled* if dvc.lock has its outputs
and the cache or a remote may have them, so that nothing has to be computed; the remote is not
asked. It *may be stale* below a stage that is sure to run, because the output of that run is not
known yet. With --allow-missing it is enough that dvc.lock has the outputs, as in a clone without
data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fonoteka.core.files import read_json
from fonoteka.core.run_stage import DONE
from fonoteka.pipeline.durations import read_durations
from fonoteka.pipeline.status.classify import StageState, StageStatus, classify
from fonoteka.pipeline.status.inspect import inspect
from fonoteka.reporting.text_table import table

HEADER = ("stage", "state", "clips", "bytes", "last run", "reason")
CORPUS = Path("reports/corpus.json")
MOST_REASONS = 6
TO_DO = 1


def page(rows: Sequence[StageStatus], allow_missing: bool = False) -> str:
    """Return the table of the stages to run or pull, with the sums below it."""
    shown = [row for row in rows if not row.settled(allow_missing)]
    counts = {state: sum(row.state is state for row in rows) for state in StageState}
    summed = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    lines = [f"{len(rows)} stages: {summed}", *_sums(shown)]
    if shown:
        cells = [line for row in shown for line in _lines(row)]
        lines = [table(HEADER, cells, left=(0, 1, 5)), "", *lines]
    return "\n".join(lines)


def _lines(row: StageStatus) -> Iterator[Sequence[str | None]]:
    """Yield one line per reason; the first contains the other columns too."""
    reasons = [*row.reasons[:MOST_REASONS]]
    if more := len(row.reasons) - len(reasons):
        reasons.append(f"and {more} more")
    clips = None if row.clips is None else str(row.clips)
    took = "?" if row.took_s is None else duration(row.took_s)
    took = "" if row.state is StageState.NOT_PULLED else took
    yield [row.stage, row.state, clips, size(row.size), took, *reasons[:1]]
    yield from (["", "", "", "", "", reason] for reason in reasons[1:])


def _sums(rows: Sequence[StageStatus]) -> Iterator[str]:
    """Yield one line for the stages to run, and one for those to pull."""
    sure = [row for row in rows if row.state in (StageState.STALE, StageState.MISSING)]
    maybe = [row for row in rows if row.state is StageState.MAY_BE]
    pulls = [row for row in rows if row.state is StageState.NOT_PULLED]
    if sure:
        yield f"to run: {len(sure)}, {_seconds(sure)}: make repro"
    if maybe:
        yield f"to run if their inputs change: {len(maybe)}, {_seconds(maybe)}"
    if pulls:
        yield f"to pull: {len(pulls)}, {size(sum(row.size for row in pulls))}: dvc pull"


def _seconds(rows: Sequence[StageStatus]) -> str:
    """Return the sum of the measured durations, and how many stages were never measured here."""
    timed = [row.took_s for row in rows if row.took_s is not None]
    if not timed:
        return "never timed here"
    message = f"{duration(sum(timed))} one after another, by their last runs"
    return message + (f", and {more} never timed here" if (more := len(rows) - len(timed)) else "")


def size(count: int) -> str:
    """Return a number of bytes with a unit.

    >>> size(812), size(123119508), size(3 * 2**30)
    ('812 B', '117.4 MiB', '3.0 GiB')
    """
    value, units = float(count), ["B", "KiB", "MiB", "GiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{value:.0f} B" if units[0] == "B" else f"{value:.1f} {units[0]}"


def duration(seconds: float) -> str:
    """Return a duration with units.

    >>> duration(8.13), duration(200), duration(7260)
    ('8.1 s', '3 min 20 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"


def audited(root: Path) -> Mapping[str, Any]:
    """Return the report of the last audit; empty if none can be read."""
    try:
        report = read_json(root / CORPUS)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def run(*, allow_missing: bool, as_json: bool) -> int:
    """Print the stages to run or pull, and return 0 if there are none, else 1.

    Raises:
        ValueError: the pipeline cannot be read.
    """
    pipeline = inspect()
    rows = classify(pipeline, audited(pipeline.root), read_durations(pipeline.root))
    settled = all(row.settled(allow_missing) for row in rows)
    if as_json:
        answer = {"settled": settled, "remote": pipeline.remote, "stages": [*map(asdict, rows)]}
        print(json.dumps(answer, ensure_ascii=False, indent=2))
    else:
        print(page(rows, allow_missing))
    return DONE if settled else TO_DO
