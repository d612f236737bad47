"""Compare the `dvc.lock` of a commit with its code, its parameters and its data.

The comparison is that of `fonoteka status`, in a clone of the commit. Outputs that only dvc.lock
has are accepted there, as with `--allow-missing`. A folder that several outputs are in, such as
data/raw, is compared by its files, which are linked from the cache.
"""

from __future__ import annotations

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
    stages = inspect().stages
    stale = [Objection(text) for stage in stages if (text := _stale(stage))]
    objections = stale[:_MOST_STAGES]
    if more := len(stale) - len(objections):
        objections.append(Objection(f"dvc.lock: and {more} more stages; run fonoteka status"))
    if unread := [stage for stage in stages if stage.not_pulled]:
        inputs = sorted({path for stage in unread for path in stage.not_pulled})
        text = (
            f"dvc.lock: {len(unread)} stages, the first {unread[0].name}, cannot be compared, "
            f"because the cache does not have {', '.join(inputs)}; run fonoteka pull"
        )
        objections.append(Objection(text, UNDECIDED))
    return objections


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
        files = [
            file
            for file in cached_files(repo)
            if file.workspace_path and any(str(p) in folders for p in file.workspace_path.parents)
        ]
        # A part of an output would count as changed; without any file it counts as not pulled.
        lacking = {file.folder for file in files if not file.cache_path.exists()} - {None}
        link(file for file in files if file.folder not in lacking)


def _stale(stage: StageInspection) -> str:
    """Return why the entry of a stage is not in step, in one sentence; empty if it is."""
    reasons = [] if stage.in_lock else ["it has no entry"]
    reasons += stage.changed
    reasons += [
        f"{output.path} is not in git"
        for output in stage.missing
        if output.in_git and not output.in_workspace
    ]
    if not reasons:
        return ""
    listed = "; ".join(reasons[:MOST_REASONS])
    more = f"; and {len(reasons) - MOST_REASONS} more" * (len(reasons) > MOST_REASONS)
    return f"dvc.lock: stage {stage.name} is stale: {listed}{more}; run make repro and commit"
