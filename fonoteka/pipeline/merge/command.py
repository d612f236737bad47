"""After a merge that conflicts in `dvc.lock`: make it anew, running only what really changed.

    python -m fonoteka merge-lock          once dvc.yaml, params.yaml and code are merged
    python -m fonoteka merge-lock --run    compute what the cache lacks, too

Reads   both sides of the merge, from git; results of both, from the cache and dvc's run-cache
Writes  dvc.lock, outputs, and both to git's index: the merge is then ready to be committed

Each stage gets the entry of the side that was built with the merged code and params; what neither
side has, `make repro` takes from the run-cache or runs. Reports are outputs of stages, so a
conflict in one is settled by its stage. Exits 0 where all is settled, 1 where a stage failed, 2
where it can't be done yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.run_stage import DONE, FAILED
from fonoteka.git import entered, git
from fonoteka.pipeline import lockfile, merge_conflict
from fonoteka.pipeline.lock_check import below, disagreeing, opened
from fonoteka.pipeline.merge.merge_entries import Choice, Side, choose, outputs_of
from fonoteka.pipeline.merge_conflict import OURS, THEIRS, Merge
from fonoteka.pipeline.outputs import Lock, hashes
from fonoteka.pipeline.runner import run as runner
from fonoteka.pipeline.scheduler import Outcome
from fonoteka.pipeline.verify.record import REPORT

LOCK = Path("dvc.lock")
SOURCES = ("dvc.yaml", "params.yaml", "fonoteka", "stages", "data", "requirements.lock")


def run(*, run_lacking: bool, jobs: int) -> int:
    """Settle the lock file of a merge and return the exit code.

    Args:
        run_lacking: whether to run stages whose outputs the cache lacks.
        jobs: how many stages may run at a time.

    Raises:
        ValueError: there is nothing to settle, or something else has to be settled first.
    """
    with runner.stoppable(), entered():
        return settle(run_lacking=run_lacking, jobs=jobs)


def settle(*, run_lacking: bool, jobs: int) -> int:
    """Settle the lock file and return the exit code.

    Raises:
        ValueError: there is nothing to settle, or something else has to be settled first.
    """
    merge = merge_conflict.under_way()
    ours, theirs = merge.texts(LOCK.as_posix())
    locks = (lockfile.parse(ours or "", "ours"), lockfile.parse(theirs or "", "theirs"))
    if not concerned(merge, locks):
        print("no conflict in dvc.lock or a report: nothing to settle; make repro does the rest")
        return DONE
    refuse_unmerged(merge, locks)
    choices = chosen(locks)
    lockfile.write(LOCK, {name: choice.entry for name, choice in choices.items()})
    lacking = brought(merge, choices)
    if lacking and not run_lacking:
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        raise UserError(
            f"dvc.lock is whole again, but the cache lacks {', '.join(lacking[:3])}{more}, which "
            "no stage has to make anew; fetch with dvc pull --run-cache and run python -m fonoteka "
            "merge-lock again, or compute it here with python -m fonoteka merge-lock --run"
        )
    done = runner.bring((), jobs)
    if done.failed:
        return FAILED
    rest = added(merge, locks)
    ended = {step.name: done.schedule.outcomes[step.name] for step in done.schedule.steps}
    print(*sentences(choices, ended, rest), sep="\n")
    return DONE


def concerned(merge: Merge, locks: tuple[Lock, Lock]) -> bool:
    """Return whether the lock file or an output of a stage is in conflict.

    Raises:
        ValueError: nothing is merged.
    """
    told = LOCK.read_text(encoding="utf-8") if LOCK.is_file() else ""
    if not (merge.conflicts or merge.theirs or merge_conflict.marked(told)):
        raise UserError(
            "no merge is under way and dvc.lock holds no conflict, so there is nothing to settle; "
            "make repro brings results up to date"
        )
    settled = (LOCK.as_posix(), *outputs_of(locks))
    return merge_conflict.marked(told) or any(part_of(path, settled) for path in merge.conflicts)


def refuse_unmerged(merge: Merge, locks: tuple[Lock, Lock]) -> None:
    """Refuse to guess what has to run while that is not decided.

    Raises:
        ValueError: code, params, dvc.yaml or data of one's own are in conflict.
    """
    own = (LOCK.as_posix(), *outputs_of(locks))
    read = {path for lock in locks for entry in lock.values() for path in hashes(entry, "deps")}
    sources = (*SOURCES, *sorted(read))
    marked = merge_conflict.with_marks(sources)
    open_ = [path for path in merge.conflicts if part_of(path, sources)]
    if waiting := sorted({path for path in (*marked, *open_) if not part_of(path, own)}):
        raise UserError(
            f"still in conflict: {', '.join(waiting)}; what has to run depends on that, so settle "
            "it, git add it, and run python -m fonoteka merge-lock again"
        )


def part_of(path: str, folders: Iterable[str]) -> bool:
    """Return whether a path is one of some files or in one of some folders."""
    return any(f"{path}/".startswith(f"{folder}/") for folder in folders)


def chosen(locks: tuple[Lock, Lock]) -> dict[str, Choice]:
    """Return an entry for each stage of the merged pipeline that either side has built.

    dvc is asked about each side's lock file in its place.
    """
    sides = []
    for lock in locks:
        lockfile.write(LOCK, lock)
        with opened(Path.cwd()) as (_, stages, sources):
            told = disagreeing(stages, sources)
        sides.append(Side(lock, frozenset(name for name, what in told.items() if not what)))
    names = [name for name in dict.fromkeys([*locks[0], *locks[1]]) if name in told]
    return choose((sides[0], sides[1]), names)


def brought(merge: Merge, choices: Mapping[str, Choice]) -> list[str]:
    """Bring what stands into the working tree and return what the cache lacks of it.

    Reports come from git, as the chosen side has them: where both changed one without touching the
    same lines, git has made a mixture of the two that nobody has computed.
    """
    root = Path.cwd()
    with opened(root) as (repo, stages, sources):
        for stage in stages:
            choice = choices.get(stage.addressing)
            side = OURS if choice is None or 0 in choice.sides else THEIRS
            for out in (out for out in stage.outs if not out.use_cache):
                merge.take(below(out.fs_path, root), side)
        standing = [s for s in stages if s.addressing in choices and choices[s.addressing].stands]
        cached = [out for stage in standing for out in stage.outs if out.use_cache]
        lacking = [below(out.fs_path, root) for out in cached if out.changed_cache()]
        if standing:
            names = [stage.addressing for stage in standing]
            repo.checkout(targets=names, force=True, allow_missing=True)
        if sources:  # recordings: what isn't in the cache is not overwritten
            repo.checkout(targets=[stage.relpath for stage in sources], allow_missing=True)
    return lacking


def added(merge: Merge, locks: tuple[Lock, Lock]) -> list[str]:
    """Tell git that lock file and reports are settled; return what is still in conflict."""
    with opened(Path.cwd()) as (_, stages, _):
        outs = [below(o.fs_path, Path.cwd()) for s in stages for o in s.outs if not o.use_cache]
    git("add", "--", LOCK.as_posix(), *(path for path in outs if Path(path).exists()))
    rest = []
    for path, sides in merge.conflicts.items():
        if path == REPORT.as_posix():  # proves nothing of a merged lock file, whichever it is
            merge.take(path, OURS if OURS in sides else THEIRS)
            git("add", "--", path)
        elif part_of(path, outputs_of(locks)) and not part_of(path, outs):
            git("rm", "--quiet", "--force", "--", path)  # of a stage that is no more
        elif not part_of(path, (LOCK.as_posix(), *outs)):
            rest.append(path)
    return rest + merge_conflict.elsewhere()


def sentences(
    choices: Mapping[str, Choice], outcomes: Mapping[str, Outcome], rest: Sequence[str]
) -> list[str]:
    """Return what a person is told: what came from where, what ran, and what is left to do."""
    ran = [name for name, how in outcomes.items() if how is Outcome.RAN]
    back = [name for name, how in outcomes.items() if how is Outcome.CACHED]
    kept = [choices[name].sides for name in outcomes if name in choices and name not in ran + back]
    both, first = sum(len(sides) == 2 for sides in kept), sum(sides == {0} for sides in kept)
    said = [
        f"dvc.lock: {len(outcomes)} stages; {both} the same on both sides, {first} as ours, "
        f"{len(kept) - both - first} as theirs",
        f"restored from the run-cache: {', '.join(back) or 'nothing'}",
        f"ran: {', '.join(ran) or 'nothing'}",
    ]
    if rest:
        return [*said, f"still in conflict, and no result: {', '.join(rest)}"]
    return [*said, "all is added: look at git diff --cached and commit the merge"]
