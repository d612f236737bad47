"""Find what two parts of a split share, from the clips alone, and name the clips.

Nothing here knows how the parts were made. What can be read in two places, the manifest and the
inventory, is taken from both: a value that got lost or was bent on the way still tells.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fonoteka.manifest import Utterance
from fonoteka.text.transliteration import name_key

Parts = Mapping[str, Sequence[Utterance]]
Found = tuple[str, str, str]
"""A value, the part in which it is, and the id of the clip that has it."""

KINDS = ("speaker", "session", "group", "parent", "id", "sound", "audio", "sentence")
SHOWN_CLIPS = 3


@dataclass(frozen=True)
class Leak:
    """Something that may be in one place only, and is in several.

    Attributes:
        kind: one of `KINDS`, or what another check calls it.
        value: what is shared.
        clips: the ids of the clips that share it, by part.
    """

    kind: str
    value: str
    clips: Mapping[str, tuple[str, ...]]

    def __str__(self) -> str:
        """Say it in words, with the clips.

        >>> print(Leak("speaker", "c/a", {"train": ("1", "2", "3", "4"), "test": ("5",)}))
        speaker 'c/a' is in train (1, 2, 3 and 1 more) and in test (5)
        """
        where = " and in ".join(f"{part} ({_few(ids)})" for part, ids in self.clips.items())
        if len(self.clips) < 2:
            return f"{self.kind}: {self.value} in {where}"
        return f"{self.kind} {self.value!r} is in {where}"


def _few(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - SHOWN_CLIPS} more" if len(ids) > SHOWN_CLIPS else ""
    return ", ".join(ids[:SHOWN_CLIPS]) + more


def across(kind: str, found: Iterable[Found]) -> list[Leak]:
    """Return the values that are in two or more parts, sorted; parts in the order first seen."""
    clips: dict[str, dict[str, set[str]]] = defaultdict(dict)
    order: dict[str, None] = {}
    for value, part, key in found:
        order[part] = None
        clips[value].setdefault(part, set()).add(key)
    return [
        Leak(kind, value, {part: tuple(sorted(held[part])) for part in order if part in held})
        for value, held in sorted(clips.items())
        if len(held) > 1
    ]


def leaks(parts: Parts, inventory: Mapping[str, Mapping[str, str]]) -> dict[str, list[Leak]]:
    """Return all that one part knows of another, by kind; `sentence` may be allowed, the rest not.

    Args:
        parts: the utterances of each part.
        inventory: the rows of the inventory by id, with `speaker`, `session`, `parent` and
            `pcm_sha256`. A clip that has no row is judged by its line in the manifest.
    """
    clips = [(part, row, inventory.get(row.id, {})) for part in parts for row in parts[part]]
    family = _families(clips, inventory)
    found: dict[str, list[Found]] = {kind: [] for kind in KINDS}
    for part, row, known in clips:
        values = {
            "speaker": {name_key(row.speaker), name_key(known.get("speaker", ""))},
            "session": {name_key(row.session or ""), name_key(known.get("session", ""))},
            "group": {row.group or ""},
            "parent": {family[row.id]},
            "id": {row.id},
            "sound": {known.get("pcm_sha256", "")},
            "sentence": {row.normalized},
        }
        for kind, held in values.items():
            found[kind] += [(value, part, row.id) for value in sorted(held - {""})]
    said = {kind: across(kind, found[kind]) for kind in KINDS}
    return said | {"audio": _twice(parts)}


def _families(
    clips: Iterable[tuple[str, Utterance, Mapping[str, str]]],
    inventory: Mapping[str, Mapping[str, str]],
) -> dict[str, str]:
    """Return the oldest known ancestor of each clip that has relatives, and nothing of others.

    The chain leads through clips that are in no part too: two copies of a recording that was
    quarantined are still two copies of one recording.
    """
    parent = {key: row["parent"] for key, row in inventory.items() if row.get("parent")}
    ids = []
    for _, row, _ in clips:
        ids.append(row.id)
        if row.parent:
            parent[row.id] = row.parent
    root = {key: _root(key, parent) for key in ids}
    relatives = Counter(root.values())
    return {key: oldest if relatives[oldest] > 1 else "" for key, oldest in root.items()}


def _root(key: str, parent: Mapping[str, str]) -> str:
    path = [key]
    while (above := parent.get(path[-1])) is not None:
        if above in path:  # a circle has no oldest; any name that all of it agrees on will do
            return min(path[path.index(above) :])
        path.append(above)
    return path[-1]


def _twice(parts: Parts) -> list[Leak]:
    """Return the files that two lines refer to, be it in one part."""
    lines: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for part, rows in parts.items():
        for row in rows:
            lines[row.audio].append((part, row.id))
    return [
        Leak(
            "audio", audio, {part: tuple(sorted(i for p, i in held if p == part)) for part in seen}
        )
        for audio, held in sorted(lines.items())
        if len(held) > 1
        for seen in [dict.fromkeys(part for part, _ in held)]
    ]


def flat(found: Mapping[str, Sequence[Leak]]) -> Iterator[Leak]:
    """Give all leaks, kind after kind."""
    for held in found.values():
        yield from held
