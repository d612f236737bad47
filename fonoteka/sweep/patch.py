"""Found values as a patch to params.yaml that `git apply` takes, comments kept."""

from __future__ import annotations

import difflib
import io
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from fonoteka.core.params import PARAMS
from fonoteka.pipeline.overrides import apply_profile

NO_NEWLINE = "\\ No newline at end of file\n"


def patch_of(values: Mapping[str, Any], params: Path = PARAMS) -> str:
    """Return a unified diff that sets dotted keys to values; empty if they have them already.

    Raises:
        UserError: params.yaml is missing or broken, or does not have a key.
    """
    with tempfile.TemporaryDirectory() as scratch:
        profile, new = Path(scratch, "found.yaml"), Path(scratch, params.name)
        profile.write_text(yaml.safe_dump(_nested(values)), encoding="utf-8")
        before = params.read_bytes().decode("utf-8")
        new.write_bytes(before.encode("utf-8"))
        apply_profile(profile, new)
        after = new.read_bytes().decode("utf-8")
    lines = difflib.unified_diff(
        _lines(before), _lines(after), f"a/{params.name}", f"b/{params.name}"
    )  # fmt: skip
    return "".join(line if line.endswith("\n") else f"{line}\n{NO_NEWLINE}" for line in lines)


def _lines(text: str) -> list[str]:
    """Return the lines with their ends; git ends a line at a newline alone."""
    return list(io.StringIO(text, newline="\n"))


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return dotted keys as mappings in each other.

    >>> _nested({"a.b": 1, "a.c.d": 2})
    {'a': {'b': 1, 'c': {'d': 2}}}
    """
    top: dict[str, Any] = {}
    for key, value in values.items():
        *above, last = key.split(".")
        holder = top
        for part in above:
            holder = holder.setdefault(part, {})
        holder[last] = value
    return top
