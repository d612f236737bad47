"""Let one build at a time work in a folder.

dvc's own locks guard single files and single outputs. Two builds that plan at the same moment run
the same stage one after the other, and the one whose stage fails puts the old result back under the
hands of the other.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fonoteka.core.errors import UserError

LOCK = Path(".dvc/tmp/repro.lock")


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Hold the folder `root` inside the block; a process that ends, however, lets it go.

    Raises:
        ValueError: another build holds it.
    """
    path = root / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            who = file.read().strip()
            raise UserError(
                f"{root}: another build is at work here{f', process {who}' if who else ''}; wait "
                "until it has ended, or stop it, and run this again"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
