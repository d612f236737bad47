"""Which clips belong together, and which of them stays.

Copies of one recording are one group, and so are a clip and those that the corpus says were made
from it. Of copies the best one stays, in this order: it is lossless by its codec, has the higher
sample rate, is longer, has the first id. A clip with a parent is meant to be there and stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fonoteka.corpus.union_find import UnionFind

_LOSSLESS = ("PCM_", "FLOAT", "DOUBLE", "ALAC_")


@dataclass(frozen=True, slots=True)
class Entry:
    """What must be known of a clip to tell whether it stays; fields as in the inventory."""

    id: str
    path: str
    codec: str
    sample_rate_hz: int
    duration_s: float
    parent: str


@dataclass(frozen=True, slots=True)
class Copy:
    """Two clips that hold one recording, by id, and how alike they are."""

    first: str
    second: str
    similarity: float
    lag_s: float


def goodness(entry: Entry) -> tuple[bool, int, float, str]:
    """Return what clips are sorted by, the best first.

    >>> flac = Entry("b", "b.flac", "FLAC PCM_16", 16000, 1.0, "")
    >>> goodness(flac) < goodness(Entry("a", "a.mp3", "MP3 MPEG_LAYER_III", 44100, 2.0, ""))
    True
    """
    encoding = entry.codec.rpartition(" ")[2]
    lossy = not encoding.startswith(_LOSSLESS)
    return lossy, -entry.sample_rate_hz, -entry.duration_s, entry.id


def stand_ins(entries: Mapping[str, Entry], copies: Iterable[Copy]) -> dict[str, str]:
    """Return the clips that leave, each with the one of its recording that stays."""
    sets, named = UnionFind[str](), set()
    for copy in copies:
        sets.join(copy.first, copy.second)
        named |= {copy.first, copy.second}
    members = defaultdict(list)
    for name in sorted(named):
        if not entries[name].parent:
            members[sets.first(name)].append(entries[name])
    leaving: dict[str, str] = {}
    for clips in members.values():
        best = min(clips, key=goodness)
        leaving |= {clip.id: best.id for clip in clips if clip.id != best.id}
    return leaving


def group_of(
    staying: Iterable[Entry], copies: Iterable[Copy], same: Mapping[str, str]
) -> dict[str, str]:
    """Return the first id of its group for each clip that stays and is not alone.

    Args:
        staying: the clips that stay.
        copies: pairs of one recording, also those of which one leaves.
        same: clips that left as exact duplicates, each with the clip it equals; one may be the
            parent of a clip that stays.
    """
    sets = UnionFind[str]()
    for copy in copies:
        sets.join(copy.first, copy.second)
    for gone, kept in same.items():
        sets.join(gone, kept)
    staying = list(staying)
    for entry in staying:
        if entry.parent:
            sets.join(entry.id, entry.parent)
    members = defaultdict(list)
    for entry in staying:
        members[sets.first(entry.id)].append(entry.id)
    return {name: min(ids) for ids in members.values() if len(ids) > 1 for name in ids}
