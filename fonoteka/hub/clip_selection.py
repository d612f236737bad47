"""The clips that may be passed on, with names that do not name people.

A clip's id contains the name of its file, and that often the name of its speaker. So a published
clip is named by its corpus and a number, and a person by the pseudonym that the reports use.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka.licences import matches_licence
from fonoteka.lineage import Manifests
from fonoteka.manifest import PARTS, Utterance
from fonoteka.pseudonyms import pseudonyms_of

FIELDS = (
    "file_name", "text", "normalized", "phones", "language", "speaker", "seconds", "licence",
    "source", "synthetic",
)  # fmt: skip


@dataclass(frozen=True)
class PublishedClip:
    """A clip that is passed on.

    Attributes:
        split: train, valid or test.
        name: of its file, without a suffix.
        utterance: from the manifest.
        speaker: the pseudonym of a person, or the name of a synthetic voice.
    """

    split: str
    name: str
    utterance: Utterance
    speaker: str

    def metadata(self, file_name: str) -> dict[str, Any]:
        """Return the row of the clip, keys as in `FIELDS`."""
        u = self.utterance
        values = (
            file_name, u.text, u.normalized, " ".join(u.phones), u.language, self.speaker,
            u.duration_s, u.licence, u.source, u.synthetic,
        )  # fmt: skip
        return dict(zip(FIELDS, values, strict=True))


@dataclass(frozen=True)
class ClipSelection:
    """The clips of all splits.

    Attributes:
        clips: that are passed on, sorted by split and name.
        left_out: number of clips by corpus and licence.
    """

    clips: tuple[PublishedClip, ...]
    left_out: Mapping[tuple[str, str], int]

    def of_split(self, split: str) -> Iterator[PublishedClip]:
        """Yield the clips of a split by name."""
        return (clip for clip in self.clips if clip.split == split)


def licence_id(licence: str, licence_ids: Mapping[str, str]) -> str | None:
    """Return the name of a licence on a hub, or None if it is not one that is passed on.

    >>> licence_id("CC BY 4.0", {"cc by 4.0": "cc-by-4.0"})
    'cc-by-4.0'
    >>> licence_id("CC BY 4.0, not for children", {"CC BY 4.0": "cc-by-4.0"})
    """
    for pattern, name in licence_ids.items():
        if matches_licence(licence, [pattern]):
            return name
    return None


def select_clips(
    manifests: Manifests, speakers: Path, licence_ids: Mapping[str, str]
) -> ClipSelection:
    """Return the clips whose licence is one of `licence_ids`.

    Args:
        manifests: of all splits.
        speakers: data/splits/speakers.csv.
        licence_ids: see `HubParams`.

    Raises:
        UserError: a speaker is not in the table.
    """
    names = _names(manifests)
    people = {u.speaker for rows in manifests.values() for u in rows if not u.synthetic}
    aliases = pseudonyms_of(people, speakers)
    clips, left_out = [], Counter[tuple[str, str]]()
    for split in PARTS:
        for u in manifests[split]:
            if licence_id(u.licence, licence_ids) is None:
                left_out[u.source, u.licence] += 1
            else:
                speaker = aliases.get(u.speaker, u.speaker)
                clips.append(PublishedClip(split, names[u.id], u, speaker))
    clips.sort(key=lambda clip: (PARTS.index(clip.split), clip.name))
    return ClipSelection(tuple(clips), dict(sorted(left_out.items())))


def _names(manifests: Manifests) -> dict[str, str]:
    """Return the published name of each clip by id: its corpus, and its number in the corpus."""
    ids = defaultdict(list)
    for rows in manifests.values():
        for u in rows:
            ids[u.source].append(u.id)
    return {
        key: f"{source}-{number:06}"
        for source, keys in ids.items()
        for number, key in enumerate(sorted(keys), start=1)
    }
