"""Compare the entries of `dvc.lock` with the current code, params and dvc.yaml, through dvc.

Outputs of stages and data that dvc tracks are not compared: they may be missing, or be rewritten
before a stage reads them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

from fonoteka.pipeline.dvc_api import is_params, is_pipeline_stage, locked_repo, quiet


@contextmanager
def locked_stages(root: Path) -> Iterator[tuple[Any, list[Any], list[Any]]]:
    """Yield a dvc repository under its lock, the stages of its pipelines, and its data sources."""
    quiet()
    with chdir(root), locked_repo(root) as repo:
        stages = [stage for stage in repo.index.stages if is_pipeline_stage(stage)]
        sources = [stage for stage in repo.index.stages if not is_pipeline_stage(stage)]
        yield repo, stages, sources


def differences(stages: list[Any], sources: list[Any]) -> dict[str, list[str]]:
    """Return for each stage what differs from its entry in `dvc.lock`, in a few words each."""
    outputs = {out.fs_path for stage in (*stages, *sources) for out in stage.outs}
    return {stage.addressing: _changed(stage, outputs) for stage in stages}


def _changed(stage: Any, outputs: set[str]) -> list[str]:
    if stage.outs and not any(out.hash_info for out in stage.outs):
        return [f"stage {stage.addressing} has no entry"]
    changes = [f"the command of {stage.addressing}"] if stage.cmd_changed else []
    for dep in stage.deps:
        if is_params(dep):
            for name, keys in dep.status().items():
                sections = keys if isinstance(keys, dict) else [str(keys)]
                changes += [f"section {section} of {name}" for section in sections]
        elif dep.fs_path not in outputs and not any(_holds(dep.fs_path, out) for out in outputs):
            changes += list(dep.status())
    return changes


def below(path: str, root: Path) -> str:
    """Return an absolute path relative to the top of the repository."""
    return Path(path).relative_to(root).as_posix()


def _holds(folder: str, path: str) -> bool:
    return Path(folder) in Path(path).parents
