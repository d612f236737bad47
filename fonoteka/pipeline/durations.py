"""Remember how long each stage took when it last ran on this machine.

    .dvc/tmp/durations.json    {"train@mlp": 8.1, ...}, in seconds, dvc's own half second included

A clock's word is no result: the file lies among dvc's temporary ones, in no commit and in no hash,
and a run doesn't fail for it.
"""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path

from fonoteka.core.files import read_json, write_json

FILE = Path(".dvc/tmp/durations.json")


def remembered(root: Path) -> dict[str, float]:
    """Return the seconds that each stage took last; of a stage that never ran here nothing.

    What can't be read, or isn't a duration, is as good as never measured.
    """
    try:
        found = read_json(root / FILE)
    except (ValueError, OSError):
        return {}
    pairs = found.items() if isinstance(found, dict) else ()
    numbers = {name: float(took) for name, took in pairs if type(took) in (int, float)}
    return {name: took for name, took in numbers.items() if math.isfinite(took) and took >= 0}


def remember(root: Path, name: str, took_s: float) -> None:
    """Keep the seconds of a stage that ran, beside those of the others."""
    with suppress(OSError):  # a disk that is full or may not be written to stops no stage
        write_json(root / FILE, remembered(root) | {name: round(took_s, 1)})
