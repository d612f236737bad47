"""The cache for a stage that has workers of its own, with limits that no executor sets.

`map_shards` looks up and stores by itself. A stage that cannot use it asks here for each clip,
computes what is missing, and stores it.
"""

from __future__ import annotations

from fonoteka.compute.cache_folder import stages_in
from fonoteka.compute.clip_cache import ClipCache, entry_key, open_cache


class StageResults:
    """Results of one stage under one fingerprint; forked processes may store some too."""

    def __init__(self, stage: str, fingerprint: str) -> None:
        self._fingerprint = fingerprint
        self.cache: ClipCache = open_cache(stage)
        top = self.cache.top
        self.may_have_any = top is not None and stage in stages_in(top)
        """Whether a look-up can succeed: without entries, no file has to be hashed first."""

    def get(self, clip: str, content: str) -> bytes | None:
        """Return the stored bytes of a clip, or None."""
        return self.cache.get(entry_key(self._fingerprint, clip, content))

    def put(self, clip: str, content: str, data: bytes) -> None:
        """Store the bytes of a clip."""
        self.cache.put(entry_key(self._fingerprint, clip, content), clip, data)

    def end(self) -> None:
        """Count the entries, and remove old ones if the cache is above its limit."""
        self.cache.end()
