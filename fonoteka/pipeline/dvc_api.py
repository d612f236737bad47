"""Ask dvc, in this process, for the stages of the pipeline, their order and which are stale.

Everything that knows dvc's inside is in this module and in `lockfile`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.pipeline.durations import remembered
from fonoteka.pipeline.scheduler import Step


@dataclass(frozen=True)
class Pipeline:
    """The stages to bring up to date, in the order in which plain `dvc repro` would take them."""

    root: Path
    steps: tuple[Step, ...]
    locks: dict[Path, tuple[str, ...]]  # names of the stages of each lock file, in that same order
    uncached: dict[str, tuple[Path, ...]]  # outputs of each stage that are in git, not in the cache
    watched: tuple[Path, ...] | None  # all that decides what is stale; None where some is elsewhere


def top() -> Path:
    """Return the top of the repository around the current folder.

    Raises:
        ValueError: there is none.
    """
    from dvc.repo import Repo

    with one_sentence():
        return Path(Repo.find_root())


def read(targets: Sequence[str] = ()) -> Pipeline:
    """Return the pipeline around the current folder: `targets` and all upstream, or everything.

    Raises:
        ValueError: this is no dvc repository, `dvc.yaml` is missing or broken, or a target is not
            the name of a stage.
    """
    from dvc.repo import Repo, lock_repo

    logging.getLogger("dvc").setLevel(logging.ERROR)  # frozen stages are counted, not warned about
    with one_sentence():
        root = Path(Repo.find_root())
        # dvc names a stage by its file as seen from the current folder: from the top it is short.
        with chdir(root), Repo(str(root), _wait_for_lock=True) as repo, lock_repo(repo):
            graph = _active(repo.index.graph)
            plan = _plan(graph, _wanted(list(graph), targets, root))
            steps = _steps(graph, plan, remembered(root))
            return Pipeline(root, steps, _locks(plan), _uncached(plan), _watched(plan))


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn dvc's own errors, which are the user's faults, into a ValueError of one sentence."""
    from dvc.exceptions import DvcException

    try:
        yield
    except DvcException as error:
        raise UserError(" ".join(str(error).split())) from error


def _active(graph: Any) -> Any:
    from dvc.repo.reproduce import get_active_graph

    return get_active_graph(graph)  # a frozen stage does not pull in what it once read


def _wanted(stages: list[Any], targets: Sequence[str], root: Path) -> list[Any]:
    if targets:
        named = {stage.addressing: stage for stage in stages}
        return [named[name] for target in targets for name in match(target, list(named))]
    if not (root / "dvc.yaml").is_file():
        raise UserError(f"{root}: there is no dvc.yaml here, so there is nothing to reproduce")
    return [stage for stage in stages if stage.relpath == "dvc.yaml"]


def match(target: str, names: Sequence[str]) -> list[str]:
    """Return the stages that a target means: itself, or all of the group `target@...`.

    Raises:
        ValueError: no stage has that name.

    >>> match("train", ["split", "train@mlp", "train@ctc"])
    ['train@mlp', 'train@ctc']
    """
    found = [name for name in names if name == target or name.startswith(f"{target}@")]
    if not found:
        groups = [name.split("@")[0] for name in names if "@" in name]
        close = get_close_matches(target, dict.fromkeys([*names, *groups]), n=5)
        hint = f"did you mean {' or '.join(map(repr, close))}?" if close else "see dvc stage list"
        raise UserError(f"no stage is named {target!r}; {hint}")
    return found


def _plan(graph: Any, wanted: list[Any]) -> list[Any]:
    """Return `wanted` and all upstream of it in dvc's order, which is a depth-first postorder.

    dvc walks a view of the graph that may be ordered by hashes of names, new in each process; the
    same walk over a copy that keeps the order of `dvc.yaml` has one answer.
    """
    import networkx

    keep = set(wanted).union(*(networkx.descendants(graph, stage) for stage in wanted))
    ordered = networkx.DiGraph()
    ordered.add_nodes_from(stage for stage in graph if stage in keep)
    ordered.add_edges_from(edge for edge in graph.edges if edge[0] in keep)
    return list(networkx.dfs_postorder_nodes(ordered))


def _steps(graph: Any, plan: list[Any], took_s: Mapping[str, float]) -> tuple[Step, ...]:
    """Return the steps of a plan.

    How long a stage takes is what it took here last; before that, what its `meta` says.

    Data that `dvc add` tracks has no command. It is a step only where it was changed since, for
    then plain `dvc repro` writes its new hash down as well.
    """
    from dvc.stage import PipelineStage

    steps: dict[str, Step] = {}
    for stage in plan:
        stale = not stage.frozen and bool(stage.status(check_updates=False))
        if stale or isinstance(stage, PipelineStage):
            upstream = (other.addressing for other in graph.successors(stage))
            names = tuple(name for name in upstream if name in steps)
            said_s = (stage.meta or {}).get("seconds", 1.0)
            seconds = took_s.get(stage.addressing, float(said_s))
            name, frozen = stage.addressing, bool(stage.frozen)
            steps[name] = Step(name, names, stale, frozen, seconds)
    return tuple(steps.values())


def _locks(plan: list[Any]) -> dict[Path, tuple[str, ...]]:
    from dvc.stage import PipelineStage

    locks: dict[Path, tuple[str, ...]] = {}
    for stage in plan:
        if isinstance(stage, PipelineStage):
            path = Path(stage.path).with_suffix(".lock")
            locks[path] = (*locks.get(path, ()), stage.name)
    return locks


def _uncached(plan: list[Any]) -> dict[str, tuple[Path, ...]]:
    return {
        stage.addressing: tuple(Path(out.fs_path) for out in stage.outs if not out.use_cache)
        for stage in plan
    }


def _watched(plan: list[Any]) -> tuple[Path, ...] | None:
    """Return the files and folders that a plan's stages read, write and are described in."""
    things = [thing for stage in plan for thing in (*stage.deps, *stage.outs)]
    if any(thing.protocol != "local" for thing in things):
        return None
    described = {Path(stage.path) for stage in plan} | _locks(plan).keys()
    return tuple(sorted(described | {Path(thing.fs_path) for thing in things}))
