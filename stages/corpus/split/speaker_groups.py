"""Find which speakers can't be parted: one sitting, one recording, or one name spelled twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from fonoteka.corpus.union_find import UnionFind
from fonoteka.manifest import Utterance
from fonoteka.text.transliteration import name_key

Node = tuple[str, str]


@dataclass(frozen=True)
class Tied:
    """Speakers that fall into one part together; mostly one speaker alone.

    Attributes:
        speakers: sorted.
        languages: what any of them speaks.
        ties: what several of them share, as `session c/x`; empty for one speaker alone.
    """

    speakers: tuple[str, ...]
    languages: frozenset[str]
    ties: tuple[str, ...]

    @property
    def first(self) -> str:
        """The speaker whose name stands for all of them."""
        return self.speakers[0]


def tied(utterances: Iterable[Utterance], parents: Mapping[str, str]) -> list[Tied]:
    """Return the components of the graph in which clips hang together, sorted by first speaker.

    Two clips hang together when they share a speaker (spelling apart), a session or a near-
    duplicate group, or when one was made from the other.

    Args:
        utterances: of all parts.
        parents: from a clip to the one it was made from, also of clips that are no utterances:
            copies of one recording stay together when the recording itself was set aside.
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
        (_component(each, parents) for each in members.values()), key=lambda each: each.first
    )


def _nodes(row: Utterance) -> Iterator[Node]:
    yield "speaker", _plain(row.speaker)
    if row.session:
        yield "session", _plain(row.session)
    for clip in (row.group, row.parent):
        if clip:
            yield "clip", clip


def _plain(name: str) -> str:
    """Return what all spellings of a name share, as it stands in the reason for a tie."""
    return " ".join(name_key(name).replace("/", " / ").split())


def _component(rows: list[Utterance], parents: Mapping[str, str]) -> Tied:
    by_tie: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        by_tie[f"name {_plain(row.speaker)}"].add(row.speaker)
        if row.session:
            by_tie[f"session {row.session}"].add(row.speaker)
        clips = {row.id, row.parent or "", parents.get(row.id, "")} - {""}
        for tie in (*(f"clip {clip}" for clip in clips), *[f"group {row.group}"] * bool(row.group)):
            by_tie[tie].add(row.speaker)
    return Tied(
        tuple(sorted({row.speaker for row in rows})),
        frozenset(row.language for row in rows),
        tuple(sorted(tie for tie, speakers in by_tie.items() if len(speakers) > 1)),
    )
