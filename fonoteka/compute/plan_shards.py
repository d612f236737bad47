"""Divide the clips of an output file into shards of work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fonoteka.compute.clip_task import Item, Shard

CLIPS = 128
"""Clips per shard: their embeddings take 8 to 90 MB, their work takes a second or more."""


def plan_shards(name: str, items: Sequence[Item], clips: int = CLIPS) -> Iterator[Shard[Item]]:
    """Yield the shards of one output file, in the order of the items.

    The results of one shard are in memory at a time, so an output file may have any size.

    >>> [shard.name for shard in plan_shards("shard-03", "abcde", clips=2)]
    ['shard-03.0', 'shard-03.1', 'shard-03.2']
    """
    for number, start in enumerate(range(0, len(items), clips)):
        yield Shard(f"{name}.{number}", tuple(items[start : start + clips]))
