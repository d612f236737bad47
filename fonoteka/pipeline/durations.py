"""Store how long each stage took when it last ran on this machine.

    .dvc/tmp/durations.json    {"train@mlp": 8.1, ...}, in seconds, including dvc's 0.5 s

Durations are not results: the file is one of dvc's temporary files, in no commit and in no hash,
and a run does not fail if it cannot be written.
"""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path

from fonoteka.core.files import read_json, write_json

FILE = Path(".dvc/tmp/durations.json")


def read_durations(root: Path) -> dict[str, float]:
    """Return the seconds of the last run of each stage that ran on this machine.

    A file or value that is not valid counts as not measured.
    """
    try:
        durations = read_json(root / FILE)
    except (ValueError, OSError):
        return {}
    pairs = durations.items() if isinstance(durations, dict) else ()
    numbers = {name: float(took) for name, took in pairs if type(took) in (int, float)}
    return {name: took for name, took in numbers.items() if math.isfinite(took) and took >= 0}


def store_duration(root: Path, name: str, took_s: float) -> None:
    """Store the seconds of a stage that ran, beside those of the others."""
    with suppress(OSError):  # a full or read-only disk must not stop a stage
        write_json(root / FILE, read_durations(root) | {name: round(took_s, 1)})
