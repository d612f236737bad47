"""Nested values as dotted keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml


def flatten(value: Any, above: str = "") -> Iterator[tuple[str, str]]:
    """Yield each value as YAML under its dotted key.

    >>> list(flatten({"a": {"b": 1, "c": {}}, "d": [1, "x"], "e": None}))
    [('a.b', '1'), ('a.c', '{}'), ('d', '[1, x]'), ('e', 'null')]
    """
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flatten(inner, f"{above}.{key}" if above else str(key))
    else:
        yield above, short(value)


def short(value: Any) -> str:
    """Return a value in one line of YAML.

    >>> short(0.1), short(["a", True]), short("hr")
    ('0.1', '[a, true]', 'hr')
    """
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def changes(old: dict[str, str], new: dict[str, str]) -> list[tuple[str, str, str]]:
    """Return each key with different values, with both values; empty if a key is missing.

    >>> changes({"a": "1", "b": "2"}, {"a": "1", "b": "3", "c": "4"})
    [('b', '2', '3'), ('c', '', '4')]
    """
    return [
        (key, old.get(key, ""), new.get(key, ""))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]
