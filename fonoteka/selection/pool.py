"""The recordings of corpora that have no transcript."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.corpus.corpus import (
    CARD,
    TABLE,
    TABLE_COLUMNS,
    is_audio,
    read_card,
    read_clips,
)
from fonoteka.manifest import utterance_id
from fonoteka.tables import read_table

RAW = Path("data/raw")
ORIGIN = "origin"
"""Column of an imported corpus: the id of the recording that a transcript is of."""


@dataclass(frozen=True)
class PoolClip:
    """A recording without a transcript.

    Attributes:
        id: see `fonoteka.manifest.utterance_id`.
        corpus: name of its corpus.
        path: relative to the corpus's folder.
        file: the recording.
        speaker: `corpus/name`.
        language: code; empty if the table does not state it.
    """

    id: str
    corpus: str
    path: str
    file: Path
    speaker: str
    language: str


@dataclass
class Pool:
    """The recordings without a transcript, and the counts of the others by reason."""

    clips: list[PoolClip] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)


def read_pool(raw: Path, names: Sequence[str] = ()) -> Pool:
    """Return the pool of corpora, sorted by id.

    Args:
        raw: folder of the corpora.
        names: of the corpora; all of them if empty.

    Raises:
        UserError: a corpus does not exist or is invalid, or none has a recording without a
            transcript.
    """
    present = sorted(path.parent.name for path in raw.glob(f"*/{CARD}"))
    if unknown := sorted({*names} - {*present}):
        raise UserError(f"{raw / unknown[0]}: no such corpus; expected one of {present}")
    pool = Pool()
    for name in sorted({*names}) or present:
        _read_corpus(raw / name, pool)
    done = _origins(raw, present)
    pool.others["transcribed in another corpus"] = sum(clip.id in done for clip in pool.clips)
    pool.others = +pool.others  # without counts of 0
    pool.clips = [clip for clip in pool.clips if clip.id not in done]
    if not pool.clips:
        counted = ", ".join(f"{count} {reason}" for reason, count in sorted(pool.others.items()))
        raise UserError(
            f"{raw}: no recording without a transcript ({counted or 'no corpus'}); add some with "
            "corpus add --allow-untranscribed"
        )
    pool.clips.sort(key=lambda clip: clip.id)
    return pool


def _origins(raw: Path, names: Sequence[str]) -> set[str]:
    """Return the ids of recordings whose transcripts were imported into one of the corpora.

    The ledger states them too; this holds if the ledger was lost or is on another machine.
    """
    tables = (read_table(raw / name / TABLE, TABLE_COLUMNS) for name in names)
    return {row.get(ORIGIN, "") for rows in tables for row in rows}


def _read_corpus(folder: Path, pool: Pool) -> None:
    card = read_card(folder)
    rows = read_clips(folder)
    for row in rows:
        if row.text:
            pool.others["transcribed"] += 1
        elif row.parent:
            pool.others["copies of another recording"] += 1
        else:
            pool.clips.append(
                PoolClip(
                    utterance_id(card.name, row.path), card.name, row.path, folder / row.path,
                    f"{card.name}/{row.speaker}", row.language,
                )
            )  # fmt: skip
    audio = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if is_audio(p.name)}
    pool.others["without a row in metadata.csv"] += len(audio - {row.path for row in rows})
