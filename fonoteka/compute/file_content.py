"""The hash of a recording's bytes, by which results of earlier runs are found."""

from __future__ import annotations

from pathlib import Path

from fonoteka.core.files import sha256_file


def content_of(path: Path | str) -> str:
    """Return the SHA-256 of a file's bytes.

    Raises:
        OSError: it cannot be read.
    """
    return sha256_file(Path(path))
