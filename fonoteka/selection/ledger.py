"""The ledger: which clips were queued for transcription, so that none is queued twice.

    data/selection/ledger.csv   one row per queued clip, in the order of the queues

A row is never removed: a clip whose recording is erased stays known by its id and hash. The column
`imported` names the corpus that has the transcript.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.pipeline.exclusive_lock import exclusive_lock
from fonoteka.tables import read_numbered, write_table

LEDGER = Path("data/selection/ledger.csv")


@dataclass(frozen=True)
class QueuedClip:
    """One row of the ledger.

    Attributes:
        id: of the clip, see `fonoteka.manifest.utterance_id`.
        corpus: name of the corpus that has the recording.
        path: of the recording, relative to the corpus's folder.
        sha256: of the recording's bytes.
        seconds: of the recording.
        queue: name of the queue's file.
        model: whose posteriors were used.
        strategy: by which the clip was chosen.
        uncertainty: expected share of wrong phones.
        imported: the corpus that has the transcript; empty until it is imported.
    """

    id: str
    corpus: str
    path: str
    sha256: str
    seconds: str
    queue: str
    model: str
    strategy: str
    uncertainty: str
    imported: str = ""


COLUMNS = tuple(field.name for field in fields(QueuedClip))


def read_ledger(path: Path) -> dict[str, QueuedClip]:
    """Return the queued clips by id; empty before the first queue.

    Raises:
        UserError: the ledger is not the table that `write_ledger` writes, or has an id twice.
    """
    if not path.is_file():
        return {}
    clips: dict[str, QueuedClip] = {}
    for number, row in read_numbered(path, COLUMNS):
        if row["id"] in clips:
            raise UserError(f"{path}:{number}: id {row['id']!r} occurs twice; remove one row")
        clips[row["id"]] = QueuedClip(**{name: row[name] for name in COLUMNS})
    return clips


def write_ledger(path: Path, clips: Sequence[QueuedClip]) -> None:
    """Write the ledger, in the given order."""
    write_table(path, COLUMNS, map(asdict, clips))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the ledger: two selections at once would queue the same clips.

    Raises:
        UserError: another process holds it.
    """
    held = f"{path}: another select is at work on it; wait until that has ended"
    with exclusive_lock(path.with_name(f".{path.name}.lock"), lambda: held):
        yield
