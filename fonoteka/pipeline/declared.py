"""What each stage promises of its bytes, and whether `dvc.lock` is that of the code at hand.

The promise stands in `dvc.yaml`, as `meta: {exact: everywhere}` or `meta: {exact: here}`: the same
inputs give the same bytes on every processor, or on every processor of one kind. What reads from a
stage of the second sort is of the second sort; a test holds `dvc.yaml` to that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.pipeline.lock_check import below, disagreeing, is_params, opened

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
    for name in ("dvc.yaml", "dvc.lock"):
        if not (root / name).is_file():
            raise UserError(f"{name}: no such file, so there is nothing to compare with")
    with opened(root) as (repo, stages, sources):
        outs = [out for stage in stages for out in stage.outs]
        changed = disagreeing(stages, sources).values()
        return Declared(
            stages={stage.addressing: _promised(stage, root) for stage in stages},
            cached=tuple(below(out.fs_path, root) for out in outs if out.use_cache),
            tracked=tuple(
                sorted(below(out.fs_path, root) for stage in sources for out in stage.outs)
            ),
            changed=tuple(sorted({what for whats in changed for what in whats})),
            strays=tuple(
                below(out.fs_path, root)
                for out in outs
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
        raise UserError(
            f"dvc.yaml: stage {stage.addressing!r} says meta.exact: {exact!r}; expected "
            f"{EVERYWHERE!r} or {HERE!r}"
        )
    inputs = (dep for dep in stage.deps if not is_params(dep))
    return Promised(
        exact,
        tuple(below(out.fs_path, root) for out in stage.outs),
        tuple(below(dep.fs_path, root) for dep in inputs),
    )


def _touch(one: str, other: str) -> bool:
    """Return whether two paths are the same, or one is in the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")
