"""Ask dvc what of each stage differs from `dvc.lock`, file by file and key by key.

dvc's own `status` calls a stage changed whose input isn't pulled, and tells of a parameter that it
was modified, not from what to what. So its parts are asked one by one, with its own hashes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.pipeline.dvc_api import one_sentence
from fonoteka.reporting.flatten import changes, flatten

CODE = ("fonoteka/", "stages/")
MOST_WORDS = 6


@dataclass(frozen=True)
class Gone:
    """An output that dvc.lock knows and that isn't here, or not in the cache.

    Attributes:
        path: where it belongs.
        size: its bytes.
        here: whether it is in the working tree, and only the cache lacks it.
        cached: whether it is in the cache, and only the working tree lacks it.
        in_git: whether git keeps it, and no cache.
    """

    path: str
    size: int
    here: bool
    cached: bool
    in_git: bool


@dataclass(frozen=True)
class Facts:
    """What dvc knows of a stage, or of data that `dvc add` tracks.

    Attributes:
        name: as dvc calls it.
        upstream: names of the stages that it reads from.
        frozen: whether dvc leaves it alone.
        known: whether dvc.lock has it: it ran once.
        changed: a sentence for each thing that is not as it was when it ran.
        gone: outputs that aren't here.
        unseen: inputs that can't be compared before they are pulled.
        reads: paths of what it reads, code left out.
        reads_bytes: how much that was when it ran.
    """

    name: str
    upstream: tuple[str, ...] = ()
    frozen: bool = False
    known: bool = True
    changed: tuple[str, ...] = ()
    gone: tuple[Gone, ...] = ()
    unseen: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    reads_bytes: int = 0


@dataclass(frozen=True)
class Look:
    """What dvc knows of the whole pipeline: its stages in the order of dvc.yaml, and its remote."""

    root: Path
    stages: tuple[Facts, ...]
    remote: str


def look() -> Look:
    """Return what dvc knows of the pipeline around the current folder.

    Raises:
        ValueError: this is no dvc repository, or dvc can't read its files.
    """
    from dvc.repo import Repo, lock_repo

    logging.getLogger("dvc").setLevel(logging.ERROR)
    with one_sentence():
        root = Path(Repo.find_root())
        if not (root / "dvc.yaml").is_file():
            raise UserError(f"{root}: there is no dvc.yaml here, so there is no stage to look at")
        with chdir(root), Repo(str(root), _wait_for_lock=True) as repo, lock_repo(repo):
            graph, outputs = repo.index.graph, list(repo.index.outs)
            commands = _Commands()
            stages = tuple(
                _facts(stage, graph, outputs, commands)
                for stage in repo.index.stages
                if stage in graph
            )
            return Look(root, stages, str(repo.config.get("core", {}).get("remote") or ""))


def _facts(stage: Any, graph: Any, outputs: list[Any], commands: _Commands) -> Facts:
    from dvc.dependency import ParamsDependency

    known = any(one.hash_info for one in [*stage.outs, *stage.deps])
    data = [dep for dep in stage.deps if not isinstance(dep, ParamsDependency)]
    changed, unseen = [], []
    if known and not stage.frozen:
        if getattr(stage, "cmd_changed", False):  # data that was added has no command
            changed.append(commands.change(stage))
        for dep in stage.deps:
            if isinstance(dep, ParamsDependency):
                changed += _params(dep)
                continue
            said, seen = _dependency(dep, outputs)
            changed += [said] if said else []
            unseen += [] if seen else [str(dep)]
    if known and (stage.is_callback or stage.always_changed):
        changed.append("runs each time, as dvc.yaml has it")
    changed += [said for out in stage.outs if known and (said := _output(out))]
    return Facts(
        stage.addressing,
        tuple(sorted(other.addressing for other in graph.successors(stage))),
        bool(stage.frozen),
        known,
        tuple(changed),
        tuple(_gone(stage.outs)) if known else (),
        tuple(unseen),
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
        f"{dep} {key}: {before or 'not there'} -> {now or 'not there'}"
        for key, before, now in changes(old, new)
    ] or [f"{dep}: changed"]


def _dependency(dep: Any, outputs: list[Any]) -> tuple[str, bool]:
    """Return what changed of a file or folder that a stage reads, and whether it can be seen.

    What an upstream stage makes and isn't here is compared by the two hashes in dvc.lock, so that a
    clone without data can be looked at too. A folder with a part that isn't pulled has no hash.
    """
    if not dep.status():
        return "", True
    whole = next((out for out in outputs if out.fs_path == dep.fs_path), None)
    if not dep.exists and whole is not None:
        same = whole.hash_info == dep.hash_info
        return "" if same else f"{dep}: {whole.stage.addressing} made it anew", True
    near = (out for out in outputs if _within(out, dep) or _within(dep, out))
    if any(out.hash_info and not out.exists for out in near):
        return "", False
    if not dep.exists:
        return f"{dep}: is gone", True
    made = f", {whole.stage.addressing} made it anew" if whole is not None else ""
    if not dep.hash_info:
        return f"{dep}: is read now, and was not{made}", True
    return f"{dep}: changed{made}{_folder(dep)}", True


def _within(inner: Any, outer: Any) -> bool:
    return str(inner.fs_path).startswith(f"{outer.fs_path}/")


def _folder(dep: Any) -> str:
    """Return how many files and bytes a folder had and has, where that tells something."""
    old, new = dep.meta, dep.get_meta()
    if not old or not new.isdir or old.nfiles is None:
        return ""
    if (old.nfiles, old.size) == (new.nfiles, new.size):
        return f" (as many files, {new.nfiles}, and as many bytes)"
    return f" ({old.nfiles} files of {old.size} bytes -> {new.nfiles} of {new.size})"


def _output(out: Any) -> str:
    """Return what changed of an output that is here."""
    from dvc.stage import PipelineStage

    if not out.exists or not out.workspace_status():
        return ""
    if not out.hash_info:
        return f"{out}: is written now, and was not"
    since = "its stage made it" if isinstance(out.stage, PipelineStage) else "it was added"
    return f"{out}: changed since {since}"


def _gone(outs: list[Any]) -> Iterator[Gone]:
    for out in outs:
        here = out.exists
        cached = out.use_cache and bool(out.hash_info) and not out.changed_cache()
        if out.hash_info and (not here or (out.use_cache and not cached)):
            size = (out.meta.size if out.meta else 0) or 0
            yield Gone(str(out), size, here, cached, not out.use_cache)


class _Commands:
    """The commands that dvc.lock remembers, read when the first is asked for."""

    def __init__(self) -> None:
        self._known: dict[Path, Mapping[str, Any]] = {}

    def change(self, stage: Any) -> str:
        """Return which words of a stage's command came and went."""
        old, new = str(self._locked(stage)).split(), str(stage.cmd).split()
        parts = [
            f"{sign}{' '.join(words[:MOST_WORDS])}{'...' * (len(words) > MOST_WORDS)}"
            for sign, words in (("- ", _only(old, new)), ("+ ", _only(new, old)))
            if words
        ]
        return f"its command in {stage.relpath}: {', '.join(parts) or 'words in another order'}"

    def _locked(self, stage: Any) -> Any:
        from dvc.utils.serialize import load_yaml

        path = Path(stage.path).with_suffix(".lock")
        if path not in self._known:
            self._known[path] = load_yaml(str(path)).get("stages") or {}
        return self._known[path].get(stage.name, {}).get("cmd", "")


def _only(words: list[str], others: list[str]) -> list[str]:
    return [word for word in words if word not in others]
