"""Read and write `dvc.lock`, with the bytes that plain `dvc repro` would write.

dvc appends the entry of a new stage when the stage ends, and stages that run in parallel end in a
random order. So the entries are sorted afterwards; their contents are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file
from fonoteka.pipeline.dvc_api import dump_yaml, locked_repo, parse_yaml


def entries(path: Path) -> tuple[str, ...]:
    """Return the names of the stages in a lock file, in their order; none if there is no file."""
    return tuple(read(path))


def read(path: Path) -> dict[str, Any]:
    """Return the entry of each stage in a lock file; empty if there is no file."""
    return parse(path.read_text(encoding="utf-8"), str(path)) if path.exists() else {}


def parse(text: str, name: str) -> dict[str, Any]:
    """Return the entry of each stage in the text of a lock file.

    Raises:
        UserError: it is not a lock file; the message calls it `name`.
    """
    document = parse_yaml(text, name)
    if document and not isinstance(document, dict):
        raise UserError(f"{name}: expected the stages of dvc.lock, found {type(document).__name__}")
    return dict((document or {}).get("stages") or {})


def write(path: Path, stages: Mapping[str, Any]) -> None:
    """Write a lock file as dvc does, or remove it if there are no stages."""
    if not stages:
        path.unlink(missing_ok=True)
        return
    with atomic_file(path) as part:
        text = dump_yaml({"schema": "2.0", "stages": dict(stages)})
        part.write_text(text, encoding="utf-8", newline="\n")


def order(now: Sequence[str], before: Sequence[str], plan: Sequence[str]) -> list[str]:
    """Return `now` sorted: the entries of `before` first, then those of `plan`, then all others.

    >>> order(["b", "z", "a", "c"], before=["b"], plan=["a", "b", "c"])
    ['b', 'a', 'c', 'z']
    """
    wanted = dict.fromkeys([*before, *plan, *now])
    return [name for name in wanted if name in now]


def restore_order(
    root: Path, before: Mapping[Path, Sequence[str]], plan: Mapping[Path, Sequence[str]]
) -> None:
    """Sort the entries of each lock file, under dvc's lock and in one step.

    Args:
        root: folder of the dvc repository.
        before: the entries of each lock file at the start.
        plan: the stages of each lock file in plan order.
    """
    with locked_repo(root):
        for path, names in plan.items():
            _reorder(path, before[path], names)


def _reorder(path: Path, before: Sequence[str], plan: Sequence[str]) -> None:
    if not path.exists():
        return
    text = path.read_text(encoding="utf-8")
    now = tuple(parse(text, str(path)))
    wanted = order(now, before, plan)
    if wanted == list(now):
        return
    document = parse_yaml(text, str(path), for_update=True)
    stages = document["stages"]
    values = {name: stages[name] for name in wanted}
    stages.clear()
    stages.update(values)
    with atomic_file(path) as part:
        part.write_text(dump_yaml(document), encoding="utf-8", newline="\n")
