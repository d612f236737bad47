"""A corpus on disk: a card, a table of clips, audio, and optionally phone times.

    data/raw/NAME/corpus.json     {"name", "licence", "source", "synthetic"}
    data/raw/NAME/metadata.csv    path,text,speaker,language; paths are relative to the folder;
                                  optional columns: session, sex (f or m), parent (the path of
                                  the clip that this one is a changed copy of), and licence and
                                  source of clips whose terms differ from corpus.json
    data/raw/NAME/**              audio, in any folders
    data/raw/NAME/phones.jsonl    optional: {"path", "phones", "times_s"}, one clip per line

This module also defines the columns of the tables that the corpus stages exchange.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, read_json_lines, split_lines, write_json_lines
from fonoteka.core.params import build
from fonoteka.phones import LANGUAGES
from fonoteka.tables import Row, read_numbered

CARD, TABLE, PHONES = "corpus.json", "metadata.csv", "phones.jsonl"
TABLE_COLUMNS = ("path", "text", "speaker", "language")
GUESSED = "auto"
KNOWN_COLUMNS = ("session", "sex", "parent")
AUDIO_SUFFIXES = (
    ".aac", ".aif", ".aifc", ".aiff", ".amr", ".au", ".caf", ".flac", ".m4a", ".mp2", ".mp3",
    ".mp4", ".oga", ".ogg", ".opus", ".rf64", ".snd", ".w64", ".wav", ".wave", ".webm", ".wma",
)  # fmt: skip
INVENTORY_COLUMNS = (
    "id", "corpus", "path", "bytes", "sha256", "pcm_sha256", "duration_s", "sample_rate_hz",
    "channels", "codec", "peak_dbfs", "level_dbfs", "snr_db", "text", "speaker", "language",
    "session", "sex", "parent", "licence", "source", "synthetic", "problem", "detail",
)  # fmt: skip
ACCEPTED_COLUMNS = (*INVENTORY_COLUMNS, "group")
QUARANTINE_COLUMNS = ("id", "path", "duration_s", "problem", "detail", "duplicate_of")
REFUSED_COLUMNS = ("id", "path", "reason", "detail")
INDEX_COLUMNS = ("id", "audio", "duration_s", "offset_s", "problem")


@dataclass(frozen=True)
class Card:
    """The contents of corpus.json.

    Attributes:
        name: of the corpus and its folder.
        licence: under which the recordings may be used, in the owner's words.
        source: of the recordings.
        synthetic: True if the speech is synthetic.
    """

    name: str
    licence: str
    source: str
    synthetic: bool


@dataclass(frozen=True)
class CorpusClip:
    """One row of metadata.csv.

    Attributes:
        path: relative to the corpus's folder.
        text: the transcript; empty if absent.
        speaker: name of the speaker.
        language: `bs`, `en`, `hr` or `sr`; empty if it is to be guessed from the text.
        session: the recording session; empty if unknown.
        sex: of the speaker, `f` or `m`; empty if unknown.
        parent: path of the clip that this one is a changed copy of; empty for an original.
    """

    path: str
    text: str
    speaker: str
    language: str
    session: str = ""
    sex: str = ""
    parent: str = ""


@dataclass(frozen=True)
class TimedPhones:
    """The phones of a clip with start and end in seconds, as the corpus states them."""

    phones: tuple[str, ...]
    times_s: tuple[tuple[float, float], ...]


def read_card(folder: Path) -> Card:
    """Return a corpus's card.

    Raises:
        ValueError: corpus.json is missing or wrong, a value is empty, or the name differs from the
            folder's or has a character that ids and paths use as a separator.
    """
    path = folder / CARD
    if not path.is_file():
        raise UserError(f"{path}: no such file; write name, licence, source and synthetic there")
    card = build(read_json(path), Card, str(path))
    if card.name != folder.name:
        raise UserError(f"{path}: name {card.name!r} is not the folder's name {folder.name!r}")
    check_corpus_name(card.name, str(path))
    if not card.licence.strip():
        raise UserError(f"{path}: licence is empty; say under which the recordings may be used")
    return card


def check_corpus_name(name: str, place: str) -> None:
    """Refuse a name that cannot be the first part of ids and paths.

    `#` separates a clip's id from the number of its augmented copy in embeddings and posteriors, so
    a corpus `a#b` would be silently omitted from CTC training.

    Raises:
        ValueError: the name has another character than letters, digits, `-` and `_`.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise UserError(f"{place}: name {name!r}: expected letters, digits, - and _ only")


def read_clips(folder: Path) -> list[CorpusClip]:
    """Return the rows of a corpus's metadata.csv, sorted by path.

    Raises:
        ValueError: the table or a column is missing, a row names a file that does not exist or is
            outside the folder, a path occurs twice, a language is unknown or a speaker is empty.
    """
    table = folder / TABLE
    lines: dict[str, int] = {}
    clips = []
    for number, row in read_numbered(table, TABLE_COLUMNS):
        clip = checked_clip(row, folder, f"{table}:{number}")
        if clip.path in lines:
            raise UserError(
                f"{table}:{number}: path {clip.path!r} is already on line {lines[clip.path]}"
            )
        lines[clip.path] = number
        clips.append(clip)
    for clip in clips:
        if clip.parent and clip.parent not in lines:
            raise UserError(
                f"{table}:{lines[clip.path]}: parent {clip.parent!r} has no row; name the clip "
                "that this one was made from"
            )
    return sorted(clips, key=lambda clip: clip.path)


def checked_clip(row: Row, folder: Path, place: str) -> CorpusClip:
    """Return a row of metadata.csv as a clip of the corpus in `folder`.

    Raises:
        ValueError: as `read_clips`.
    """
    path = PurePosixPath(row["path"].strip())
    if not path.parts or path.is_absolute() or ".." in path.parts:
        raise UserError(f"{place}: path {row['path']!r} must lie inside {folder}")
    if not (folder / path).is_file():
        raise UserError(f"{place}: {row['path']!r} is not in {folder}; add it or remove the row")
    language, speaker = row["language"].strip(), row["speaker"].strip()
    language = "" if language == GUESSED else language
    if language and language not in LANGUAGES:
        raise UserError(
            f"{place}: language {language!r} is unknown; expected one of {list(LANGUAGES)}, or "
            f"{GUESSED} for a guess by its text"
        )
    if not speaker:
        raise UserError(
            f"{place}: speaker is empty; name each speaker, because none may be in two splits"
        )
    sex, parent = row.get("sex", "").strip(), row.get("parent", "").strip()
    if sex not in ("", "f", "m"):
        raise UserError(f"{place}: sex {sex!r} is neither f nor m; leave it empty if unknown")
    session = row.get("session", "").strip()
    return CorpusClip(path.as_posix(), row["text"].strip(), speaker, language, session, sex, parent)


def is_audio(path: str) -> bool:
    """Return whether a file is audio, by its name.

    >>> is_audio("a/B.WAV"), is_audio("metadata.csv")
    (True, False)
    """
    return PurePosixPath(path).suffix.lower() in AUDIO_SUFFIXES


def read_phones(folder: Path) -> dict[str, TimedPhones]:
    """Return the phones of a corpus by path of the clip; empty without a phones.jsonl.

    Raises:
        ValueError: a line is invalid.
    """
    path = folder / PHONES
    if not path.is_file():
        return {}
    phones_by_path = {}
    for number, line in enumerate(split_lines(path.read_text(encoding="utf-8")), start=1):
        try:
            record = json.loads(line)
        except ValueError:
            record = None  # `timed_phones` raises and quotes the line
        name, timed = timed_phones(record, f"{path}:{number}", line[:60])
        phones_by_path[name] = timed
    return phones_by_path


def write_phone_times(path: Path, times: Mapping[str, TimedPhones]) -> None:
    """Write the phone times of clips, one JSON line per clip, sorted by id."""
    records = (
        {"id": id_, "phones": timed.phones, "times_s": timed.times_s}
        for id_, timed in sorted(times.items())
    )
    write_json_lines(path, records)


def read_phone_times(path: Path) -> dict[str, TimedPhones]:
    """Return what `write_phone_times` wrote, by id."""
    times = {}
    for record in read_json_lines(path):
        pairs = tuple((start, end) for start, end in record["times_s"])
        times[record["id"]] = TimedPhones(tuple(record["phones"]), pairs)
    return times


def timed_phones(record: Any, place: str, shown: str) -> tuple[str, TimedPhones]:
    """Return the path and the phones of a line of phones.jsonl.

    Args:
        record: the line's JSON.
        place: file and line, for messages.
        shown: the beginning of the line, for messages.

    Raises:
        ValueError: the record has another form, or the numbers of phones and times differ.
    """
    try:
        times = tuple((float(start), float(end)) for start, end in record["times_s"])
        timed = TimedPhones(tuple(map(str, record["phones"])), times)
        name = str(record["path"])
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f'{place}: expected {{"path", "phones", "times_s"}}, found {shown!r}'
        ) from error
    if len(timed.phones) != len(times):
        raise UserError(f"{place}: {len(timed.phones)} phones but {len(times)} times")
    return name, timed
