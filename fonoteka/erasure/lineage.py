"""Follow recordings through what dvc has written down: what was built from them, and from that."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from textwrap import indent
from typing import Any

import yaml

Entry = Mapping[str, Any]
"""What dvc keeps of one run of a stage: `cmd`, `deps`, `params` and `outs`."""

HOLDS: Mapping[str, str] = {
    "data/corpus": "names, words and times",
    "data/splits": "names, words and times",
    "data/audio": "the sound itself",
    "data/embeddings": "what encoders heard in it",
    "data/posteriors": "what models heard in it",
    "data/models": "weights learned or chosen with it",
    "data/plots": "numbers",
    "reports": "numbers",
}
"""What lies where, as far as a person is concerned."""


@dataclass(frozen=True, order=True)
class Artefact:
    """One output of a stage.

    Attributes:
        stage: its name.
        path: from the top of the repository.
        md5: dvc's hash of it, which ends in `.dir` for a folder.
    """

    stage: str
    path: str
    md5: str


def read_lock(text: str) -> dict[str, Entry]:
    """Return the stages of a dvc.lock; none where it isn't one, as in an old or broken commit."""
    try:
        document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except yaml.YAMLError:
        return {}
    stages = document.get("stages") if isinstance(document, dict) else None
    return {str(k): v for k, v in stages.items() if isinstance(v, dict)} if stages else {}


def artefacts(lock: Mapping[str, Entry], raw: str, corpus: str) -> list[Artefact]:
    """Return what was built from a corpus, also by way of other outputs, in the lock's order.

    Args:
        lock: stages by name.
        raw: the folder of corpora, such as data/raw.
        corpus: its folder there.
    """
    if not takes_part(lock.values(), corpus):
        return []
    reached = {f"{raw}/{corpus}"}
    found: dict[str, list[Artefact]] = {}
    while True:
        for name, entry in lock.items():
            if name not in found and _reads(entry, reached):
                found[name] = [Artefact(name, path, md5) for path, md5 in outs(entry)]
                reached |= {artefact.path for artefact in found[name]}
                break
        else:
            return [artefact for name in lock for artefact in found.get(name, [])]


def takes_part(entries: Iterable[Entry], corpus: str) -> bool:
    """Tell whether stages worked on a corpus, by the parameter that says which they take."""
    for entry in entries:
        taken = entry.get("params", {}).get("params.yaml", {}).get("inventory", {})
        if isinstance(taken, dict) and isinstance(taken.get("corpora"), list):
            return corpus in taken["corpora"]
    return True


def outs(entry: Entry) -> Iterator[tuple[str, str]]:
    """Give path and hash of each output of a run."""
    for out in entry.get("outs") or []:
        if isinstance(out.get("md5"), str):
            yield str(out["path"]), out["md5"]


def _reads(entry: Entry, reached: Iterable[str]) -> bool:
    deps = [str(dep["path"]) for dep in entry.get("deps") or []]
    return any(_overlap(dep, path) for dep in deps for path in reached)


def _overlap(one: str, other: str) -> bool:
    return one == other or f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def holds(path: str) -> str:
    """Return what an artefact has of a person.

    >>> holds("data/audio"), holds("DATA_LICENSES.md")
    ('the sound itself', 'numbers')
    """
    parents = [path, *(str(parent) for parent in PurePosixPath(path).parents)]
    return next((HOLDS[parent] for parent in parents if parent in HOLDS), "numbers")


def run_cache(folder: Path) -> dict[str, Entry]:
    """Return what dvc's run-cache remembers, by path below the cache."""
    found: dict[str, Entry] = {}
    for path in sorted(folder.glob("runs/*/*/*")):
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            entry = read_lock("stages:\n  run:\n" + indent(text, "    ")).get("run")
            found |= {path.relative_to(folder).as_posix(): entry} if entry else {}
    return found


def tainted_runs(
    runs: Mapping[str, Entry], corpus: str, known: Iterable[str], clean: Collection[str]
) -> set[str]:
    """Return the remembered runs that worked on a corpus, or on what came from it.

    Args:
        runs: by path.
        corpus: whose name is in the parameters of those that took it.
        known: hashes of what is known to have come from it.
        clean: hashes of what was read and made since, without what is to be forgotten.
    """
    hashes, found = set(known) - set(clean), set[str]()
    while True:
        more = {
            path
            for path, entry in runs.items()
            if path not in found and _worked_on(entry, corpus, hashes, clean)
        }
        if not more:
            return found
        found |= more
        hashes |= {md5 for path in more for _, md5 in outs(runs[path])} - set(clean)


def _worked_on(entry: Entry, corpus: str, hashes: set[str], clean: Collection[str]) -> bool:
    read = {str(dep.get("md5")) for dep in entry.get("deps") or []}
    if "inventory" in entry.get("params", {}).get("params.yaml", {}):
        return takes_part([entry], corpus) and not _raw_of(entry) & set(clean)
    return bool(read & hashes)


def _raw_of(entry: Entry) -> set[str]:
    """Return the hashes of the folders that a run read."""
    found = {str(dep.get("md5")) for dep in entry.get("deps") or []}
    return {md5 for md5 in found if md5.endswith(".dir")}


def all_hashes(lock: Mapping[str, Entry]) -> set[str]:
    """Return the hashes of all outputs, and of the folders that stages read."""
    made = {md5 for entry in lock.values() for _, md5 in outs(entry)}
    return made.union(*(_raw_of(entry) for entry in lock.values()))
