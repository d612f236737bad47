"""Apply a task to all clips of a plan, on the executor that params.yaml names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fonoteka.compute.clip_cache import FOLDER, ClipCache, entry_key
from fonoteka.compute.clip_task import ClipTask, Item, Result, Shard


def map_shards(
    task: ClipTask[Item, Result], plan: Sequence[Shard[Item]]
) -> Iterator[tuple[Shard[Item], list[Result]]]:
    """Yield each shard with the results of its items, in the order of the plan.

    Results that the cache has are not computed again.
    """
    cache = ClipCache(FOLDER, task.name)
    function = None
    for shard in plan:
        results: list[Result] = []
        for item in shard.items:
            key = entry_key(task.fingerprint, task.clip(item), task.content(item))
            data = cache.get(key)
            if data is None:
                function = function or task.open()
                data = task.encode(function(item))
                cache.put(key, task.clip(item), data)
            results.append(task.decode(data))
        yield shard, results
