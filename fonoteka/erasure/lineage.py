"""Follow a corpus through dvc.lock: the outputs that were built from it, directly or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import yaml

Entry = Mapping[str, Any]
"""One stage in dvc.lock: `cmd`, `deps`, `params` and `outs`."""


class Artefact(NamedTuple):
    """One output of a stage, with its path in the project and DVC's hash."""

    stage: str
    path: str
    md5: str


def read_lock(text: str) -> dict[str, Entry]:
    """Return the stages of a dvc.lock; none if it is not valid, as in a commit with a conflict."""
    try:
        # libyaml parses the 6,000 lines of a lock file ten times as fast as Python does.
        document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except yaml.YAMLError:
        return {}
    stages = document.get("stages") if isinstance(document, dict) else None
    return {str(k): v for k, v in stages.items() if isinstance(v, dict)} if stages else {}


def artefacts(lock: Mapping[str, Entry], folder: str) -> list[Artefact]:
    """Return the outputs built from a corpus such as `data/raw/mine`, in the lock's order."""
    if not _includes(lock.values(), folder.rpartition("/")[2]):
        return []
    paths, stages = {folder}, set[str]()
    while new := {n for n, entry in lock.items() if n not in stages and _reads(entry, paths)}:
        stages |= new
        paths |= {path for name in new for path, _ in outputs(lock[name])}
    return [Artefact(n, *out) for n, entry in lock.items() if n in stages for out in outputs(entry)]


def _includes(entries: Iterable[Entry], corpus: str) -> bool:
    """Return whether `inventory.corpora`, which selects the corpora of a build, has a corpus."""
    for entry in entries:
        section = entry.get("params", {}).get("params.yaml", {}).get("inventory", {})
        if isinstance(section, dict) and isinstance(section.get("corpora"), list):
            return corpus in section["corpora"]
    return True


def outputs(entry: Entry) -> Iterator[tuple[str, str]]:
    """Yield the path and hash of each output of a stage."""
    for out in entry.get("outs") or []:
        if isinstance(out.get("md5"), str):
            yield str(out["path"]), out["md5"]


def _reads(entry: Entry, paths: Iterable[str]) -> bool:
    dependencies = [f"{dep['path']}/" for dep in entry.get("deps") or []]
    return any(
        dependency.startswith(f"{path}/") or f"{path}/".startswith(dependency)
        for dependency in dependencies
        for path in paths
    )
