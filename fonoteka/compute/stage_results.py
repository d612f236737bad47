"""The cache for a stage that has workers of its own, with limits that no executor sets.

`map_shards` looks up and stores by itself. A stage that cannot use it asks here for each clip,
computes what is missing, and stores it.
"""

from __future__ import annotations

from pathlib import Path

from fonoteka.compute.clip_cache import FOLDER, ClipCache, entry_key


class StageResults:
    """Results of one stage under one fingerprint; it can be pickled."""

    def __init__(self, stage: str, fingerprint: str, folder: Path | None = None) -> None:
        folder = folder or FOLDER
        self._fingerprint = fingerprint
        self._cache = ClipCache(folder, stage)
        self.may_have_any = (folder / stage).is_dir()
        """Whether a look-up can succeed: without entries, no file has to be hashed first."""

    def get(self, clip: str, content: str) -> bytes | None:
        """Return the stored bytes of a clip, or None."""
        return self._cache.get(entry_key(self._fingerprint, clip, content))

    def put(self, clip: str, content: str, data: bytes) -> None:
        """Store the bytes of a clip."""
        self._cache.put(entry_key(self._fingerprint, clip, content), clip, data)
