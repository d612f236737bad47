"""List which clips and speakers were added, removed or moved between two revisions.

Counts are from `reports/corpus.json`, which is in git on both sides. Clips and speakers are from
the manifests of both sides, which are read from dvc's cache by the hashes in `dvc.lock`. If the
cache does not have them, the page states that and shows the counts alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import split_lines
from fonoteka.pipeline.diff.compare_metric import AbsentError, number_in, plain
from fonoteka.pipeline.diff.sides import ComparedRevision

REPORT = "reports/corpus.json"
SPLITS = "data/splits"
PARTS = ("train", "valid", "test")
COUNTS = ("utterances", "hours", "speakers")


@dataclass(frozen=True)
class ManifestEntry:
    """The fields of a manifest line that a comparison needs."""

    part: str
    speaker: str
    duration_s: float


@dataclass(frozen=True)
class CorpusChange:
    """The difference between the corpora of two revisions.

    Attributes:
        parts: for each split its utterances, hours and speakers, each as (old, new).
        same_test: whether the test split has the same bytes on both sides.
        clips_in, clips_out: how many clips were added and removed, by their ids.
        hours_in, hours_out: their durations in hours.
        clips_moved: how many clips are in another split than before.
        speakers_in, speakers_out: speakers that were added and removed.
        unknown: why the clips and speakers cannot be listed; empty if they are.
    """

    parts: dict[str, dict[str, tuple[str, str]]]
    same_test: bool = True
    clips_in: int = 0
    clips_out: int = 0
    hours_in: float = 0.0
    hours_out: float = 0.0
    clips_moved: int = 0
    speakers_in: list[str] = field(default_factory=list)
    speakers_out: list[str] = field(default_factory=list)
    unknown: str = ""

    @property
    def changed(self) -> bool:
        """Whether any count or clip differs."""
        counts = (pair for part in self.parts.values() for pair in part.values())
        return bool(self.clips_in or self.clips_out or self.clips_moved) or any(
            old != new for old, new in counts
        )


def corpus_change(current: ComparedRevision, base: ComparedRevision) -> CorpusChange:
    """Return the difference between the corpora of two revisions.

    Raises:
        UserError: a count in a report of the corpus is not a number.
    """
    parts = {
        part: {name: (_count(base, part, name), _count(current, part, name)) for name in COUNTS}
        for part in PARTS
    }
    same = {part: _same(f"{SPLITS}/{part}.jsonl", current, base) for part in PARTS}
    if all(same.values()):
        return CorpusChange(parts)
    try:
        old, new = (
            clips({part: _manifest(side, f"{SPLITS}/{part}.jsonl") for part in PARTS})
            for side in (base, current)
        )
    except ValueError as error:
        return CorpusChange(parts, same["test"], unknown=str(error))
    return replace(_between(parts, old, new), same_test=same["test"])


def _same(file: str, current: ComparedRevision, base: ComparedRevision) -> bool:
    return _hash(current, file) == _hash(base, file) != ""


def _between(
    parts: dict[str, dict[str, tuple[str, str]]],
    old: dict[str, ManifestEntry],
    new: dict[str, ManifestEntry],
) -> CorpusChange:
    added, removed = new.keys() - old.keys(), old.keys() - new.keys()
    now, before = ({clip.speaker for clip in side.values()} for side in (new, old))
    return CorpusChange(
        parts,
        clips_in=len(added),
        clips_out=len(removed),
        hours_in=round(sum(new[clip].duration_s for clip in sorted(added)) / 3600, 4),
        hours_out=round(sum(old[clip].duration_s for clip in sorted(removed)) / 3600, 4),
        clips_moved=sum(old[clip].part != new[clip].part for clip in old.keys() & new.keys()),
        speakers_in=sorted(now - before),
        speakers_out=sorted(before - now),
    )


def clips(texts: Mapping[str, str]) -> dict[str, ManifestEntry]:
    """Return the clips of manifests by their ids.

    Args:
        texts: the contents of the manifest of each split.

    Raises:
        UserError: a line does not have the fields of a manifest.
    """
    entries = {}
    for part, text in texts.items():
        for number, line in enumerate(split_lines(text), 1):
            try:
                row = json.loads(line)
                entries[row["id"]] = ManifestEntry(
                    part, str(row["speaker"]), float(row["duration_s"])
                )
            except (ValueError, KeyError, TypeError) as error:
                raise UserError(f"{part}.jsonl:{number}: not a line of a manifest") from error
    return entries


def _count(side: ComparedRevision, part: str, name: str) -> str:
    """Return a count of the audit; empty if the report of this side has no such split."""
    try:
        return plain(number_in(side.report, REPORT, f"parts.{part}.{name}"))
    except AbsentError:
        return ""


def _hash(side: ComparedRevision, file: str) -> str:
    return side.outputs[file].md5 if file in side.outputs else ""


def _manifest(side: ComparedRevision, file: str) -> str:
    """Return a manifest of a side, from dvc's cache.

    Raises:
        UserError: dvc.lock does not name it, or the cache does not have it.
    """
    if not (md5 := _hash(side, file)):
        raise UserError(f"{side.name}: dvc.lock does not name {file}")
    path = cached(md5)
    if not path.is_file():
        raise UserError(f"{side.name}: {file} is not in dvc's cache; get it with dvc fetch")
    return path.read_text(encoding="utf-8")


def cached(md5: str) -> Path:
    """Return the path that a file with a hash has in dvc's cache, whether it exists or not.

    Raises:
        UserError: the current folder is not in a dvc repository.
    """
    from fonoteka.pipeline.dvc_api import open_repo

    with open_repo() as repo:
        cache: Any = repo.cache.local
        return Path(cache.oid_to_path(md5))
