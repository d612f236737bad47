"""What the trials of a sweep depend on, recorded in its folder before the first one.

A trial that was trained with other inputs cannot be compared with the next one, so a sweep is
continued with the same space, inputs and parameters only. `trials` may be increased, and the values
of the searched keys in params.yaml may change: the sweep keeps those of its beginning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, sha256_file, sha256_json, write_json
from fonoteka.core.params import PARAMS
from fonoteka.formats.yaml_file import read_yaml
from fonoteka.sweep.space import Space, check_against, trial_params

FILE = "mark.json"


@dataclass(frozen=True)
class Mark:
    """What a sweep depends on.

    Attributes:
        space: hash of each part of the space, except `trials`.
        inputs: SHA-256 of each input and of the test part, by path.
        sections: sections of params.yaml; searched keys have the values of the sweep's beginning.
        today: these values.
    """

    space: dict[str, str]
    inputs: dict[str, str]
    sections: dict[str, Any]
    today: dict[str, Any]


def params_of(path: Path = PARAMS) -> dict[str, Any]:
    """Return params.yaml.

    Raises:
        UserError: it is missing or broken.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; run from the top of the repository")
    document = read_yaml(path)
    if not isinstance(document, dict):
        raise UserError(f"{path}: expected sections, found {document!r}")
    return document


def mark_of(space: Space, place: str, params: Mapping[str, Any]) -> Mark:
    """Return the mark of a sweep that begins now; errors begin with `place`."""
    today = check_against(space, params, place)
    paths = [*space.inputs.values()]
    if space.test:
        paths += [space.test.embeddings, space.test.utterances]
    parts = {name: value for name, value in vars(space).items() if name != "trials"}
    return Mark(
        {name: sha256_json(repr(value)) for name, value in parts.items()},
        {path: sha256_of(Path(path), place) for path in sorted({*paths})},
        trial_params(space, params, {}),
        today,
    )


def sha256_of(path: Path, place: str) -> str:
    """Return the SHA-256 of a file, or of the names and contents of a folder's files.

    Raises:
        UserError: there is nothing at the path; the message begins with `place`.
    """
    if path.is_file():
        return sha256_file(path)
    files = sorted(each for each in path.rglob("*") if each.is_file())
    if not files:
        raise UserError(f"{place}: {path}: no such file or folder; run make repro first")
    digest = hashlib.sha256()
    for each in files:
        digest.update(f"{each.relative_to(path).as_posix()}\0{sha256_file(each)}\n".encode())
    return digest.hexdigest()


def check_mark(new: Mark, folder: Path, place: str) -> Mark:
    """Return the mark of a folder's sweep, or write `new` if the folder has none.

    Raises:
        UserError: the space, an input or a parameter has changed since the sweep began.
    """
    path = folder / FILE
    if not path.exists():
        write_json(path, vars(new))
        return new
    old = Mark(**read_json(path))
    if changes := differences(old, new):
        raise UserError(
            f"{place}: {', '.join(changes)} changed since the sweep in {folder} began; restore "
            "what changed, choose another --work folder, or remove the recorded trials with "
            "--restart"
        )
    return old


def differences(old: Mark, new: Mark) -> list[str]:
    """Return the names of what differs between two marks of one sweep."""
    changes = [f"{name} of the space" for name in old.space if old.space[name] != new.space[name]]
    both = {*old.inputs} & {*new.inputs}  # other paths are a change of the space
    changes += [path for path in sorted(both) if old.inputs[path] != new.inputs[path]]
    before, now = ({k: v for k, v in _leaves(m.sections) if k not in m.today} for m in (old, new))
    keys = sorted({*before, *now})
    changes += [f"{k} of params.yaml" for k in keys if before.get(k) != now.get(k)]
    return changes


def _leaves(value: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    leaves: list[tuple[str, Any]] = []
    for key, inner in value.items():
        name = f"{above}{key}"
        leaves += _leaves(inner, f"{name}.") if isinstance(inner, dict) else [(name, inner)]
    return leaves
