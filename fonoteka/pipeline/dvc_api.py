"""Read stages, their order and which are stale through dvc's API, in this process.

This is the one module that imports dvc, apart from `runner/dvc_child.py`, which runs as dvc itself,
because its API is private and a new version of dvc may change it. The imports are inside functions
because dvc takes 0.5 s to load, and commands that find nothing to do need none of it.
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
from fonoteka.pipeline.durations import read_durations
from fonoteka.pipeline.scheduler import ScheduledStage


@dataclass(frozen=True)
class Pipeline:
    """The stages to bring up to date, in the order of plain `dvc repro`."""

    root: Path
    stages: tuple[ScheduledStage, ...]
    locks: dict[Path, tuple[str, ...]]  # names of the stages of each lock file, in that same order
    uncached: dict[str, tuple[Path, ...]]  # outputs of each stage that are in git, not in the cache
    watched: tuple[Path, ...] | None  # all that decides what is stale; None if some is not local


class ConfigRefusedError(UserError):
    """dvc refuses a configuration."""


class IncompleteCheckoutError(Exception):
    """Outputs could not be checked out because files are missing."""


def top() -> Path:
    """Return the top of the repository around the current folder.

    Raises:
        UserError: there is none.
    """
    from dvc.repo import Repo

    with dvc_errors_as_user_error():
        return Path(Repo.find_root())


@contextmanager
def open_repo(root: Path | None = None) -> Iterator[Any]:
    """Open the dvc repository at `root`, or around the current folder.

    Raises:
        UserError: there is none, or dvc raises one of its own errors inside the block.
    """
    from dvc.repo import Repo

    with dvc_errors_as_user_error(), Repo(root and str(root), _wait_for_lock=True) as repo:
        yield repo


@contextmanager
def locked_repo(root: Path) -> Iterator[Any]:
    """Open the dvc repository at `root`, and hold dvc's lock inside the block.

    Raises:
        UserError: as `open_repo`.
    """
    from dvc.repo import lock_repo

    with open_repo(root) as repo, lock_repo(repo):
        yield repo


def read_config(root: Path, level: str | None = None) -> dict[str, Any]:
    """Return dvc's configuration, or that of one file: `repo` is the one in git, or `local`.

    Raises:
        UserError: dvc refuses the configuration.
    """
    from dvc.config import Config

    with dvc_errors_as_user_error():
        config = Config(str(root / ".dvc"))
        return dict(config.load_one(level) if level else config)


@contextmanager
def edit_config(root: Path, level: str) -> Iterator[dict[str, Any]]:
    """Change one file of dvc's configuration, `repo` or `local`.

    Raises:
        ConfigRefusedError: dvc refuses the new configuration.
    """
    from dvc.config import Config, ConfigError

    try:
        with Config(str(root / ".dvc")).edit(level) as config:
            yield config
    except ConfigError as error:
        raise ConfigRefusedError(" ".join(str(error).split())) from error


def pull_outputs(repo: Any, paths: Sequence[str], remote: str) -> int:
    """Fetch outputs from a remote, check them out, and return the number of fetched files.

    Raises:
        IncompleteCheckoutError: the remote lacks some of the files.
    """
    from dvc.exceptions import CheckoutError

    try:
        return int(repo.pull(targets=list(paths), remote=remote)["stats"]["fetched"])
    except CheckoutError as error:
        raise IncompleteCheckoutError(" ".join(str(error).split())) from error


def pull_runs(repo: Any, remote: str) -> int | None:
    """Fetch the run-cache and return its number of runs; None if the remote cannot list files."""
    from dvc.stage.cache import RunCacheNotSupported

    try:
        return len(repo.stage_cache.pull(remote))
    except RunCacheNotSupported:
        return None


def clear_remote_index(odb: Any) -> None:
    """Let dvc ask a remote again which files it has, which dvc stores per folder."""
    from dvc_data.hashfile.db import get_index

    get_index(odb).clear()


def quiet() -> None:
    """Let dvc log errors only: frozen stages are counted, not warned about."""
    logging.getLogger("dvc").setLevel(logging.ERROR)


def is_pipeline_stage(stage: Any) -> bool:
    """Return whether a stage is one of `dvc.yaml` and not data that `dvc add` tracks."""
    from dvc.stage import PipelineStage

    return isinstance(stage, PipelineStage)


def is_params(dep: Any) -> bool:
    """Return whether a dependency is on params and not on a file."""
    from dvc.dependency import ParamsDependency

    return isinstance(dep, ParamsDependency)


def parse_yaml(text: str, name: str, *, for_update: bool = False) -> Any:
    """Return the contents of a YAML file of dvc, with its comments if it is read for an update.

    Raises:
        UserError: the text is not valid YAML; `name` is the file in the message.
    """
    from dvc.utils import serialize

    with dvc_errors_as_user_error():
        return (serialize.parse_yaml_for_update if for_update else serialize.parse_yaml)(text, name)


def dump_yaml(document: Any) -> str:
    """Return a document as YAML, laid out as dvc does."""
    from dvc.utils.serialize import dumps_yaml

    return str(dumps_yaml(document))


def is_valid_lock(document: Mapping[str, Any]) -> bool:
    """Return whether dvc accepts a document as a lock file."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from voluptuous import MultipleInvalid

    try:
        COMPILED_LOCKFILE_SCHEMA(document)
    except MultipleInvalid:
        return False
    return True


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
        graph = _active(repo.index.graph)
        plan = _plan(graph, _wanted(list(graph), targets, root))
        stages = _scheduled(graph, plan, read_durations(root))
        return Pipeline(root, stages, _locks(plan), _uncached(plan), _watched(plan))


@contextmanager
def dvc_errors_as_user_error() -> Iterator[None]:
    """Raise dvc's own errors, which are mistakes of the user, as a UserError of one sentence."""
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
