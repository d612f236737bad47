"""What each stage promises of its bytes, and whether `dvc.lock` is that of the code at hand.

The promise stands in `dvc.yaml`, as `meta: {exact: everywhere}` or `meta: {exact: here}`: the same
inputs give the same bytes on every processor, or on every processor of one kind. What reads from a
stage of the second sort is of the second sort; a test holds `dvc.yaml` to that.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.tools.pipeline import one_sentence

EVERYWHERE, HERE = "everywhere", "here"


@dataclass(frozen=True)
class Promised:
    """A stage as it is declared.

    Attributes:
        exact: where its bytes are the same, `everywhere` or `here`.
        outputs: paths from the top of the repository, as `dvc.lock` has them.
        inputs: the same; params are not among them.
    """

    exact: str
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Declared:
    """The stages of a pipeline in the order of `dvc.yaml`, and what lies beside it.

    Attributes:
        stages: by name.
        cached: outputs that dvc's cache holds; others are in git.
        tracked: data that `dvc add` took in, from the top.
        changed: what `dvc.lock` was not written with: a file, a section of params, a command.
        strays: outputs in git that are not the ones of `dvc.lock`.
        cache: folder of the cache.
    """

    stages: dict[str, Promised]
    cached: tuple[str, ...]
    tracked: tuple[str, ...]
    changed: tuple[str, ...]
    strays: tuple[str, ...]
    cache: Path

    def read_by(self, names: Iterable[str]) -> list[str]:
        """Return the data in the cache that some stages read, and do not write themselves."""
        own = {path for name in names for path in self.stages[name].outputs}
        needed = {path for name in names for path in self.stages[name].inputs}
        data = (path for path in (*self.cached, *self.tracked) if path not in own)
        return sorted(path for path in data if any(_touch(path, other) for other in needed))


def read(root: Path) -> Declared:
    """Return what is declared at the top of a repository.

    Raises:
        ValueError: `dvc.yaml` or `dvc.lock` is missing or broken, or a stage promises nothing.
    """
    from dvc.repo import Repo, lock_repo
    from dvc.stage import PipelineStage

    for name in ("dvc.yaml", "dvc.lock"):
        if not (root / name).is_file():
            raise ValueError(f"{name}: no such file, so there is nothing to compare with")
    logging.getLogger("dvc").setLevel(logging.ERROR)
    with (
        chdir(root),
        one_sentence(),
        Repo(str(root), _wait_for_lock=True) as repo,
        lock_repo(repo),
    ):
        stages = [stage for stage in repo.index.stages if isinstance(stage, PipelineStage)]
        made = {out.fs_path for stage in stages for out in stage.outs}
        return Declared(
            stages={stage.addressing: _promised(stage, root) for stage in stages},
            cached=tuple(
                _below(out.fs_path, root) for stage in stages for out in stage.outs if out.use_cache
            ),
            tracked=tuple(
                sorted(
                    _below(out.fs_path, root)
                    for stage in repo.index.stages
                    if not isinstance(stage, PipelineStage)
                    for out in stage.outs
                )
            ),
            changed=tuple(sorted({what for stage in stages for what in _changed(stage, made)})),
            strays=tuple(
                _below(out.fs_path, root)
                for stage in stages
                for out in stage.outs
                if not out.use_cache and out.hash_info and out.workspace_status()
            ),
            cache=Path(repo.cache.local.path).parents[1],
        )


def _promised(stage: Any, root: Path) -> Promised:
    """Return a stage's promise.

    Raises:
        ValueError: it has none, or one that is not known.
    """
    exact = (stage.meta or {}).get("exact")
    if exact not in (EVERYWHERE, HERE):
        raise ValueError(
            f"dvc.yaml: stage {stage.addressing!r} says meta.exact: {exact!r}; expected "
            f"{EVERYWHERE!r} or {HERE!r}"
        )
    inputs = (dep for dep in stage.deps if not _is_params(dep))
    return Promised(
        exact,
        tuple(_below(out.fs_path, root) for out in stage.outs),
        tuple(_below(dep.fs_path, root) for dep in inputs),
    )


def _changed(stage: Any, made: set[str]) -> list[str]:
    """Return what a stage's entry in `dvc.lock` was not written with.

    Data that other stages make isn't looked at: it is made anew before it is compared.
    """
    if not any(out.hash_info for out in stage.outs) and stage.outs:
        return [f"stage {stage.addressing} has no entry"]
    found = [f"the command of {stage.addressing}"] if stage.cmd_changed else []
    for dep in stage.deps:
        if _is_params(dep):
            found += [f"section {key} of {name}" for name, keys in dep.status().items()
                      for key in (keys if isinstance(keys, dict) else [str(keys)])]  # fmt: skip
        elif dep.fs_path not in made and not any(_holds(dep.fs_path, out) for out in made):
            found += list(dep.status())
    return found


def _is_params(dep: Any) -> bool:
    from dvc.dependency import ParamsDependency

    return isinstance(dep, ParamsDependency)


def _holds(folder: str, path: str) -> bool:
    return Path(folder) in Path(path).parents


def _touch(one: str, other: str) -> bool:
    """Return whether two paths are the same, or one is in the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _below(path: str, root: Path) -> str:
    return Path(path).relative_to(root).as_posix()
