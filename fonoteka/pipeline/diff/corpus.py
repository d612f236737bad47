"""Tell what of the corpus came, went or moved between two revisions.

Counts are from `reports/corpus.json`, which is in git on both sides. Which clips and which speakers
they are, the manifests of the parts tell: those of the base from dvc's cache, by the hashes in its
`dvc.lock`. Where the cache hasn't them, that is said, and the counts stand alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.pipeline.diff.compare_metric import AbsentError, number_in, plain
from fonoteka.pipeline.diff.sides import Side

REPORT = "reports/corpus.json"
SPLITS = "data/splits"
PARTS = ("train", "valid", "test")
COUNTS = ("utterances", "hours", "speakers")


@dataclass(frozen=True)
class Clip:
    """A line of a manifest, as far as it matters here."""

    part: str
    speaker: str
    duration_s: float


@dataclass(frozen=True)
class CorpusChange:
    """What became of the corpus.

    Attributes:
        parts: for each part its utterances, hours and speakers, each as (old, new).
        same_test: whether the test part has the same bytes on both sides.
        clips_in, clips_out: how many came and went, by their ids.
        hours_in, hours_out: how long they are.
        clips_moved: how many are in another part than before.
        speakers_in, speakers_out: who came and went.
        unknown: why it isn't known which clips and speakers these are; empty where it is.
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
        """Whether anything differs, as far as is known."""
        counts = (pair for part in self.parts.values() for pair in part.values())
        return bool(self.clips_in or self.clips_out or self.clips_moved) or any(
            old != new for old, new in counts
        )


def corpus_change(here: Side, base: Side) -> CorpusChange:
    """Return what became of the corpus.

    Raises:
        ValueError: a report of the corpus holds something else than numbers.
    """
    parts = {
        part: {name: (_count(base, part, name), _count(here, part, name)) for name in COUNTS}
        for part in PARTS
    }
    same = {part: _same(f"{SPLITS}/{part}.jsonl", here, base) for part in PARTS}
    if all(same.values()):
        return CorpusChange(parts)
    try:
        old, new = (
            clips({part: _manifest(side, f"{SPLITS}/{part}.jsonl") for part in PARTS})
            for side in (base, here)
        )
    except ValueError as error:
        return CorpusChange(parts, same["test"], unknown=str(error))
    return replace(_between(parts, old, new), same_test=same["test"])


def _same(file: str, here: Side, base: Side) -> bool:
    return _hash(here, file) == _hash(base, file) != ""


def _between(
    parts: dict[str, dict[str, tuple[str, str]]], old: dict[str, Clip], new: dict[str, Clip]
) -> CorpusChange:
    came, went = new.keys() - old.keys(), old.keys() - new.keys()
    now, before = ({clip.speaker for clip in side.values()} for side in (new, old))
    return CorpusChange(
        parts,
        clips_in=len(came),
        clips_out=len(went),
        hours_in=round(sum(new[clip].duration_s for clip in sorted(came)) / 3600, 4),
        hours_out=round(sum(old[clip].duration_s for clip in sorted(went)) / 3600, 4),
        clips_moved=sum(old[clip].part != new[clip].part for clip in old.keys() & new.keys()),
        speakers_in=sorted(now - before),
        speakers_out=sorted(before - now),
    )


def clips(texts: Mapping[str, str]) -> dict[str, Clip]:
    """Return the clips of manifests by their ids.

    Args:
        texts: what is in the manifest of each part.

    Raises:
        ValueError: a line isn't one of a manifest.
    """
    found = {}
    for part, text in texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            try:
                row = json.loads(line)
                found[row["id"]] = Clip(part, str(row["speaker"]), float(row["duration_s"]))
            except (ValueError, KeyError, TypeError) as error:
                raise UserError(f"{part}.jsonl:{number}: not a line of a manifest") from error
    return found


def _count(side: Side, part: str, name: str) -> str:
    """Return a count of the audit; empty where this side's report has no such part."""
    try:
        return plain(number_in(side.report, REPORT, f"parts.{part}.{name}"))
    except AbsentError:
        return ""


def _hash(side: Side, file: str) -> str:
    return side.outputs[file].md5 if file in side.outputs else ""


def _manifest(side: Side, file: str) -> str:
    """Return a manifest of a side, from dvc's cache.

    Raises:
        ValueError: dvc.lock doesn't name it, or the cache hasn't it.
    """
    if not (md5 := _hash(side, file)):
        raise UserError(f"{side.name}: dvc.lock doesn't name {file}")
    path = cached(md5)
    if not path.is_file():
        raise UserError(f"{side.name}: {file} is not in dvc's cache; get it with dvc fetch")
    return path.read_text(encoding="utf-8")


def cached(md5: str) -> Path:
    """Return where dvc's cache has a file of a hash, or would have it.

    Raises:
        ValueError: this is no dvc repository.
    """
    from dvc.repo import Repo

    from fonoteka.pipeline.dvc_api import one_sentence

    with one_sentence(), Repo() as repo:
        cache: Any = repo.cache.local
        return Path(cache.oid_to_path(md5))
