"""Load one section of params.yaml into a dataclass; unknown and missing keys are errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from fonoteka.core.errors import UserError

Section = TypeVar("Section")
PARAMS = Path("params.yaml")
"""Relative to the top of the repository, where every command runs."""


def load(section: str, target: type[Section], path: Path = PARAMS) -> Section:
    """Return section `section` of a params file as an instance of the dataclass `target`.

    Raises:
        ValueError: the file or the section is missing, or a key is missing, unknown or of the
            wrong type. Integers are converted to expected floats, nothing else is converted.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; run from the top of the repository")
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict) or section not in document:
        raise UserError(f"{path}: section {section!r} is missing")
    return build(document[section], target, f"{path}: section {section!r}")


def build(values: Any, target: type[Section], place: str) -> Section:
    """Return a mapping as an instance of the dataclass `target`; errors begin with `place`.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Split:
    ...     test_fraction: float
    >>> build({"test_fraction": 1}, Split, "split")
    Split(test_fraction=1.0)
    >>> build({"tst_fraction": 0.2}, Split, "split")
    Traceback (most recent call last):
    fonoteka.core.errors.UserError: split: missing ['test_fraction'], unknown ['tst_fraction']
    """
    if not isinstance(values, Mapping):
        raise UserError(f"{place}: expected keys and values, found {values!r}")
    assert is_dataclass(target)
    names = {field.name for field in fields(target)}
    missing, unknown = sorted(names - set(values)), sorted(map(str, set(values) - names))
    if missing or unknown:
        parts = [f"missing {missing}"] * bool(missing) + [f"unknown {unknown}"] * bool(unknown)
        raise UserError(f"{place}: {', '.join(parts)}")
    hints = get_type_hints(target)
    return target(**{n: _convert(values[n], hints[n], f"{place}: {n}") for n in sorted(names)})


def _convert(value: Any, hint: Any, place: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if is_dataclass(hint):
        return build(value, hint, place)  # type: ignore[arg-type]
    if origin in (UnionType, Union):
        if value is None and NoneType in arguments:
            return None
        return _convert(value, next(a for a in arguments if a is not NoneType), place)
    if origin is tuple and isinstance(value, list):
        return tuple(_convert(item, arguments[0], f"{place}[{i}]") for i, item in enumerate(value))
    if origin is dict and isinstance(value, Mapping):
        return {
            _convert(k, arguments[0], place): _convert(v, arguments[1], f"{place}.{k}")
            for k, v in value.items()
        }
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and type(value) is hint:
        return value
    name = hint.__name__ if isinstance(hint, type) and not arguments else str(hint)
    raise UserError(f"{place}: expected {name}, found {value!r}")
