"""Results per clip from earlier runs, by a hash of all that they depend on.

    .fonoteka/cache/<stage>/<first two digits>/<key>

An entry is the SHA-256 of the rest, the clip's id and the bytes. The folder is not an output of
DVC: outputs are still written whole, and a run without the cache gives the same bytes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from fonoteka.core.files import atomic_file, sha256_json

FOLDER = Path(".fonoteka/cache")


def entry_key(fingerprint: str, clip: str, content: str) -> str:
    """Return the key of one clip's result."""
    return sha256_json([fingerprint, clip, content])


class ClipCache:
    """The entries of one stage below a folder."""

    def __init__(self, folder: Path, stage: str) -> None:
        self.folder = folder / stage

    def get(self, key: str) -> bytes | None:
        """Return the bytes of an entry, or None if it does not exist or is damaged."""
        try:
            raw = self._path(key).read_bytes()
        except FileNotFoundError:
            return None
        digest, rest = raw[:32], raw[32:]
        if hashlib.sha256(rest).digest() != digest:
            return None
        return rest.partition(b"\n")[2]

    def put(self, key: str, clip: str, data: bytes) -> None:
        """Write an entry; `clip` is the id by which an erasure finds it."""
        rest = clip.encode() + b"\n" + data
        with atomic_file(self._path(key)) as part:
            part.write_bytes(hashlib.sha256(rest).digest() + rest)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key
