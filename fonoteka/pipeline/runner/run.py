"""Rebuild what is stale, filling the cores with stages that do not wait for each other.

    python -m fonoteka repro [--jobs N] [--show FILE] [STAGE...]

The bytes a stage computes depend on its number of threads, so each has the one that params.yaml
gives it, and the cores are filled by running stages side by side. Each is run by dvc itself, with
`dvc repro -s STAGE`; `dvc.lock` ends up with the bytes that plain `dvc repro` writes.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from fonoteka.git import dvc_top
from fonoteka.pipeline import durations, dvc_api, fsck, lockfile
from fonoteka.pipeline.dvc_api import Pipeline
from fonoteka.pipeline.runner import noop_check, restore_outputs
from fonoteka.pipeline.runner import process as stage_process
from fonoteka.pipeline.runner.build_lock import alone
from fonoteka.pipeline.runner.process import Child
from fonoteka.pipeline.runner.progress import Progress
from fonoteka.pipeline.runner.repair_lock import mend, mend_rwlock
from fonoteka.pipeline.scheduler import Outcome, Schedule

LOGS = Path(".dvc/tmp/repro")


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(number)


def stoppable() -> AbstractContextManager[None]:
    """Take SIGTERM and a closed terminal inside the block for what Ctrl-C is: KeyboardInterrupt."""
    return _on_signals(_interrupt, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def _on_signals(handler: Any, *numbers: signal.Signals) -> Iterator[None]:
    """React to signals with `handler` inside the block and as before after it."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def run(targets: Sequence[str] = (), jobs: int = 1, show: Path | None = None) -> int:
    """Bring the pipeline up to date and return the exit code.

    Args:
        targets: stages, or groups of them, that are brought up to date with all upstream; all
            stages if empty.
        jobs: how many stages may run at a time.
        show: a file to print when the whole pipeline is up to date.

    Raises:
        ValueError: the pipeline cannot be read, or a target is not the name of a stage.
    """
    with stoppable():
        return _run(targets, jobs, show)


def _run(targets: Sequence[str], jobs: int, show: Path | None) -> int:
    if not targets and (folder := dvc_top()) and (said := noop_check.said(folder)):
        print(said)
        if show:
            _print_file(folder / show)
        return 0
    begin_s, begin_ns = time.monotonic(), time.time_ns()
    done = bring(targets, jobs)
    if done.failed:
        return 1
    counts, total = done.schedule.counts(), len(done.plan.steps)
    if done.idle:
        frozen = counts.get(Outcome.FROZEN, 0)
        said = f"everything is up to date: {total} stages" + (
            f", {frozen} of them frozen" if frozen else ""
        )
        print(said)
        if not targets and done.plan.watched is not None:
            with suppress(OSError):  # a disk that is full or may not be written to
                noop_check.remember(done.plan.root, done.plan.watched, said, begin_ns)
    else:
        told = ", ".join(f"{n} {how.value}" for how, n in counts.items())
        print(f"{total} stages: {told}, in {time.monotonic() - begin_s:.1f} s")
    if show and not targets:
        _print_file(done.plan.root / show)
    return 0


@dataclass(frozen=True)
class Brought:
    """How far a pipeline was brought.

    Attributes:
        plan: its stages.
        schedule: how each ended.
        failed: the stage that failed, if one did; it has been explained.
        idle: whether there was nothing to do.
    """

    plan: Pipeline
    schedule: Schedule
    failed: Child | None
    idle: bool


def bring(targets: Sequence[str], jobs: int) -> Brought:
    """Bring the pipeline up to date, or as far as a stage lets it."""
    root = dvc_api.top()
    with alone(root):
        if mended := mend_rwlock(root):
            print(mended, file=sys.stderr)
        plan = _plan(root, targets)
        schedule = Schedule(plan.steps)
        if not schedule.ready():
            return Brought(plan, schedule, None, idle=True)
        before = {path: lockfile.entries(path) for path in plan.locks}
        try:
            failed = execute(schedule, plan, jobs)
        finally:
            lockfile.restore_order(plan.root, before, plan.locks)
        return Brought(plan, schedule, failed, idle=False)


def _plan(root: Path, targets: Sequence[str]) -> Pipeline:
    """Read the pipeline, and make its lock file whole first where dvc refuses it as half written.

    Looking at it each time would cost a run that has nothing to do a tenth of what it takes.
    """
    try:
        return dvc_api.read(targets)
    except ValueError:
        if not (mended := mend(root)):
            raise
        print(mended, file=sys.stderr)
        return dvc_api.read(targets)


def execute(schedule: Schedule, plan: Pipeline, jobs: int) -> Child | None:
    """Run all that is ready, at most `jobs` at a time; return the stage that failed, if one did."""
    running: list[Child] = []
    kept = {name: restore_outputs.contents(paths) for name, paths in plan.uncached.items()}
    failed: Child | None = None
    try:
        with Progress(len(schedule.steps)) as progress:
            while failed is None and (running or schedule.ready()):
                for name in schedule.ready()[: jobs - len(running)]:
                    schedule.start(name)
                    running.append(Child(name, plan.root, log_path(plan.root, name)))
                progress.draw(len(schedule.outcomes), running)
                time.sleep(stage_process.TICK_S)
                failed = _collect(schedule, running, progress, plan.root)
    finally:
        ended = _stop(running, plan.root, kept)
    if failed:
        _explain(failed, [name for name in ended if name != failed.name])
    return failed


def _collect(
    schedule: Schedule, running: list[Child], progress: Progress, root: Path
) -> Child | None:
    """Take the stages that ended out of `running`; return the first that failed, leaving it in."""
    for child in tuple(running):
        outcome = child.outcome()
        if outcome is Outcome.FAILED:
            return child
        if outcome:
            if outcome is Outcome.CACHED:
                fsck.require(root, child.name)  # before anything is computed from it
            running.remove(child)
            schedule.finish(child.name, outcome)
            if outcome is Outcome.RAN:
                durations.remember(root, child.name, child.elapsed_s())
            word = "done" if outcome is Outcome.RAN else outcome.value
            progress.ended(
                len(schedule.outcomes), child.name, f"{word} in {child.elapsed_s():.1f} s"
            )
    return None


def _stop(
    running: Sequence[Child], root: Path, kept: Mapping[str, Mapping[Path, bytes]]
) -> list[str]:
    """Stop the stages at work and give those that did not end well their last result; name them.

    Deaf to further signals: stopping takes ten seconds at most.
    """
    with _on_signals(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        stage_process.stop(running)
        ended = [child.name for child in running if child.outcome() is Outcome.FAILED]
        if ended:
            restore_outputs.put_back(root, ended, kept)
    return ended


def _explain(failed: Child, stopped: Sequence[str]) -> None:
    """Show all that a failed stage said, and how to run it alone; or that the disk is at fault."""
    said = stage_process.without_noise(failed.output())
    then = f"run it alone with: dvc repro -s {failed.name}"
    if fault := stage_process.fault_of_disk(said):
        said, then = fault
    print(said or "(it said nothing)", file=sys.stderr)
    also = f" (stopped with it: {', '.join(stopped)})" if stopped else ""
    print(
        f"error: stage {failed.name!r} failed after {failed.elapsed_s():.1f} s{also}; {then}",
        file=sys.stderr,
    )


def log_path(root: Path, name: str) -> Path:
    """Return where the output of a stage goes.

    >>> log_path(Path(), "more/dvc.yaml:split").as_posix()
    '.dvc/tmp/repro/more_dvc.yaml_split.log'
    """
    return root / LOGS / f"{name.replace('/', '_').replace(':', '_')}.log"


def _print_file(path: Path) -> None:
    if path.is_file():
        print(path.read_text(encoding="utf-8"), end="")
    else:
        print(f"{path.name}: not there, so there is no table to show")
