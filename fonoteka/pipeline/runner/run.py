"""Rebuild stale stages, with independent stages in parallel; see `build`.

    python -m fonoteka repro [--jobs N] [--show FILE] [STAGE...]

A run that finds nothing to do needs `noop_check` only, so `build` is imported after it: with rich
and filelock it takes 0.04 CPU seconds to load.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from fonoteka.git import dvc_top
from fonoteka.pipeline.runner import noop_check
from fonoteka.pipeline.runner.signals import stoppable
from fonoteka.pipeline.scheduler import StageOutcome


def run(targets: Sequence[str] = (), jobs: int = 1, show: Path | None = None) -> int:
    """Bring the pipeline up to date and return the exit code.

    Args:
        targets: stages or groups of stages to bring up to date with all upstream ones; all
            stages if empty.
        jobs: how many stages may run at a time.
        show: a file to print when the whole pipeline is up to date.

    Raises:
        ValueError: the pipeline cannot be read, or a target is not the name of a stage.
    """
    with stoppable():
        return _run(targets, jobs, show)


def _run(targets: Sequence[str], jobs: int, show: Path | None) -> int:
    if not targets and (folder := dvc_top()) and (message := noop_check.fresh_message(folder)):
        print(message)
        if show:
            _print_file(folder / show)
        return 0
    from fonoteka.pipeline.runner.build import build

    # The note of noop_check must be older than dvc's check of the files, hence two clocks.
    begin_s, begin_ns = time.monotonic(), time.time_ns()
    result = build(targets, jobs)
    if result.failed:
        return 1
    counts, total = result.schedule.counts(), len(result.plan.stages)
    if result.idle:
        frozen = counts.get(StageOutcome.FROZEN, 0)
        message = f"everything is up to date: {total} stages" + (
            f", {frozen} of them frozen" if frozen else ""
        )
        print(message)
        if not targets and result.plan.watched is not None:
            with suppress(OSError):  # a full or read-only disk
                noop_check.remember(result.plan.root, result.plan.watched, message, begin_ns)
    else:
        summary = ", ".join(f"{count} {outcome.value}" for outcome, count in counts.items())
        print(f"{total} stages: {summary}, in {time.monotonic() - begin_s:.1f} s")
    if show and not targets:
        _print_file(result.plan.root / show)
    return 0


def _print_file(path: Path) -> None:
    if path.is_file():
        print(path.read_text(encoding="utf-8"), end="")
    else:
        print(f"{path.name}: does not exist, so there is no table to show")
