"""The plan of a build: the stages to bring up to date, in dvc's order, and which of them are stale.

dvc's objects are read here and not kept: a `Pipeline` has plain values, so the scheduler needs no
dvc.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.pipeline.durations import read_durations
from fonoteka.pipeline.dvc_api import active_graph, is_pipeline_stage, locked_repo, quiet, top
from fonoteka.pipeline.scheduler import ScheduledStage


@dataclass(frozen=True)
class Pipeline:
    """The stages to bring up to date, in the order of plain `dvc repro`."""

    root: Path
    stages: tuple[ScheduledStage, ...]
    locks: dict[Path, tuple[str, ...]]  # names of the stages of each lock file, in that same order
    uncached: dict[str, tuple[Path, ...]]  # outputs of each stage that are in git, not in the cache
    watched: tuple[Path, ...] | None  # all that decides what is stale; None if some is not local


def read(targets: Sequence[str] = ()) -> Pipeline:
    """Return the pipeline around the current folder: `targets` and all upstream, or everything.

    Raises:
        UserError: the folder is not in a dvc repository, `dvc.yaml` is missing or broken, or a
            target is not the name of a stage.
    """
    quiet()
    root = top()
    # dvc names a stage by its file relative to the current folder: from the top it is short.
    with chdir(root), locked_repo(root) as repo:
        graph = active_graph(repo)
        plan = _plan(graph, _wanted(list(graph), targets, root))
        stages = _scheduled(graph, plan, read_durations(root))
        return Pipeline(root, stages, _locks(plan), _uncached(plan), _watched(plan))


def _wanted(stages: list[Any], targets: Sequence[str], root: Path) -> list[Any]:
    if targets:
        named = {stage.addressing: stage for stage in stages}
        return [named[name] for target in targets for name in match(target, list(named))]
    if not (root / "dvc.yaml").is_file():
        raise UserError(f"{root}: no dvc.yaml in this folder, so there are no stages to run")
    return [stage for stage in stages if stage.relpath == "dvc.yaml"]


def match(target: str, names: Sequence[str]) -> list[str]:
    """Return the stages that a target means: itself, or all of the group `target@...`.

    Raises:
        ValueError: no stage has that name.

    >>> match("train", ["split", "train@mlp", "train@ctc"])
    ['train@mlp', 'train@ctc']
    """
    matches = [name for name in names if name == target or name.startswith(f"{target}@")]
    if not matches:
        groups = [name.split("@")[0] for name in names if "@" in name]
        close = get_close_matches(target, dict.fromkeys([*names, *groups]), n=5)
        hint = f"did you mean {' or '.join(map(repr, close))}?" if close else "see dvc stage list"
        raise UserError(f"no stage is named {target!r}; {hint}")
    return matches


def _plan(graph: Any, wanted: list[Any]) -> list[Any]:
    """Return `wanted` and all upstream of it in dvc's order, which is a depth-first postorder.

    dvc walks a view of the graph whose order may depend on the hash seed of the process. The same
    walk over a copy in the order of `dvc.yaml` always has the same result.
    """
    import networkx

    included = set(wanted).union(*(networkx.descendants(graph, stage) for stage in wanted))
    ordered = networkx.DiGraph()
    ordered.add_nodes_from(stage for stage in graph if stage in included)
    ordered.add_edges_from(edge for edge in graph.edges if edge[0] in included)
    return list(networkx.dfs_postorder_nodes(ordered))


def _scheduled(
    graph: Any, plan: list[Any], took_s: Mapping[str, float]
) -> tuple[ScheduledStage, ...]:
    """Return the stages of a plan as the scheduler needs them.

    The duration of a stage is that of its last run here, or else `seconds` of its `meta`.

    Data that `dvc add` tracks has no command. It is included only if it has changed, because plain
    `dvc repro` then records its new hash too.
    """
    steps: dict[str, ScheduledStage] = {}
    for stage in plan:
        stale = not stage.frozen and bool(stage.status(check_updates=False))
        if stale or is_pipeline_stage(stage):
            upstream = (other.addressing for other in graph.successors(stage))
            names = tuple(name for name in upstream if name in steps)
            declared_s = (stage.meta or {}).get("seconds", 1.0)
            seconds = took_s.get(stage.addressing, float(declared_s))
            name, frozen = stage.addressing, bool(stage.frozen)
            steps[name] = ScheduledStage(name, names, stale, frozen, seconds)
    return tuple(steps.values())


def _locks(plan: list[Any]) -> dict[Path, tuple[str, ...]]:
    locks: dict[Path, tuple[str, ...]] = {}
    for stage in plan:
        if is_pipeline_stage(stage):
            path = Path(stage.path).with_suffix(".lock")
            locks[path] = (*locks.get(path, ()), stage.name)
    return locks


def _uncached(plan: list[Any]) -> dict[str, tuple[Path, ...]]:
    return {
        stage.addressing: tuple(Path(out.fs_path) for out in stage.outs if not out.use_cache)
        for stage in plan
    }


def _watched(plan: list[Any]) -> tuple[Path, ...] | None:
    """Return the dependencies, outputs and defining files of a plan; None if one is not local."""
    items = [item for stage in plan for item in (*stage.deps, *stage.outs)]
    if any(item.protocol != "local" for item in items):
        return None
    described = {Path(stage.path) for stage in plan} | _locks(plan).keys()
    return tuple(sorted(described | {Path(item.fs_path) for item in items}))
