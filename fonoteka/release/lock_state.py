"""Compare the `dvc.lock` of a commit with its code, its parameters and its data.

The comparison is that of `fonoteka status`, in a clone of the commit. Outputs that only dvc.lock
has are accepted there, as with `--allow-missing`. A folder that several outputs are in, such as
data/raw, is compared by its files, which are linked from the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fonoteka.pipeline.diff.compare_metric import UNDECIDED
from fonoteka.pipeline.dvc_api import is_params, locked_repo, quiet
from fonoteka.pipeline.fsck import cached_files
from fonoteka.pipeline.status.inspect import StageInspection, inspect
from fonoteka.release.commit_clone import link
from fonoteka.release.objection import Objection

MOST_REASONS = 3
_MOST_STAGES = 5


def lock_objections() -> list[Objection]:
    """Return what is out of step in the clone that is the current folder; empty if nothing is.

    Raises:
        UserError: dvc cannot read the pipeline.
    """
    _link_folders_of_outputs()
    objections = [objection for stage in inspect().stages for objection in _of_stage(stage)]
    shown = objections[:_MOST_STAGES]
    if more := len(objections) - len(shown):
        shown.append(Objection(f"dvc.lock: and {more} more stages; run fonoteka status"))
    return shown


def _link_folders_of_outputs() -> None:
    """Link the files of dependencies that are folders with several outputs in them."""
    quiet()
    with locked_repo(Path.cwd()) as repo:
        outputs = {out.fs_path for out in repo.index.outs}
        folders = {
            dep.fs_path
            for stage in repo.index.stages
            for dep in stage.deps
            if not is_params(dep) and dep.fs_path not in outputs
        }
        link(
            file
            for file in cached_files(repo)
            if file.workspace_path and any(str(p) in folders for p in file.workspace_path.parents)
        )


def _of_stage(stage: StageInspection) -> Iterator[Objection]:
    """Yield at most one objection against the entry of a stage."""
    reasons = [] if stage.in_lock else ["it has no entry"]
    reasons += stage.changed
    reasons += [
        f"{output.path} is not in git"
        for output in stage.missing
        if output.in_git and not output.in_workspace
    ]
    if reasons:
        listed = "; ".join(reasons[:MOST_REASONS])
        more = f"; and {len(reasons) - MOST_REASONS} more" * (len(reasons) > MOST_REASONS)
        yield Objection(
            f"dvc.lock: stage {stage.name} is stale: {listed}{more}; run make repro and commit"
        )
    elif stage.not_pulled:
        yield Objection(
            f"dvc.lock: stage {stage.name} cannot be compared, because the cache does not have "
            f"{stage.not_pulled[0]}; run fonoteka pull",
            UNDECIDED,
        )
