"""Ask dvc whether the entries of `dvc.lock` were written with the files at hand.

Data that stages make or that dvc tracks isn't asked for: it may not be there, or be made anew
before it counts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

from fonoteka.pipeline.dvc_api import one_sentence


@contextmanager
def opened(root: Path) -> Iterator[tuple[Any, list[Any], list[Any]]]:
    """Give a dvc repository under its lock, the stages of its pipelines, and its data sources."""
    from dvc.repo import Repo, lock_repo
    from dvc.stage import PipelineStage

    logging.getLogger("dvc").setLevel(logging.ERROR)
    with (
        chdir(root),
        one_sentence(),
        Repo(str(root), _wait_for_lock=True) as repo,
        lock_repo(repo),
    ):
        stages = [stage for stage in repo.index.stages if isinstance(stage, PipelineStage)]
        sources = [stage for stage in repo.index.stages if not isinstance(stage, PipelineStage)]
        yield repo, stages, sources


def disagreeing(stages: list[Any], sources: list[Any]) -> dict[str, list[str]]:
    """Return for each stage what its entry was not written with, a few words each."""
    made = {out.fs_path for stage in (*stages, *sources) for out in stage.outs}
    return {stage.addressing: _changed(stage, made) for stage in stages}


def _changed(stage: Any, made: set[str]) -> list[str]:
    if stage.outs and not any(out.hash_info for out in stage.outs):
        return [f"stage {stage.addressing} has no entry"]
    found = [f"the command of {stage.addressing}"] if stage.cmd_changed else []
    for dep in stage.deps:
        if is_params(dep):
            for name, keys in dep.status().items():
                told = keys if isinstance(keys, dict) else [str(keys)]
                found += [f"section {key} of {name}" for key in told]
        elif dep.fs_path not in made and not any(_holds(dep.fs_path, out) for out in made):
            found += list(dep.status())
    return found


def is_params(dep: Any) -> bool:
    """Return whether a dependency is on params and not on a file."""
    from dvc.dependency import ParamsDependency

    return isinstance(dep, ParamsDependency)


def below(path: str, root: Path) -> str:
    """Return an absolute path as seen from the top of the repository."""
    return Path(path).relative_to(root).as_posix()


def _holds(folder: str, path: str) -> bool:
    return Path(folder) in Path(path).parents
