"""Read what each stage promises about its bytes, and what differs from `dvc.lock`.

The promise is in `dvc.yaml`, as `meta: {exact: everywhere}` or `meta: {exact: here}`: the same
inputs give the same bytes on every processor, or on every processor of one kind. A stage that reads
from one of the second kind is of the second kind too, which a test checks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.pipeline.dvc_api import is_params
from fonoteka.pipeline.lock_check import below, differences, locked_stages

EVERYWHERE, HERE = "everywhere", "here"


@dataclass(frozen=True)
class StageContract:
    """What a stage declares in `dvc.yaml`.

    Attributes:
        exact: where its bytes are the same, `everywhere` or `here`.
        outputs: paths relative to the top of the repository, as in `dvc.lock`.
        inputs: likewise, without params.
    """

    exact: str
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Declared:
    """The stages of a pipeline in the order of `dvc.yaml`, its data and its cache.

    Attributes:
        stages: by name.
        cached: outputs in dvc's cache; the others are in git.
        tracked: data that `dvc add` tracks, relative to the top.
        changed: files, sections of params and commands that differ from `dvc.lock`.
        strays: outputs in git that differ from `dvc.lock`.
        cache: folder of the cache.
    """

    stages: dict[str, StageContract]
    cached: tuple[str, ...]
    tracked: tuple[str, ...]
    changed: tuple[str, ...]
    strays: tuple[str, ...]
    cache: Path

    def read_by(self, names: Iterable[str]) -> list[str]:
        """Return the cached data that some stages read but do not write."""
        own = {path for name in names for path in self.stages[name].outputs}
        needed = {path for name in names for path in self.stages[name].inputs}
        data = (path for path in (*self.cached, *self.tracked) if path not in own)
        return sorted(path for path in data if any(_touch(path, other) for other in needed))


def read(root: Path) -> Declared:
    """Return the declared pipeline at the top of a repository.

    Raises:
        UserError: `dvc.yaml` or `dvc.lock` is missing or broken, or a stage has no `meta.exact`.
    """
    for name in ("dvc.yaml", "dvc.lock"):
        if not (root / name).is_file():
            raise UserError(f"{name}: no such file, so there is nothing to compare with")
    with locked_stages(root) as (repo, stages, sources):
        outs = [out for stage in stages for out in stage.outs]
        changed = differences(stages, sources).values()
        return Declared(
            stages={stage.addressing: _contract(stage, root) for stage in stages},
            cached=tuple(below(out.fs_path, root) for out in outs if out.use_cache),
            tracked=tuple(
                sorted(below(out.fs_path, root) for stage in sources for out in stage.outs)
            ),
            changed=tuple(sorted({change for changes in changed for change in changes})),
            strays=tuple(
                below(out.fs_path, root)
                for out in outs
                if not out.use_cache and out.hash_info and out.workspace_status()
            ),
            cache=Path(repo.cache.local.path).parents[1],
        )


def _contract(stage: Any, root: Path) -> StageContract:
    """Return the contract of a stage.

    Raises:
        UserError: `meta.exact` is missing or has another value.
    """
    exact = (stage.meta or {}).get("exact")
    if exact not in (EVERYWHERE, HERE):
        raise UserError(
            f"dvc.yaml: stage {stage.addressing!r} has meta.exact: {exact!r}; expected "
            f"{EVERYWHERE!r} or {HERE!r}"
        )
    inputs = (dep for dep in stage.deps if not is_params(dep))
    return StageContract(
        exact,
        tuple(below(out.fs_path, root) for out in stage.outs),
        tuple(below(dep.fs_path, root) for dep in inputs),
    )


def _touch(path: str, other: str) -> bool:
    """Return whether two paths are the same, or one contains the other."""
    return f"{path}/".startswith(f"{other}/") or f"{other}/".startswith(f"{path}/")
