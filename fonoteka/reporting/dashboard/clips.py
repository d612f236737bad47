"""The clips of a dashboard: names, columns, and which texts the page may quote.

The page is in git, more people read it than the recordings, and git keeps every version. So with
`name_people: false` a person is called by a pseudonym, and the texts of a person's clip, and its
phones, which reveal them, are quoted only if its licence is in a list. Error counts contain no text
and are given for all clips.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.licences import matches_licence
from fonoteka.manifest import Utterance
from fonoteka.scoring.error_rate import Errors

TIE_BREAK = (
    "Among alignments with equally few errors, the one that the scorer counts is shown: "
    "rapidfuzz.distance.Levenshtein.opcodes."
)


@dataclass(frozen=True)
class Privacy:
    """What a page may show.

    Attributes:
        name_people: whether it may name people and their clips, and quote any text.
        names: pseudonyms of people, by speaker; empty if `name_people`.
        licences: whole, `*` for any text; under these, texts and audio may be shown.
    """

    name_people: bool
    names: Mapping[str, str]
    licences: tuple[str, ...]

    def licensed(self, licence: str) -> bool:
        """Return whether a licence matches a pattern; the case of letters does not count.

        >>> privacy = Privacy(False, {}, ("CC0*",))
        >>> privacy.licensed("cc0 1.0"), privacy.licensed("not CC0"), privacy.licensed("")
        (True, False, False)
        """
        return matches_licence(licence, self.licences)

    def quotes(self, licence: str) -> bool:
        """Return whether texts of clips under a licence may be shown."""
        return self.name_people or self.licensed(licence)


@dataclass(frozen=True)
class DashboardClips:
    """The clips of the test split, in the order of their ids.

    Attributes:
        utterances: `n` of them.
        speakers: names, or pseudonyms of people; `n`.
        shown: whether the texts of each may be quoted; `n`.
        licensed: whether the audio of each may be copied; `n`.
    """

    utterances: tuple[Utterance, ...]
    speakers: tuple[str, ...]
    shown: tuple[bool, ...]
    licensed: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.utterances)

    def column(self, name: str) -> list[str]:
        """Return one value per clip: language, speaker, sex, source or licence."""
        if name == "speaker":
            return [*self.speakers]
        return [getattr(u, name) or "" for u in self.utterances]

    def quoted(self, texts: Sequence[str | None]) -> list[str | None]:
        """Return the texts of clips that may be quoted, and None for the others."""
        return [text if shown else None for text, shown in zip(texts, self.shown, strict=True)]


def clips_of(utterances: Iterable[Utterance], privacy: Privacy) -> DashboardClips:
    """Return the clips of the test split.

    Raises:
        UserError: the test split has no clip.
    """
    rows = tuple(sorted(utterances, key=lambda u: u.id))
    if not rows:
        raise UserError("the test split has no utterance to show; run dvc repro")
    return DashboardClips(
        rows,
        tuple(privacy.names.get(u.speaker, u.speaker) for u in rows),
        tuple(privacy.quotes(u.licence) for u in rows),
        tuple(privacy.licensed(u.licence) for u in rows),
    )


def clip_names(clips: DashboardClips) -> list[str]:
    """Return the ids of clips; those of a speaker with a pseudonym are numbered instead.

    Ids come from names of files, which can be names of people or the text that was spoken.
    """
    numbers: Counter[str] = Counter()
    names = []
    for u, speaker in zip(clips.utterances, clips.speakers, strict=True):
        numbers[speaker] += 1
        names.append(u.id if speaker == u.speaker else f"{speaker}, clip {numbers[speaker]:03}")
    return names


def clip_columns(clips: DashboardClips, snr_db: Mapping[str, float]) -> dict[str, Any]:
    """Return the columns of all clips, without audio.

    Args:
        clips: of the test split.
        snr_db: of the recordings, by id; a clip without one has none.
    """
    columns: dict[str, Any] = {"id": clip_names(clips)}
    for name in ("language", "speaker", "sex", "source", "licence"):
        values = clips.column(name)
        numbers = {value: number for number, value in enumerate(sorted(set(values)))}
        columns[name] = {"values": [*numbers], "index": [numbers[value] for value in values]}
    snr = [snr_db.get(u.id, math.nan) for u in clips.utterances]
    return columns | {
        "synthetic": [int(u.synthetic) for u in clips.utterances],
        "seconds": [round(u.duration_s, 2) for u in clips.utterances],
        "snr_db": [round(value, 1) if math.isfinite(value) else None for value in snr],
        "withheld": [index for index, shown in enumerate(clips.shown) if not shown],
        "withheld_reason": withheld_reason(clips),
        "audio": {},
        "audio_note": "",
    }


def withheld_reason(clips: DashboardClips) -> str:
    """Return why texts are not shown, with the number of clips under each licence; or nothing."""
    pairs = zip(clips.utterances, clips.shown, strict=True)
    counts = Counter(u.licence for u, shown in pairs if not shown)
    if not counts:
        return ""
    listed = ", ".join(f"{licence or 'no licence'} ({n})" for licence, n in sorted(counts.items()))
    return (
        f"Texts and phones of {counts.total()} clips are withheld, because their licences are not "
        f"in dashboard.licences and privacy.name_people is false: {listed}."
    )


def ops_of(pairs: Iterable[tuple[str | None, str | None]]) -> str:
    """Return an alignment as one character per step: equal, substituted, deleted, inserted.

    >>> ops_of([("a", "a"), ("b", "c"), ("d", None), (None, "e")])
    '=sdi'
    """
    return "".join(
        "i" if left is None else "d" if right is None else "=" if left == right else "s"
        for left, right in pairs
    )


def count_columns(name: str, errors: Sequence[Errors | None]) -> dict[str, Any]:
    """Return the three columns of counts of one normalisation; None is a clip without any."""
    return {
        kind: {name: [None if each is None else getattr(each, kind) for each in errors]}
        for kind in ("substitutions", "deletions", "insertions")
    }
