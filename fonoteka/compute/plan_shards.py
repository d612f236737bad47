"""Divide the clips of an output file into shards of work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from fonoteka.compute.clip_task import Item, Shard
from fonoteka.shards import shard_name, shard_of

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


def plan_by_key(items: Iterable[Item], key: Callable[[Item], str], files: int) -> list[Shard[Item]]:
    """Return the plan of an output of several files, of which `shard_of` an item's key is its own.

    Args:
        items: in the order that they have within their file.
        key: of an item, usually its id.
        files: of the output.

    >>> [(shard.name, shard.items) for shard in plan_by_key(["d", "a", "c"], str, files=2)]
    [('shard-00.0', ('a',)), ('shard-01.0', ('d', 'c'))]
    """
    by_file: list[list[Item]] = [[] for _ in range(files)]
    for item in items:
        by_file[shard_of(key(item), files)].append(item)
    named = enumerate(by_file)
    return [part for number, each in named for part in plan_shards(shard_name(number), each)]
