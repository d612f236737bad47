"""Group the clips that belong together, and choose which copy of a recording stays.

Copies of one recording are one group, and so are a clip and the clips that name it as their parent.
The best copy stays: that of a preferred corpus first, then a lossless codec, the higher sample
rate, the longer duration, the first id. A clip with a parent is an intended copy and stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fonoteka.corpus.union_find import UnionFind

_LOSSLESS = ("PCM_", "FLOAT", "DOUBLE", "ALAC_")


@dataclass(frozen=True, slots=True)
class DedupeClip:
    """The values of a clip that decide whether it stays.

    Attributes:
        rank: of its corpus in `dedupe.preferred`, lower is better. Others are as in the inventory.
    """

    id: str
    path: str
    codec: str
    sample_rate_hz: int
    duration_s: float
    parent: str
    rank: int = 0


@dataclass(frozen=True, slots=True)
class CopyPair:
    """Two clips of one recording, by id, with their similarity."""

    first: str
    second: str
    similarity: float
    lag_s: float


def quality_key(clip: DedupeClip) -> tuple[int, bool, int, float, str]:
    """Return the sort key that puts the best clip first.

    >>> flac = DedupeClip("b", "b.flac", "FLAC PCM_16", 16000, 1.0, "")
    >>> mp3 = DedupeClip("a", "a.mp3", "MP3 MPEG_LAYER_III", 44100, 2.0, "")
    >>> quality_key(flac) < quality_key(mp3)
    True
    """
    encoding = clip.codec.rpartition(" ")[2]
    lossy = not encoding.startswith(_LOSSLESS)
    return clip.rank, lossy, -clip.sample_rate_hz, -clip.duration_s, clip.id


def replacements(clips: Mapping[str, DedupeClip], pairs: Iterable[CopyPair]) -> dict[str, str]:
    """Return the clips that leave, each with the clip of its recording that stays."""
    recording_sets, copied_ids = UnionFind[str](), set()
    for pair in pairs:
        recording_sets.join(pair.first, pair.second)
        copied_ids |= {pair.first, pair.second}
    recordings = defaultdict(list)
    for id_ in sorted(copied_ids):
        if not clips[id_].parent:
            recordings[recording_sets.first(id_)].append(clips[id_])
    replaced_by: dict[str, str] = {}
    for copies in recordings.values():
        best = min(copies, key=quality_key)
        replaced_by |= {clip.id: best.id for clip in copies if clip.id != best.id}
    return replaced_by


def group_ids(
    staying: Iterable[DedupeClip], pairs: Iterable[CopyPair], exact: Mapping[str, str]
) -> dict[str, str]:
    """Return the first id of its group, for each clip that stays and is in a group.

    Args:
        staying: the clips that stay.
        pairs: clips of one recording, also those of which one leaves.
        exact: clips that left as exact duplicates, each with the clip that it equals; one may be
            the parent of a clip that stays.
    """
    sets = UnionFind[str]()
    for pair in pairs:
        sets.join(pair.first, pair.second)
    for removed, equal in exact.items():
        sets.join(removed, equal)
    staying = list(staying)
    for clip in staying:
        if clip.parent:
            sets.join(clip.id, clip.parent)
    members = defaultdict(list)
    for clip in staying:
        members[sets.first(clip.id)].append(clip.id)
    return {name: min(ids) for ids in members.values() if len(ids) > 1 for name in ids}
