"""Build: run the stale stages of the pipeline, several at a time, and stop if one fails.

The bytes that a stage computes depend on its number of threads, so params.yaml fixes that number,
and the cores are used by running stages in parallel. dvc itself runs each stage, with `dvc repro -s
STAGE`, and `dvc.lock` has the bytes that plain `dvc repro` writes.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fonoteka.pipeline import durations, dvc_api, fsck, lockfile, plan
from fonoteka.pipeline.plan import Pipeline
from fonoteka.pipeline.runner import process, restore_outputs
from fonoteka.pipeline.runner.build_lock import build_lock
from fonoteka.pipeline.runner.process import StageProcess
from fonoteka.pipeline.runner.progress import ProgressDisplay
from fonoteka.pipeline.runner.repair_lock import repair_dvc_lock, repair_rwlock
from fonoteka.pipeline.runner.signals import on_signals
from fonoteka.pipeline.scheduler import Schedule, StageOutcome

LOGS = Path(".dvc/tmp/repro")


@dataclass(frozen=True)
class BuildResult:
    """How a build ended.

    Attributes:
        plan: the stages of the pipeline.
        schedule: the outcome of each stage.
        failed: the stage that failed, if any; its error has been printed.
        idle: whether no stage had to run.
    """

    plan: Pipeline
    schedule: Schedule
    failed: StageProcess | None
    idle: bool


def build(targets: Sequence[str], jobs: int) -> BuildResult:
    """Bring the pipeline up to date, or stop at the first stage that fails."""
    root = dvc_api.top()
    with build_lock(root):
        if message := repair_rwlock(root):
            print(message, file=sys.stderr)
        plan = _plan(root, targets)
        schedule = Schedule(plan.stages)
        if not schedule.ready():
            return BuildResult(plan, schedule, None, idle=True)
        before = {path: lockfile.entries(path) for path in plan.locks}
        try:
            failed = execute(schedule, plan, jobs)
        finally:
            lockfile.restore_order(plan.root, before, plan.locks)
        return BuildResult(plan, schedule, failed, idle=False)


def _plan(root: Path, targets: Sequence[str]) -> Pipeline:
    """Read the pipeline; if dvc refuses its lock file as half written, repair that file first.

    Checking it each time would make a run with nothing to do 10 % slower.
    """
    try:
        return plan.read(targets)
    except ValueError:
        if not (message := repair_dvc_lock(root)):
            raise
        print(message, file=sys.stderr)
        return plan.read(targets)


def execute(schedule: Schedule, plan: Pipeline, jobs: int) -> StageProcess | None:
    """Run all stages, at most `jobs` at a time; return the one that failed, if any."""
    running: list[StageProcess] = []
    uncached = {name: restore_outputs.contents(paths) for name, paths in plan.uncached.items()}
    failed: StageProcess | None = None
    try:
        with ProgressDisplay(len(schedule.stages)) as progress:
            while failed is None and (running or schedule.ready()):
                for name in schedule.ready()[: jobs - len(running)]:
                    schedule.start(name)
                    running.append(StageProcess(name, plan.root, log_path(plan.root, name)))
                progress.draw(len(schedule.outcomes), running)
                time.sleep(process.TICK_S)
                failed = _collect(schedule, running, progress, plan.root)
    finally:
        ended = _stop(running, plan.root, uncached)
    if failed:
        _explain(failed, [name for name in ended if name != failed.name])
    return failed


def _collect(
    schedule: Schedule, running: list[StageProcess], progress: ProgressDisplay, root: Path
) -> StageProcess | None:
    """Remove the stages that succeeded from `running`; return the first that failed."""
    for stage in tuple(running):
        outcome = stage.outcome()
        if outcome is StageOutcome.FAILED:
            return stage
        if outcome:
            if outcome is StageOutcome.CACHED:
                fsck.require(root, stage.name)  # before anything is computed from it
            running.remove(stage)
            schedule.finish(stage.name, outcome)
            if outcome is StageOutcome.RAN:
                durations.store_duration(root, stage.name, stage.elapsed_s())
            word = "done" if outcome is StageOutcome.RAN else outcome.value
            progress.ended(
                len(schedule.outcomes), stage.name, f"{word} in {stage.elapsed_s():.1f} s"
            )
    return None


def _stop(
    running: Sequence[StageProcess], root: Path, uncached: Mapping[str, Mapping[Path, bytes]]
) -> list[str]:
    """Stop the running stages; restore the outputs of those that failed and return their names.

    Further signals are ignored: stopping takes at most 12 s.
    """
    with on_signals(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        process.stop(running)
        ended = [stage.name for stage in running if stage.outcome() is StageOutcome.FAILED]
        if ended:
            restore_outputs.restore_outputs(root, ended, uncached)
    return ended


def _explain(failed: StageProcess, stopped: Sequence[str]) -> None:
    """Print the output of a failed stage and how to run it alone, or the error of the disk."""
    output = process.stage_output(failed.output())
    then = f"run it alone with: dvc repro -s {failed.name}"
    if error := process.disk_error(output):
        output, then = error
    print(output or "(the stage printed nothing)", file=sys.stderr)
    also = f" (stopped with it: {', '.join(stopped)})" if stopped else ""
    print(
        f"error: stage {failed.name!r} failed after {failed.elapsed_s():.1f} s{also}; {then}",
        file=sys.stderr,
    )


def log_path(root: Path, name: str) -> Path:
    """Return the log file of a stage.

    >>> log_path(Path(), "more/dvc.yaml:split").as_posix()
    '.dvc/tmp/repro/more_dvc.yaml_split.log'
    """
    return root / LOGS / f"{name.replace('/', '_').replace(':', '_')}.log"
