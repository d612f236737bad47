"""Write the values of a profile into params.yaml, keeping its comments and order.

    python -m fonoteka profile NAME|FILE [--params params.yaml]

A profile is YAML with some sections and some of their keys. It cannot add a key: a name that
params.yaml does not have is a misspelling, and is refused before anything is written.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from fonoteka.core.errors import UserError
from fonoteka.core.files import write_text
from fonoteka.pipeline.yaml_edit import editor, put, same

PROFILES = Path(__file__).parent / "profiles"
FREE_FORM = (
    "encoder.pretrain.repeat",
    "ctc.repeat",
    "split.assigned",
)  # mappings whose keys are data, for example names of speakers


@dataclass(frozen=True)
class Change:
    """One value that a profile changes: `holder[key]` is at `path`, for example `split.salt`."""

    path: str
    holder: CommentedMap
    key: str
    new: Any

    def __str__(self) -> str:
        return f"{self.path}: {_short(self.holder[self.key])} -> {_short(self.new)}"


def find(name: str, folder: Path = PROFILES) -> Path:
    """Return the file of a profile given by name or by path.

    Raises:
        ValueError: there is no such profile.
    """
    for path in (folder / f"{name}.yaml", Path(name)):
        if path.is_file():
            return path
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    raise UserError(f"no profile is named {name!r}; {_hint(name, names)}")


def changes(params: CommentedMap, profile: Any, source: str) -> list[Change]:
    """Return what a profile, which errors call `source`, changes in `params`.

    Raises:
        ValueError: the profile has a section or a key that params has not, or a value where params
            has keys.
    """
    _expect(profile, source, keys=True)
    return list(_compare(params, profile, "", source))


def _compare(
    params: CommentedMap, profile: CommentedMap, above: str, source: str
) -> Iterator[Change]:
    for key, new in profile.items():
        path = f"{above}.{key}" if above else str(key)
        if key not in params:
            kind = "key" if above else "section"
            raise UserError(f"{source}: unknown {kind} {path!r}; {_hint(str(key), list(params))}")
        old = params[key]
        if old is not None:
            _expect(new, f"{source}: {path}", keys=isinstance(old, CommentedMap))
        if isinstance(old, CommentedMap) and old and path not in FREE_FORM:
            yield from _compare(old, new, path, source)
        elif not same(old, new):
            yield Change(path, params, key, new)


def _expect(value: Any, source: str, *, keys: bool) -> None:
    if keys != isinstance(value, CommentedMap):
        wanted = "keys and values" if keys else "one value"
        raise UserError(f"{source}: expected {wanted}, found {_short(value)}")


def _hint(name: str, names: Sequence[object]) -> str:
    choices = [str(item) for item in names]
    close = get_close_matches(name, choices, n=3)
    if close:
        return f"did you mean {' or '.join(map(repr, close))}?"
    return f"expected one of {sorted(choices)}"


def _short(value: Any) -> str:
    """Return a value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_short(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_short, value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def apply_profile(profile: Path, params: Path) -> list[str]:
    """Write the values of file `profile` into file `params`; return one line per change.

    Raises:
        ValueError: one of the files is missing or broken, or they do not fit; nothing is written.
    """
    text = _text(params)
    yaml = editor(text)
    document = _parse(yaml, text, params)
    _expect(document, str(params), keys=True)
    new_values = changes(document, _parse(editor(), _text(profile), profile), str(profile))
    lines = [str(change) for change in new_values]
    for change in new_values:
        put(change.holder, change.key, change.new)
    if new_values:
        out = io.StringIO()
        yaml.dump(document, out)
        write_text(params, out.getvalue())
    return lines


def _text(path: Path) -> str:
    if not path.is_file():
        raise UserError(f"{path}: no such file; run from the top of the repository")
    return path.read_text(encoding="utf-8")


def _parse(yaml: YAML, text: str, path: Path) -> Any:
    try:
        return yaml.load(text)
    except YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error


def run(profile: str, params: Path) -> None:
    """Apply a profile, given by name or by path, to a file and print the changes.

    Raises:
        ValueError: there is no such profile, or it does not fit the file.
    """
    lines = apply_profile(find(profile), params)
    print("\n".join(lines) or f"{params} has the values of {profile!r} already")
