"""One line of a log: a JSON object with time, level and event, in the format of all our logs.

    {"time": "2025-01-31T12:00:00.250Z", "level": "info", "event": "step", "step": 3, "loss": 0.7}

The service, training and every other stage write such lines.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from typing import Any


def log_line(
    level: str, event: str, fields: Mapping[str, Any], now_s: float | None = None
) -> bytes:
    r"""Return a line with its newline.

    Other characters than those of ASCII are escaped, and so are control characters: no text can end
    the line early, and a lone surrogate, which UTF-8 cannot encode, is written too.

    Args:
        level: `info`, `warning` or `error`.
        event: a word for programs.
        fields: JSON values; a value of another type is written as its `str`, and a number that
            is not finite as a string, because JSON has none.
        now_s: seconds since 1970; None for the present.

    >>> log_line("info", "step", {"loss": float("nan")}, 0.5)
    b'{"time": "1970-01-01T00:00:00.500Z", "level": "info", "event": "step", "loss": "nan"}\n'
    """
    record = {"time": utc_time(now_s), "level": level, "event": event}
    record |= {name: _finite(value) for name, value in fields.items()}
    return json.dumps(record, default=str).encode() + b"\n"


def utc_time(now_s: float | None = None) -> str:
    """Return a time in UTC as ISO 8601 with milliseconds.

    >>> utc_time(1.9996)
    '1970-01-01T00:00:02.000Z'
    """
    milliseconds = round((time.time() if now_s is None else now_s) * 1000)
    seconds, rest = divmod(milliseconds, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:03d}Z"


def _finite(value: Any) -> Any:
    """Return a value that JSON has, in which no number is infinite or NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
