"""The file that describes a sweep: what is searched, and how a trial is trained.

keys       keys of params.yaml, and the range of each
fixed      keys that have another value in trials than in params.yaml, for cheaper trials
sections   sections of params.yaml that the training loads
command    the training; {out}, {curves}, {checkpoint} and {name of an input} are filled in
inputs     names of files and folders that the training reads; their hashes are recorded
objective  a JSON file that the training writes below {out}, and the key of the error in it
trials     of each search
round      trials that are suggested together, before any of them has been trained
seed       of the suggestions
test       the test part for the comparison at the end, or null
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from string import Formatter
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.params import build
from fonoteka.formats.yaml_file import read_yaml
from fonoteka.sweep.ranges import ChoiceRange, FloatRange, IntRange, Range, read_range

FILLED = ("checkpoint", "curves", "out")
"""Placeholders of the command besides the inputs: folders of a trial."""


@dataclass(frozen=True)
class ErrorKey:
    """Where a training writes its error: a JSON file below its output, and a key in it."""

    file: str
    key: str


@dataclass(frozen=True)
class HeldOut:
    """The part that two models are compared on at the end.

    Attributes:
        embeddings: folder of embeddings.
        utterances: manifest of the test split.
        resamples: draws of the speakers for an interval.
        seed: of the draws.
    """

    embeddings: str
    utterances: str
    resamples: int
    seed: int


@dataclass(frozen=True)
class _Plain:
    """The part of a space whose types `build` checks."""

    sections: tuple[str, ...]
    command: str
    inputs: dict[str, str]
    objective: ErrorKey
    trials: int
    round: int
    seed: int
    test: HeldOut | None


@dataclass(frozen=True)
class Space(_Plain):
    """A sweep; the module's docstring describes the attributes."""

    keys: dict[str, Range]
    fixed: dict[str, Any]

    def words(self) -> list[str]:
        """Return the command as a list, with its placeholders."""
        return shlex.split(self.command)


def read_space(path: Path) -> Space:
    """Return the space in a file.

    Raises:
        UserError: the file is missing or broken, a key is missing or unknown, a range is
            impossible, or the command has an unknown placeholder.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; name the file of a sweep, see docs/sweeps.md")
    document = read_yaml(path)
    # `build` cannot check the types of ranges and of values, so these two are read apart.
    names = {field.name for field in fields(Space)}
    if not isinstance(document, dict) or set(document) != names:
        present = set(document) if isinstance(document, dict) else set()
        missing, unknown = sorted(names - present), sorted(map(str, present - names))
        raise UserError(f"{path}: missing {missing}, unknown {unknown}")
    plain = build(
        {k: document[k] for k in document if k not in ("keys", "fixed")}, _Plain, path.name
    )
    for name in ("keys", "fixed"):
        if not isinstance(document[name], dict):
            raise UserError(f"{path}: {name}: expected keys and values, found {document[name]!r}")
    if not document["keys"]:
        raise UserError(f"{path}: keys: nothing to search; name keys of params.yaml")
    keys = {key: read_range(document["keys"][key], f"{path}: {key}") for key in document["keys"]}
    if both := sorted(set(keys) & set(document["fixed"])):
        raise UserError(f"{path}: {both[0]} is in keys and in fixed; remove one of them")
    space = Space(keys=keys, fixed=document["fixed"], **vars(plain))
    _check(space, path)
    return space


def _check(space: Space, path: Path) -> None:
    for name in ("trials", "round"):
        if getattr(space, name) < 1:
            raise UserError(f"{path}: {name} must be at least 1, found {getattr(space, name)}")
    try:
        words = space.words()
        used = {name for _, name, _, _ in Formatter().parse(space.command) if name is not None}
    except ValueError as error:
        raise UserError(
            f"{path}: command: {error}; close each quote, and write a brace twice"
        ) from error
    placeholders = {*FILLED, *space.inputs}
    if unknown := sorted(used - placeholders):
        raise UserError(
            f"{path}: command: unknown placeholder {{{unknown[0]}}}; expected one of "
            f"{', '.join(sorted(placeholders))}"
        )
    if not words or "out" not in used:
        raise UserError(
            f"{path}: command: {{out}} is missing; the training writes its result there"
        )


def value_at(params: Mapping[str, Any], key: str, place: str) -> Any:
    """Return the value of a dotted key, for example `ctc.dropout`.

    Raises:
        UserError: params.yaml does not have the key.
    """
    value: Any = params
    for number, part in enumerate(parts := key.split(".")):
        if not isinstance(value, Mapping) or part not in value:
            names = [*map(str, value)] if isinstance(value, Mapping) else []
            close = get_close_matches(part, names, n=3)
            hint = f"did you mean {' or '.join(map(repr, close))}?" if close else "check its name"
            above = ".".join(parts[:number]) or "params.yaml"
            raise UserError(f"{place}: {key}: {above} has no key {part!r}; {hint}")
        value = value[part]
    return value


def check_against(space: Space, params: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return today's value of each searched key.

    Raises:
        UserError: params.yaml does not have a key or a section, its section is not listed, or its
            value has another type than the range.
    """
    for name in space.sections:
        value_at(params, name, f"{place}: sections")
    for key in (*space.keys, *space.fixed):
        value = value_at(params, key, place)
        if key.split(".")[0] not in space.sections:
            raise UserError(f"{place}: {key}: add its section to sections, {list(space.sections)}")
        if isinstance(value, Mapping):
            raise UserError(f"{place}: {key} is a section, not a value; name one of its keys")
    today = {key: value_at(params, key, place) for key in space.keys}
    for key, value in today.items():
        if not _fits(space.keys[key], value):
            raise UserError(
                f"{place}: {key}: its value in params.yaml is {value!r}, which is not of the kind "
                "of the range; change the kind"
            )
    return today


def _fits(space_range: Range, value: Any) -> bool:
    if isinstance(space_range, ChoiceRange):
        kinds = {float if type(c) is int else type(c) for c in (*space_range.choices, value)}
        return len(kinds) == 1
    if isinstance(space_range, IntRange):
        return type(value) in (int, float)
    return isinstance(space_range, FloatRange) and type(value) is float


def trial_params(
    space: Space, params: Mapping[str, Any], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the params.yaml of a training: the listed sections with some values replaced.

    >>> space = Space(("ctc",), "", {}, ErrorKey("", ""), 1, 1, 1, None, {}, {})
    >>> trial_params(space, {"ctc": {"epochs": 8, "seed": 1}, "mlp": {}}, {"ctc.epochs": 3})
    {'ctc': {'epochs': 3, 'seed': 1}}
    """
    sections = {name: _copy(params[name]) for name in space.sections}
    for key, value in values.items():
        *above, last = key.split(".")
        holder = sections
        for part in above:
            holder = holder[part]
        holder[last] = value
    return sections


def _copy(value: Any) -> Any:
    return {k: _copy(v) for k, v in value.items()} if isinstance(value, dict) else value
