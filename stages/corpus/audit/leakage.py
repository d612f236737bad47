"""Find the values that two splits share, from the clips alone, and name the clips.

This module shares no code with the stage that assigns the splits. Values that are in the manifest
and in the inventory are read from both, so a value that one of them lost or changed is still found.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fonoteka.manifest import Utterance
from fonoteka.text.transliteration import name_key

Parts = Mapping[str, Sequence[Utterance]]
Occurrence = tuple[str, str, str]
"""A value, the split that contains it, and the id of the clip that has it."""

KINDS = ("speaker", "session", "group", "parent", "id", "sound", "audio", "sentence")
SHOWN_CLIPS = 3


@dataclass(frozen=True)
class Leak:
    """A value that may be in one split only, and is in several.

    Attributes:
        kind: one of `KINDS`, or the name that another check gives it.
        value: the shared value.
        clips: the ids of the clips that share it, by split.
    """

    kind: str
    value: str
    clips: Mapping[str, tuple[str, ...]]

    def __str__(self) -> str:
        """Return the leak as a sentence, with the clips.

        >>> print(Leak("speaker", "c/a", {"train": ("1", "2", "3", "4"), "test": ("5",)}))
        speaker 'c/a' is in train (1, 2, 3 and 1 more) and in test (5)
        """
        places = " and in ".join(f"{part} ({_first_ids(ids)})" for part, ids in self.clips.items())
        if len(self.clips) < 2:
            return f"{self.kind}: {self.value} in {places}"
        return f"{self.kind} {self.value!r} is in {places}"


def _first_ids(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - SHOWN_CLIPS} more" if len(ids) > SHOWN_CLIPS else ""
    return ", ".join(ids[:SHOWN_CLIPS]) + more


def shared_values(kind: str, occurrences: Iterable[Occurrence]) -> list[Leak]:
    """Return the values that are in two or more splits, sorted; splits in order of occurrence."""
    clips: dict[str, dict[str, set[str]]] = defaultdict(dict)
    order: dict[str, None] = {}
    for value, part, key in occurrences:
        order[part] = None
        clips[value].setdefault(part, set()).add(key)
    return [
        Leak(
            kind,
            value,
            {part: tuple(sorted(ids_by_part[part])) for part in order if part in ids_by_part},
        )
        for value, ids_by_part in sorted(clips.items())
        if len(ids_by_part) > 1
    ]


def find_leaks(parts: Parts, inventory: Mapping[str, Mapping[str, str]]) -> dict[str, list[Leak]]:
    """Return the values that splits share, by kind; only those of `sentence` may be allowed.

    Args:
        parts: the utterances of each split.
        inventory: the rows of the inventory by id, with `speaker`, `session`, `parent` and
            `pcm_sha256`. For a clip without a row, only its line in the manifest counts.
    """
    clips = [(part, row, inventory.get(row.id, {})) for part in parts for row in parts[part]]
    ancestors = _oldest_ancestors(clips, inventory)
    occurrences: dict[str, list[Occurrence]] = {kind: [] for kind in KINDS}
    for part, row, inventory_row in clips:
        values = {
            "speaker": {name_key(row.speaker), name_key(inventory_row.get("speaker", ""))},
            "session": {name_key(row.session or ""), name_key(inventory_row.get("session", ""))},
            "group": {row.group or ""},
            "parent": {ancestors[row.id]},
            "id": {row.id},
            "sound": {inventory_row.get("pcm_sha256", "")},
            "sentence": {row.normalized},
        }
        for kind, kind_values in values.items():
            occurrences[kind] += [(value, part, row.id) for value in sorted(kind_values - {""})]
    result = {kind: shared_values(kind, occurrences[kind]) for kind in KINDS}
    return result | {"audio": _files_used_twice(parts)}


def _oldest_ancestors(
    clips: Iterable[tuple[str, Utterance, Mapping[str, str]]],
    inventory: Mapping[str, Mapping[str, str]],
) -> dict[str, str]:
    """Return the oldest known ancestor of each clip that has relatives, and "" for other clips.

    The chain leads through clips that are in no split too: two copies of a recording that was
    quarantined are still two copies of one recording.
    """
    parent = {key: row["parent"] for key, row in inventory.items() if row.get("parent")}
    ids = []
    for _, row, _ in clips:
        ids.append(row.id)
        if row.parent:
            parent[row.id] = row.parent
    ancestors = {key: _oldest_ancestor(key, parent) for key in ids}
    relatives = Counter(ancestors.values())
    return {key: oldest if relatives[oldest] > 1 else "" for key, oldest in ancestors.items()}


def _oldest_ancestor(key: str, parent: Mapping[str, str]) -> str:
    path = [key]
    while (ancestor := parent.get(path[-1])) is not None:
        if ancestor in path:  # a circle has no oldest clip: its first name is the same for all
            return min(path[path.index(ancestor) :])
        path.append(ancestor)
    return path[-1]


def _files_used_twice(parts: Parts) -> list[Leak]:
    """Return the files that two lines refer to, in the same split too."""
    lines: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for part, rows in parts.items():
        for row in rows:
            lines[row.audio].append((part, row.id))
    return [
        Leak("audio", audio, _ids_by_part(places))
        for audio, places in sorted(lines.items())
        if len(places) > 1
    ]


def _ids_by_part(places: Sequence[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Return the sorted ids of each split, splits in order of occurrence.

    >>> _ids_by_part([("train", "b"), ("test", "c"), ("train", "a")])
    {'train': ('a', 'b'), 'test': ('c',)}
    """
    ids: dict[str, list[str]] = {}
    for part, id_ in places:
        ids.setdefault(part, []).append(id_)
    return {part: tuple(sorted(part_ids)) for part, part_ids in ids.items()}


def flatten(leaks_by_kind: Mapping[str, Sequence[Leak]]) -> Iterator[Leak]:
    """Yield all leaks, kind after kind."""
    for leaks in leaks_by_kind.values():
        yield from leaks
