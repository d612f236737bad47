"""Say what a run would do before it is started: what is stale, why, and what it would cost.

    python -m fonoteka status [--allow-missing] [--json]

Reads   dvc.yaml, dvc.lock, params.yaml and what lies in the working tree, through dvc;
        reports/corpus.json, for numbers of clips; .dvc/tmp/durations.json, for seconds
Writes  nothing; exits 0 where all is fresh, 1 where something is to be run or pulled, 2 where that
        can't be decided

A stage is *stale* where its command, a parameter or a file that it reads or wrote isn't what
dvc.lock has, and *missing* where it never ran or its outputs are nowhere. It is *not pulled* where
dvc.lock knows its outputs and they are in the cache or can be in the remote, which isn't asked:
that takes no computing. It *may be stale* below a stage that is sure to run, since what that writes
isn't known before. With --allow-missing what dvc.lock knows doesn't have to be here, as in a clone
without data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fonoteka.core.files import read_json
from fonoteka.core.run_stage import DONE
from fonoteka.pipeline.durations import remembered
from fonoteka.pipeline.status.classify import Row, State, decide
from fonoteka.pipeline.status.inspect import look
from fonoteka.reporting.text_table import table

HEADER = ("stage", "state", "clips", "bytes", "took last", "why")
CORPUS = Path("reports/corpus.json")
MOST_REASONS = 6
TO_DO = 1


def page(rows: Sequence[Row], allow_missing: bool = False) -> str:
    """Return what there is to be done as a table, and sums below it."""
    shown = [row for row in rows if not row.settled(allow_missing)]
    counts = {state: sum(row.state is state for row in rows) for state in State}
    summed = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    said = [f"{len(rows)} stages: {summed}", *_sums(shown)]
    if shown:
        lines = [line for row in shown for line in _lines(row)]
        said = [table(HEADER, lines, left=(0, 1, 5)), "", *said]
    return "\n".join(said)


def _lines(row: Row) -> Iterator[Sequence[str | None]]:
    """Yield a line for each reason; the first has the rest of the row too."""
    why = [*row.why[:MOST_REASONS]]
    if more := len(row.why) - len(why):
        why.append(f"and {more} more")
    clips = None if row.clips is None else str(row.clips)
    took = "?" if row.took_s is None else duration(row.took_s)
    took = "" if row.state is State.NOT_PULLED else took
    yield [row.stage, row.state, clips, size(row.size), took, *why[:1]]
    yield from (["", "", "", "", "", reason] for reason in why[1:])


def _sums(rows: Sequence[Row]) -> Iterator[str]:
    """Yield what there is to run and to pull, in one line each."""
    sure = [row for row in rows if row.state in (State.STALE, State.MISSING)]
    maybe = [row for row in rows if row.state is State.MAY_BE]
    pulls = [row for row in rows if row.state is State.NOT_PULLED]
    if sure:
        yield f"to run: {len(sure)}, {_seconds(sure)}: make repro"
    if maybe:
        yield f"to run if what they read comes out anew: {len(maybe)}, {_seconds(maybe)}"
    if pulls:
        yield f"to pull: {len(pulls)}, {size(sum(row.size for row in pulls))}: dvc pull"


def _seconds(rows: Sequence[Row]) -> str:
    """Return the seconds of stages one after another, as far as they were ever measured here."""
    timed = [row.took_s for row in rows if row.took_s is not None]
    if not timed:
        return "never timed here"
    said = f"{duration(sum(timed))} one after another, as last time"
    return said + (f", and {more} never timed here" if (more := len(rows) - len(timed)) else "")


def size(count: int) -> str:
    """Return a number of bytes as a person reads it.

    >>> size(812), size(123119508), size(3 * 2**30)
    ('812 B', '117.4 MiB', '3.0 GiB')
    """
    value, units = float(count), ["B", "KiB", "MiB", "GiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{value:.0f} B" if units[0] == "B" else f"{value:.1f} {units[0]}"


def duration(seconds: float) -> str:
    """Return seconds as a person reads them.

    >>> duration(8.13), duration(200), duration(7260)
    ('8.1 s', '3 min 20 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"


def audited(root: Path) -> Mapping[str, Any]:
    """Return the report of the last audit, or nothing where there is none that can be read."""
    try:
        found = read_json(root / CORPUS)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def run(*, allow_missing: bool, as_json: bool) -> int:
    """Print what is to be done and return 0 if that is nothing, else 1.

    Raises:
        ValueError: the pipeline cannot be read.
    """
    found = look()
    rows = decide(found, audited(found.root), remembered(found.root))
    settled = all(row.settled(allow_missing) for row in rows)
    if as_json:
        answer = {"settled": settled, "remote": found.remote, "stages": [*map(asdict, rows)]}
        print(json.dumps(answer, ensure_ascii=False, indent=2))
    else:
        print(page(rows, allow_missing))
    return DONE if settled else TO_DO
