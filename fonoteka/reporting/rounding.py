"""Rounding of all floats in a report."""

from __future__ import annotations

import math
from typing import Any


def rounded(value: Any, digits: int) -> Any:
    """Return a report with every float rounded; NaN, which JSON does not have, becomes None.

    >>> rounded({"a": 0.12345, "b": [7, None, float("nan")]}, 3)
    {'a': 0.123, 'b': [7, None, None]}
    """
    if isinstance(value, dict):
        return {key: rounded(inner, digits) for key, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner, digits) for inner in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, digits)
    return value
