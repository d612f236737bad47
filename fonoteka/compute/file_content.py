"""The hash of a recording's bytes, by which results of earlier runs are found."""

from __future__ import annotations

import atexit
from functools import cache
from pathlib import Path

from fonoteka.compute.content_memo import ContentMemo, open_memo


@cache
def _memo() -> ContentMemo:
    memo = open_memo()
    atexit.register(memo.close)
    return memo


def content_of(path: Path | str) -> str:
    """Return the SHA-256 of a file's bytes; a file that did not change is not read again.

    Only the process that plans the work calls it: the memo is for one process.

    Raises:
        OSError: it cannot be read.
    """
    return _memo().content_hash(Path(path))
