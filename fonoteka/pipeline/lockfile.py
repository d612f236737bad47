"""Give `dvc.lock` the bytes that plain `dvc repro` would have written.

dvc appends a stage that is new to the lock file when it is done, and stages that run side by side
are done in an order that the clock decides. The entries themselves are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file
from fonoteka.pipeline.dvc_api import one_sentence


def entries(path: Path) -> tuple[str, ...]:
    """Return the names of the stages in a lock file, in their order; none if there is no file."""
    return tuple(read(path))


def read(path: Path) -> dict[str, Any]:
    """Return what a lock file says of each stage; nothing if there is no file."""
    return parse(path.read_text(encoding="utf-8"), str(path)) if path.exists() else {}


def parse(text: str, name: str) -> dict[str, Any]:
    """Return what the text of a lock file says of each stage.

    Raises:
        ValueError: it is no lock file; `name` is how it is called then.
    """
    from dvc.utils.serialize import parse_yaml

    with one_sentence():
        told = parse_yaml(text, name)
    if told and not isinstance(told, dict):
        raise UserError(f"{name}: expected the stages of dvc.lock, found {type(told).__name__}")
    return dict((told or {}).get("stages") or {})


def write(path: Path, stages: Mapping[str, Any]) -> None:
    """Write a lock file as dvc does; without stages there is none."""
    from dvc.utils.serialize import dumps_yaml

    if not stages:
        path.unlink(missing_ok=True)
        return
    with atomic_file(path) as part:
        text = dumps_yaml({"schema": "2.0", "stages": dict(stages)})
        part.write_text(text, encoding="utf-8", newline="\n")


def order(now: Sequence[str], before: Sequence[str], plan: Sequence[str]) -> list[str]:
    """Return `now` with old entries first, as they stood, then new ones as planned, then strangers.

    >>> order(["b", "z", "a", "c"], before=["b"], plan=["a", "b", "c"])
    ['b', 'a', 'c', 'z']
    """
    wanted = dict.fromkeys([*before, *plan, *now])
    return [name for name in wanted if name in now]


def restore_order(
    root: Path, before: Mapping[Path, Sequence[str]], plan: Mapping[Path, Sequence[str]]
) -> None:
    """Put the entries of each lock file in order, under dvc's lock and in one step.

    Args:
        root: folder of the dvc repository.
        before: for each lock file the entries it had at the start.
        plan: for each lock file its stages in plan order.
    """
    from dvc.repo import Repo, lock_repo

    with one_sentence(), Repo(str(root), _wait_for_lock=True) as repo, lock_repo(repo):
        for path, names in plan.items():
            _reorder(path, before[path], names)


def _reorder(path: Path, before: Sequence[str], plan: Sequence[str]) -> None:
    from dvc.utils.serialize import dumps_yaml, load_yaml, parse_yaml_for_update

    if not path.exists():
        return
    now = tuple(load_yaml(str(path)).get("stages") or ())
    wanted = order(now, before, plan)
    if wanted == list(now):
        return
    document = parse_yaml_for_update(path.read_text(encoding="utf-8"), str(path))
    stages = document["stages"]
    values = {name: stages[name] for name in wanted}
    stages.clear()
    stages.update(values)
    with atomic_file(path) as part:
        part.write_text(dumps_yaml(document), encoding="utf-8", newline="\n")
