"""A lock of a file that one process holds, and another one does not wait for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from fonoteka.core.errors import UserError


@contextmanager
def exclusive_lock(path: Path, held: Callable[[], str]) -> Iterator[None]:
    """Hold a file inside the block; the system releases it if the process ends.

    Args:
        path: the file; it and its folder are made.
        held: returns the sentence for a user whose command finds the lock held.

    Raises:
        UserError: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The soft lock of a file system without locks would remain after a killed process.
    lock = FileLock(path, blocking=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise UserError(held()) from error
    try:
        yield
    finally:
        lock.release()
