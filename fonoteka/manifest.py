"""The manifest: JSON lines with one utterance per line, sorted by id and strictly validated.

The stage `manifest` writes it from the transcripts, the corpora's columns and the index of the
prepared audio; from there on an utterance is the same in every stage.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json_lines, split_lines, write_json_lines


@dataclass(frozen=True)
class Utterance:
    """One prepared clip with its transcript and metadata.

    Attributes:
        id: derived from the corpus name and the relative path, see `utterance_id`.
        audio: `shard.tar/name.flac` in data/audio.
        speaker: `corpus/name`, so that two corpora cannot share a speaker by accident.
        language: `bs`, `en`, `hr` or `sr`.
        text: as in the corpus.
        normalized: canonical Latin text, see `fonoteka.text.normalizer`.
        phones: symbols of the inventory in `fonoteka.phones`.
        duration_s: seconds of the prepared clip, after trimming; above 0.
        source: name of the corpus.
        licence: as the corpus states it.
        synthetic: True if the speech is synthetic.
        phone_times_s: `(start, end)` of each phone in seconds of the prepared clip, if known.
        session: `corpus/name` of the recording session, if known.
        parent: id of the clip that this one is a changed copy of.
        group: id of the first clip of a group of near-duplicates.
        sex: of the speaker, `f` or `m`, if known.
    """

    id: str
    audio: str
    speaker: str
    language: str
    text: str
    normalized: str
    phones: tuple[str, ...]
    duration_s: float
    source: str
    licence: str
    synthetic: bool
    phone_times_s: tuple[tuple[float, float], ...] | None = None
    session: str | None = None
    parent: str | None = None
    group: str | None = None
    sex: str | None = None


@dataclass(frozen=True)
class Transcript:
    """The canonical text and the phones of a recording.

    Attributes:
        id: of the clip.
        language: `bs`, `en`, `hr` or `sr`.
        normalized: canonical Latin text, see `fonoteka.text.normalizer`.
        phones: symbols of the inventory in `fonoteka.phones`.
        phone_times_s: `(start, end)` of each phone in seconds of the recording before trimming, if
            the corpus knows them.
    """

    id: str
    language: str
    normalized: str
    phones: tuple[str, ...]
    phone_times_s: tuple[tuple[float, float], ...] | None = None


def write_transcripts(path: Path, transcripts: Iterable[Transcript]) -> None:
    """Write transcripts, one JSON line per clip, sorted by id."""
    rows = sorted(transcripts, key=lambda transcript: transcript.id)
    write_json_lines(path, map(_record, rows))


def read_transcripts(path: Path) -> dict[str, Transcript]:
    """Return what `write_transcripts` wrote, by id."""
    transcripts = {}
    for record in read_json_lines(path):
        times = record.get("phone_times_s")
        if times is not None:
            record["phone_times_s"] = tuple((start, end) for start, end in times)
        record["phones"] = tuple(record["phones"])
        transcripts[record["id"]] = Transcript(**record)
    return transcripts


PARTS = ("train", "valid", "test")
"""The splits; each speaker is in one of them."""
WHERE_KNOWN = ("phone_times_s", "session", "parent", "group", "sex")
"""Keys that a line omits if their value is unknown."""


def utterance_id(corpus: str, relative_path: str) -> str:
    """Return the id of a clip: readable, unique, and independent of other clips.

    >>> utterance_id("fsdd", "audio/0_jackson_0.wav")
    'fsdd-0_jackson_0-c7eee28d'
    """
    stem = "".join(
        c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in Path(relative_path).stem
    )
    # The hash is that of the path and not of the content: a clip keeps its id, and with it its
    # split, when its samples are corrected. Eight digits are 32 bits: among 10,000 clips two hashes
    # are equal with a chance of 1 %, and two ids only if their readable parts are equal too.
    digest = hashlib.sha256(f"{corpus}/{relative_path}".encode()).hexdigest()
    return f"{corpus}-{stem[:40]}-{digest[:8]}"


def write(path: Path, utterances: Iterable[Utterance]) -> None:
    """Write a manifest, sorted by id.

    Raises:
        ValueError: an id occurs twice or a number is not finite.
    """
    rows = sorted(utterances, key=lambda u: u.id)
    for first, second in pairwise(rows):
        if first.id == second.id:
            raise UserError(f"{path}: id {first.id!r} occurs twice; rename one of the two clips")
    write_json_lines(path, map(_record, rows))


def read(path: Path) -> list[Utterance]:
    """Read a manifest.

    Raises:
        ValueError: the file is missing, a line is not an utterance, or an id occurs twice.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such manifest")
    seen: dict[str, int] = {}
    rows = []
    for number, line in enumerate(split_lines(path.read_text(encoding="utf-8")), start=1):
        if not line.strip():
            continue
        row = _utterance(line, f"{path}:{number}")
        if row.id in seen:
            raise UserError(f"{path}:{number}: id {row.id!r} is already on line {seen[row.id]}")
        seen[row.id] = number
        rows.append(row)
    return rows


def _record(row: Utterance | Transcript) -> dict[str, Any]:
    record = dataclasses.asdict(row)
    return {k: v for k, v in record.items() if v is not None or k not in WHERE_KNOWN}


def _utterance(line: str, place: str) -> Utterance:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise UserError(f"{place}: not valid JSON: {error}") from error
    names = {field.name for field in dataclasses.fields(Utterance)}
    if not isinstance(record, dict) or set(record) | set(WHERE_KNOWN) != names:
        keys = sorted(record) if isinstance(record, dict) else record
        raise UserError(f"{place}: expected the keys {sorted(names)}, found {keys}")
    record["phones"] = tuple(record["phones"])
    times = record.get("phone_times_s")
    if times is not None:
        record["phone_times_s"] = tuple((float(a), float(b)) for a, b in times)
        if len(times) != len(record["phones"]):
            raise UserError(f"{place}: {len(record['phones'])} phones but {len(times)} phone times")
    duration = record["duration_s"]
    if not (isinstance(duration, int | float) and math.isfinite(duration) and duration > 0):
        raise UserError(f"{place}: duration_s must be above 0 seconds, found {duration!r}")
    return Utterance(**record)
