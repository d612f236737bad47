"""Settle a conflict in `dvc.lock` after a merge, running only stages whose inputs changed.

    python -m fonoteka merge-lock          when dvc.yaml, params.yaml and code are merged
    python -m fonoteka merge-lock --run    also run stages whose outputs the cache lacks

Reads   both sides of the merge, from git; results of both, from the cache and dvc's run-cache
Writes  dvc.lock, outputs, and both to git's index: the merge can then be committed

Each stage gets the entry of the side that was built with the merged code and params. If neither
side has one, the runner restores the outputs from the run-cache or runs the stage. Reports are
outputs of stages, so a conflict in a report is settled by its stage. Exits 0 if all is settled, 1
if a stage failed, 2 if it cannot be done yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.run_stage import DONE, FAILED
from fonoteka.git import entered, git
from fonoteka.pipeline import lockfile, merge_conflict
from fonoteka.pipeline.lock_check import below, differences, locked_stages
from fonoteka.pipeline.merge.merge_entries import (
    EntryChoice,
    MergeSide,
    choose_entries,
    output_paths,
)
from fonoteka.pipeline.merge_conflict import OURS, THEIRS, UnfinishedMerge
from fonoteka.pipeline.outputs import Lock, hashes
from fonoteka.pipeline.runner.build import build
from fonoteka.pipeline.runner.signals import stoppable
from fonoteka.pipeline.scheduler import StageOutcome
from fonoteka.pipeline.verify.record import REPORT

LOCK = Path("dvc.lock")
SOURCES = ("dvc.yaml", "params.yaml", "configs", "fonoteka", "stages", "data", "requirements.lock")


def run(*, run_lacking: bool, jobs: int) -> int:
    """Settle the lock file of a merge and return the exit code.

    Args:
        run_lacking: whether to run stages whose outputs the cache lacks.
        jobs: how many stages may run at a time.

    Raises:
        UserError: there is nothing to settle, or another conflict has to be settled first.
    """
    with stoppable(), entered():
        return settle(run_lacking=run_lacking, jobs=jobs)


def settle(*, run_lacking: bool, jobs: int) -> int:
    """Settle the lock file and return the exit code.

    Raises:
        UserError: there is nothing to settle, or another conflict has to be settled first.
    """
    merge = merge_conflict.unfinished_merge()
    ours, theirs = merge.texts(LOCK.as_posix())
    locks = (lockfile.parse(ours or "", "ours"), lockfile.parse(theirs or "", "theirs"))
    if not in_conflict(merge, locks):
        print("no conflict in dvc.lock or a report: nothing to settle; continue with make repro")
        return DONE
    refuse_unmerged(merge, locks)
    choices = choices_of(locks)
    lockfile.write(LOCK, {name: choice.entry for name, choice in choices.items()})
    # Outputs that the cache lacks need a run of stages that are not stale, so the user decides.
    lacking = restore_results(merge, choices)
    if lacking and not run_lacking:
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        raise UserError(
            f"dvc.lock is settled, but the cache lacks {', '.join(lacking[:3])}{more}, whose "
            "stages are not stale; fetch with dvc pull --run-cache and run python -m fonoteka "
            "merge-lock again, or run the stages here with python -m fonoteka merge-lock --run"
        )
    result = build((), jobs)
    if result.failed:
        return FAILED
    rest = add_to_index(merge, locks)
    schedule = result.schedule
    outcomes = {stage.name: schedule.outcomes[stage.name] for stage in schedule.stages}
    print(*summary(choices, outcomes, rest), sep="\n")
    return DONE


def in_conflict(merge: UnfinishedMerge, locks: tuple[Lock, Lock]) -> bool:
    """Return whether the lock file or an output of a stage is in conflict.

    Raises:
        UserError: there is no unfinished merge.
    """
    text = LOCK.read_text(encoding="utf-8") if LOCK.is_file() else ""
    if not (merge.conflicts or merge.theirs or merge_conflict.has_conflict_marks(text)):
        raise UserError(
            "there is no unfinished merge and no conflict in dvc.lock, so there is nothing to "
            "settle; make repro brings results up to date"
        )
    settled = (LOCK.as_posix(), *output_paths(locks))
    return merge_conflict.has_conflict_marks(text) or any(
        part_of(path, settled) for path in merge.conflicts
    )


def refuse_unmerged(merge: UnfinishedMerge, locks: tuple[Lock, Lock]) -> None:
    """Refuse to choose entries while their inputs are in conflict.

    Raises:
        UserError: code, params, dvc.yaml or data in git are in conflict.
    """
    own = (LOCK.as_posix(), *output_paths(locks))
    read = {path for lock in locks for entry in lock.values() for path in hashes(entry, "deps")}
    sources = (*SOURCES, *sorted(read))
    marked = merge_conflict.files_with_marks(sources)
    unmerged = [path for path in merge.conflicts if part_of(path, sources)]
    if unsettled := sorted({path for path in (*marked, *unmerged) if not part_of(path, own)}):
        raise UserError(
            f"still in conflict: {', '.join(unsettled)}; the entries of dvc.lock depend on "
            "them; settle them, git add them, and run python -m fonoteka merge-lock again"
        )


def part_of(path: str, folders: Iterable[str]) -> bool:
    """Return whether a path is one of some files or in one of some folders."""
    return any(f"{path}/".startswith(f"{folder}/") for folder in folders)


def choices_of(locks: tuple[Lock, Lock]) -> dict[str, EntryChoice]:
    """Return an entry for each stage of the merged pipeline that either side has built.

    Each side's lock file is written to its place, and dvc compares it with the merged files.
    """
    sides = []
    for lock in locks:
        lockfile.write(LOCK, lock)
        with locked_stages(Path.cwd()) as (_, stages, sources):
            changed = differences(stages, sources)
        same = frozenset(name for name, changes in changed.items() if not changes)
        sides.append(MergeSide(lock, same))
    names = [name for name in dict.fromkeys([*locks[0], *locks[1]]) if name in changed]
    return choose_entries((sides[0], sides[1]), names)


def restore_results(merge: UnfinishedMerge, choices: Mapping[str, EntryChoice]) -> list[str]:
    """Restore the outputs of the chosen entries and return those that the cache lacks.

    Reports are taken from the chosen side in git. If both sides changed other lines of a report,
    git has merged them into a text that no stage has written.
    """
    root = Path.cwd()
    with locked_stages(root) as (repo, stages, sources):
        for stage in stages:
            choice = choices.get(stage.addressing)
            side = OURS if choice is None or 0 in choice.sides else THEIRS
            for out in (out for out in stage.outs if not out.use_cache):
                merge.take(below(out.fs_path, root), side)
        fresh = [s for s in stages if s.addressing in choices and choices[s.addressing].fresh]
        cached = [out for stage in fresh for out in stage.outs if out.use_cache]
        lacking = [below(out.fs_path, root) for out in cached if out.changed_cache()]
        if fresh:
            names = [stage.addressing for stage in fresh]
            repo.checkout(targets=names, force=True, allow_missing=True)
        if sources:  # recordings: those missing in the cache are not overwritten
            repo.checkout(targets=[stage.relpath for stage in sources], allow_missing=True)
    return lacking


def add_to_index(merge: UnfinishedMerge, locks: tuple[Lock, Lock]) -> list[str]:
    """Add the lock file and the reports to git's index; return what is still in conflict."""
    with locked_stages(Path.cwd()) as (_, stages, _):
        outs = [below(o.fs_path, Path.cwd()) for s in stages for o in s.outs if not o.use_cache]
    git("add", "--", LOCK.as_posix(), *(path for path in outs if Path(path).exists()))
    rest = []
    for path, sides in merge.conflicts.items():
        if path == REPORT.as_posix():  # neither version describes the merged lock file
            merge.take(path, OURS if OURS in sides else THEIRS)
            git("add", "--", path)
        elif part_of(path, output_paths(locks)) and not part_of(path, outs):
            git("rm", "--quiet", "--force", "--", path)  # of a stage that was removed
        elif not part_of(path, (LOCK.as_posix(), *outs)):
            rest.append(path)
    return rest + merge_conflict.conflicts_outside()


def summary(
    choices: Mapping[str, EntryChoice], outcomes: Mapping[str, StageOutcome], rest: Sequence[str]
) -> list[str]:
    """Return the lines for the user: the sources of the entries, what ran, and what is left."""
    ran = [name for name, outcome in outcomes.items() if outcome is StageOutcome.RAN]
    restored = [name for name, outcome in outcomes.items() if outcome is StageOutcome.CACHED]
    others = [name for name in outcomes if name in choices and name not in ran + restored]
    sources = [choices[name].sides for name in others]
    both, first = sum(len(sides) == 2 for sides in sources), sum(sides == {0} for sides in sources)
    lines = [
        f"dvc.lock: {len(outcomes)} stages; {both} the same on both sides, {first} as ours, "
        f"{len(sources) - both - first} as theirs",
        f"restored from the run-cache: {', '.join(restored) or 'nothing'}",
        f"ran: {', '.join(ran) or 'nothing'}",
    ]
    if rest:
        return [*lines, f"still in conflict, and not an output: {', '.join(rest)}"]
    return [*lines, "all is added: check git diff --cached and commit the merge"]
