"""Find the speakers who stay in one split: a session, a recording or a name connects them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from fonoteka.corpus.union_find import UnionFind
from fonoteka.manifest import Utterance
from fonoteka.text.transliteration import name_key

Node = tuple[str, str]


@dataclass(frozen=True)
class SpeakerGroup:
    """Speakers that are assigned to one split together; most groups have one speaker.

    Attributes:
        speakers: sorted.
        languages: all languages of the speakers.
        shared: the values that several speakers share, as `session c/x`; empty for one speaker.
    """

    speakers: tuple[str, ...]
    languages: frozenset[str]
    shared: tuple[str, ...]

    @property
    def first(self) -> str:
        """The speaker whose name represents the group."""
        return self.speakers[0]


def speaker_groups(
    utterances: Iterable[Utterance], parents: Mapping[str, str]
) -> list[SpeakerGroup]:
    """Return the connected components of the clips, sorted by first speaker.

    Two clips are connected if they share a speaker (in any spelling), a session or a near-duplicate
    group, or if one was made from the other.

    Args:
        utterances: of all splits.
        parents: from a clip to the clip it was made from, for clips that are not utterances too:
            copies of a quarantined recording stay together.
    """
    sets = UnionFind[Node]()
    for child, parent in sorted(parents.items()):
        sets.join(("clip", child), ("clip", parent))
    rows = list(utterances)
    for row in rows:
        for node in _nodes(row):
            sets.join(("clip", row.id), node)
    members: dict[Node, list[Utterance]] = defaultdict(list)
    for row in rows:
        members[sets.first(("clip", row.id))].append(row)
    return sorted(
        (_speaker_group(group_rows, parents) for group_rows in members.values()),
        key=lambda group: group.first,
    )


def _nodes(row: Utterance) -> Iterator[Node]:
    yield "speaker", _canonical(row.speaker)
    if row.session:
        yield "session", _canonical(row.session)
    for clip in (row.group, row.parent):
        if clip:
            yield "clip", clip


def _canonical(name: str) -> str:
    """Return the common form of all spellings of a name, as the column `ties` shows it."""
    return " ".join(name_key(name).replace("/", " / ").split())


def _speaker_group(rows: list[Utterance], parents: Mapping[str, str]) -> SpeakerGroup:
    speakers_by_value: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        speakers_by_value[f"name {_canonical(row.speaker)}"].add(row.speaker)
        if row.session:
            speakers_by_value[f"session {row.session}"].add(row.speaker)
        clips = {row.id, row.parent or "", parents.get(row.id, "")} - {""}
        for value in (
            *(f"clip {clip}" for clip in clips),
            *[f"group {row.group}"] * bool(row.group),
        ):
            speakers_by_value[value].add(row.speaker)
    return SpeakerGroup(
        tuple(sorted({row.speaker for row in rows})),
        frozenset(row.language for row in rows),
        tuple(sorted(value for value, speakers in speakers_by_value.items() if len(speakers) > 1)),
    )
