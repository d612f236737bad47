"""Lock a folder, so that one build at a time runs in it.

dvc's own locks protect single files and single outputs. Two builds that plan at the same moment run
the same stage one after the other, and if it fails in one of them, that one restores the old result
while the other uses it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fonoteka.pipeline.exclusive_lock import exclusive_lock

LOCK = Path(".dvc/tmp/repro.lock")
HOLDER = LOCK.with_suffix(".pid")
"""The process id of the build. Not in the lock file, which only its holder can read on Windows."""


@contextmanager
def build_lock(root: Path) -> Iterator[None]:
    """Hold the folder `root` inside the block; the system releases it if the process ends.

    Raises:
        UserError: another build holds it.
    """
    with exclusive_lock(root / LOCK, lambda: _held(root)):
        (root / HOLDER).write_text(str(os.getpid()), encoding="ascii")
        yield


def _held(root: Path) -> str:
    return (
        f"{root}: another build is running here{_holder(root)}; wait until it has ended, or stop "
        "it, and run this again"
    )


def _holder(root: Path) -> str:
    try:
        return f", process {int((root / HOLDER).read_text(encoding='ascii'))}"
    except (OSError, ValueError):  # the build has not written it yet
        return ""
