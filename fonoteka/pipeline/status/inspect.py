"""Compare each stage with `dvc.lock` through dvc: file by file and key by key.

`dvc status` reports a stage as changed if its input is not pulled, and reports that a parameter was
modified, without both values. So this module compares the parts one by one, with dvc's hashes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.pipeline import lockfile
from fonoteka.pipeline.dvc_api import is_params, is_pipeline_stage, locked_repo, quiet, top
from fonoteka.reporting.flatten import changes, flatten

CODE = ("fonoteka/", "stages/")
MOST_WORDS = 6


@dataclass(frozen=True)
class MissingOutput:
    """An output in dvc.lock that is missing in the working tree or in the cache.

    Attributes:
        path: its path in the working tree.
        size: in bytes.
        in_workspace: whether it is in the working tree, so that only the cache lacks it.
        cached: whether it is in the cache, so that only the working tree lacks it.
        in_git: whether git stores it instead of the cache.
    """

    path: str
    size: int
    in_workspace: bool
    cached: bool
    in_git: bool


@dataclass(frozen=True)
class StageInspection:
    """How a stage, or data that `dvc add` tracks, differs from dvc.lock.

    Attributes:
        name: dvc's name of the stage.
        upstream: names of the stages that it reads from.
        frozen: whether dvc skips it.
        in_lock: whether dvc.lock has an entry for it, so that it ran once.
        changed: one sentence per difference from its last run.
        missing: outputs that are not in the working tree or not in the cache.
        not_pulled: inputs that cannot be compared before they are pulled.
        reads: paths of its dependencies, without code.
        reads_bytes: their size at its last run.
    """

    name: str
    upstream: tuple[str, ...] = ()
    frozen: bool = False
    in_lock: bool = True
    changed: tuple[str, ...] = ()
    missing: tuple[MissingOutput, ...] = ()
    not_pulled: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    reads_bytes: int = 0


@dataclass(frozen=True)
class PipelineInspection:
    """The stages of the pipeline in the order of dvc.yaml, and the name of the default remote."""

    root: Path
    stages: tuple[StageInspection, ...]
    remote: str


def inspect() -> PipelineInspection:
    """Compare the pipeline around the current folder with dvc.lock.

    Raises:
        ValueError: the folder is not in a dvc repository, or dvc cannot read its files.
    """
    quiet()
    root = top()
    if not (root / "dvc.yaml").is_file():
        raise UserError(f"{root}: there is no dvc.yaml here, so there are no stages to inspect")
    with chdir(root), locked_repo(root) as repo:
        graph, outputs = repo.index.graph, list(repo.index.outs)
        commands = _Commands()
        stages = tuple(
            _inspected(stage, graph, outputs, commands)
            for stage in repo.index.stages
            if stage in graph
        )
        remote = str(repo.config.get("core", {}).get("remote") or "")
        return PipelineInspection(root, stages, remote)


def _inspected(stage: Any, graph: Any, outputs: list[Any], commands: _Commands) -> StageInspection:
    in_lock = any(item.hash_info for item in [*stage.outs, *stage.deps])
    data = [dep for dep in stage.deps if not is_params(dep)]
    changed, not_pulled = [], []
    if in_lock and not stage.frozen:
        if getattr(stage, "cmd_changed", False):  # data that was added has no command
            changed.append(commands.change(stage))
        for dep in stage.deps:
            if is_params(dep):
                changed += _params(dep)
                continue
            message, comparable = _dependency(dep, outputs)
            changed += [message] if message else []
            not_pulled += [] if comparable else [str(dep)]
    if in_lock and (stage.is_callback or stage.always_changed):
        changed.append("runs each time, because dvc.yaml says so")
    changed += [message for out in stage.outs if in_lock and (message := _output(out))]
    return StageInspection(
        stage.addressing,
        tuple(sorted(other.addressing for other in graph.successors(stage))),
        bool(stage.frozen),
        in_lock,
        tuple(changed),
        tuple(_missing(stage.outs)) if in_lock else (),
        tuple(not_pulled),
        tuple(str(dep) for dep in data if not str(dep).startswith(CODE)),
        sum(dep.meta.size or 0 for dep in data if dep.meta and not str(dep).startswith(CODE)),
    )


def _params(dep: Any) -> list[str]:
    """Return a sentence for each parameter that changed, with both values."""
    if not dep.workspace_status():
        return []
    old = dict(flatten(dep.hash_info.value or {}))
    new = dict(flatten(dep.read_params(flatten=False)))
    return [
        f"{dep} {key}: {before or 'not set'} -> {now or 'not set'}"
        for key, before, now in changes(old, new)
    ] or [f"{dep}: changed"]


def _dependency(dep: Any, outputs: list[Any]) -> tuple[str, bool]:
    """Return how a dependency changed, or nothing, and whether it can be compared.

    An upstream output that is not in the working tree is compared by its two hashes in dvc.lock, so
    that a clone without data can be inspected too. A folder that is pulled in part has no hash.
    """
    if not dep.status():
        return "", True
    exact_match = next((out for out in outputs if out.fs_path == dep.fs_path), None)
    if not dep.exists and exact_match is not None:
        same = exact_match.hash_info == dep.hash_info
        return "" if same else f"{dep}: rewritten by {exact_match.stage.addressing}", True
    related = (out for out in outputs if _within(out, dep) or _within(dep, out))
    if any(out.hash_info and not out.exists for out in related):
        return "", False
    if not dep.exists:
        return f"{dep}: is missing", True
    writer = exact_match.stage.addressing if exact_match is not None else ""
    if not dep.hash_info:
        return f"{dep}: is a new dependency{writer and f', written by {writer}'}", True
    return f"{dep}: changed{writer and f' by {writer}'}{_folder(dep)}", True


def _within(inner: Any, outer: Any) -> bool:
    return str(inner.fs_path).startswith(f"{outer.fs_path}/")


def _folder(dep: Any) -> str:
    """Return how many files and bytes a folder had and has; nothing if dvc.lock has no count."""
    old, new = dep.meta, dep.get_meta()
    if not old or not new.isdir or old.nfiles is None:
        return ""
    if (old.nfiles, old.size) == (new.nfiles, new.size):
        return f" (still {new.nfiles} files of {new.size} bytes)"
    return f" ({old.nfiles} files of {old.size} bytes -> {new.nfiles} of {new.size})"


def _output(out: Any) -> str:
    """Return how an output in the working tree changed, or nothing."""
    if not out.exists or not out.workspace_status():
        return ""
    if not out.hash_info:
        return f"{out}: is a new output"
    since = "its stage wrote it" if is_pipeline_stage(out.stage) else "it was added"
    return f"{out}: changed since {since}"


def _missing(outs: list[Any]) -> Iterator[MissingOutput]:
    for out in outs:
        in_workspace = out.exists
        cached = out.use_cache and bool(out.hash_info) and not out.changed_cache()
        if out.hash_info and (not in_workspace or (out.use_cache and not cached)):
            size = (out.meta.size if out.meta else 0) or 0
            yield MissingOutput(str(out), size, in_workspace, cached, not out.use_cache)


class _Commands:
    """The commands in the lock files, each of which is read when first needed."""

    def __init__(self) -> None:
        self._locks: dict[Path, Mapping[str, Any]] = {}

    def change(self, stage: Any) -> str:
        """Return which words of a stage's command were removed and added."""
        old, new = str(self._locked(stage)).split(), str(stage.cmd).split()
        parts = [
            f"{sign}{' '.join(words[:MOST_WORDS])}{'...' * (len(words) > MOST_WORDS)}"
            for sign, words in (("- ", _only(old, new)), ("+ ", _only(new, old)))
            if words
        ]
        return f"its command in {stage.relpath}: {', '.join(parts) or 'the order of its words'}"

    def _locked(self, stage: Any) -> Any:
        path = Path(stage.path).with_suffix(".lock")
        if path not in self._locks:
            self._locks[path] = lockfile.read(path)
        return self._locks[path].get(stage.name, {}).get("cmd", "")


def _only(words: list[str], others: list[str]) -> list[str]:
    return [word for word in words if word not in others]
