"""Tables that come with recordings: which columns are ours, which clips they name.

Three layouts are tables: any CSV or TSV; the AudioFolder of Hugging Face, `metadata.csv` or
`metadata.jsonl` with a column `file_name` relative to it; and Common Voice, whose recordings lie in
`clips` and whose `validated.tsv` holds what listeners agreed on.

Source: "Create an audio dataset" in Hugging Face's documentation; the data sheets of Common Voice.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from fonoteka.core.errors import UserError
from fonoteka.corpus.clip_terms import OWN_COLUMNS, SPELLINGS, Terms
from fonoteka.corpus.corpus import KNOWN_COLUMNS, PHONES, TABLE_COLUMNS
from fonoteka.corpus.importers.layouts import json_rows, table_rows
from fonoteka.corpus.importers.layouts.base import Found, Given, Reading, Source
from fonoteka.corpus.importers.layouts.phone_rows import read_phones
from fonoteka.corpus.importers.layouts.table_rows import Table, header_of

USUAL_NAMES: Mapping[str, tuple[str, ...]] = {
    "path": ("path", "file", "file_name", "filename", "audio", "audio_path", "audio_file",
             "audio_filepath", "wav", "wav_path", "wav_filename", "clip"),
    "text": ("text", "transcript", "transcription", "sentence", "utterance"),
    "speaker": ("speaker", "speaker_id", "speakerid", "spk", "spk_id", "client_id", "voice"),
    "language": ("language", "lang", "locale"),
    "session": ("session", "session_id"),
    "sex": ("sex", "gender"),
    "parent": ("parent",),
    **SPELLINGS,
}  # fmt: skip
OPTIONAL = (*KNOWN_COLUMNS, *OWN_COLUMNS)
OURS = (*TABLE_COLUMNS, *OPTIONAL)
TABLE_SUFFIXES = (".csv", ".tsv")
AUDIOFOLDER = ("metadata.csv", "metadata.jsonl")
AUDIOFOLDER_COLUMN = "file_name"
COMMON_VOICE_COLUMNS = frozenset({"client_id", "path", "sentence"})
COMMON_VOICE_BEST = "validated.tsv"
COMMON_VOICE_AUDIO = "clips"


def is_table(name: str) -> bool:
    """Tell from its name whether a file is a table."""
    return PurePosixPath(name).suffix.lower() in TABLE_SUFFIXES


def usual(ours: str, header: list[str]) -> list[str]:
    """Return the columns of a header that usually hold one of ours."""
    return [name for name in header if re.sub(r"[\s-]", "_", name.lower()) in USUAL_NAMES[ours]]


def names_clips(table: Path) -> bool:
    """Tell whether a table has columns for path and text, by their usual names."""
    header = header_of(table)
    return bool(usual("path", header) and usual("text", header))


def claims_audiofolder(source: Source, name: str) -> bool:
    """Tell whether a file is the table of an AudioFolder."""
    path = source.folder / name
    if path.name not in AUDIOFOLDER:
        return False
    if is_table(name):
        return AUDIOFOLDER_COLUMN in header_of(path)
    return json_rows.has_key(path, AUDIOFOLDER_COLUMN)


def claims_common_voice(source: Source, name: str) -> bool:
    """Tell whether a file is a table of Common Voice."""
    path = source.folder / name
    return path.suffix.lower() == ".tsv" and set(header_of(path)) >= COMMON_VOICE_COLUMNS


def read(source: Source, index: list[str], given: Given) -> Reading:
    """Return the clips of the only table there is.

    Raises:
        ValueError: there are several, or a column or a row is wrong.
    """
    if len(index) != 1:
        raise UserError(
            f"{source.folder} holds {len(index)} tables (.csv, .tsv), {index[:5]}; "
            "name one with --table"
        )
    return _read(source, index, given)


def read_audiofolder(source: Source, index: list[str], given: Given) -> Reading:
    """Return the clips of all tables, each of which names files beside and below it."""
    return _read(source, index, given)


def read_common_voice(source: Source, index: list[str], given: Given) -> Reading:
    """Return the clips of the table that was named, or the only one, or of validated.tsv.

    Raises:
        ValueError: there are several and none or more than one is validated.tsv.
    """
    best = index if len(index) == 1 else [n for n in index if Path(n).name == COMMON_VOICE_BEST]
    if len(best) != 1:
        raise UserError(
            f"{source.folder} holds {len(index)} tables of Common Voice, {index[:5]}; "
            "name one with --table"
        )
    reading = _read(source, best, given, COMMON_VOICE_AUDIO)
    reading.used |= set(index)
    if others := [Path(name).name for name in index if name not in best]:
        shown = ", ".join(map(repr, others))
        reading.notes.append(("not read", f"{shown}; name one with --table"))
    return reading


def _read(source: Source, index: list[str], given: Given, audio: str = "") -> Reading:
    """Return the clips of tables, each with the columns it has.

    Args:
        source: the folder.
        index: the tables.
        given: columns that the user named, and values that need no column.
        audio: folder beside a table that its paths are relative to.
    """
    reading = Reading(texts=", ".join(Path(name).name for name in index), used=set(index))
    for name in index:
        path = source.folder / name
        table, columns = _table(path, given)
        reading.refused += table.refused
        reading.says |= set(columns)
        shown = ", ".join(f"{ours} from {theirs!r}" for ours, theirs in columns.items())
        reading.notes.append(("columns", shown))
        folder = posixpath.dirname(name) if name in source.files else ""
        phones = {}
        if name in source.files and (path.parent / PHONES).is_file():
            phones = read_phones(path.parent / PHONES, reading.refused)
            reading.used.add(posixpath.join(folder, PHONES))
        for number, row in table.rows:
            values = [row[columns[ours]] if ours in columns else "" for ours in OURS]
            own = Terms(*(" ".join(text.split()) for text in values[-len(OWN_COLUMNS) :]))
            timed = phones.get(row[columns["path"]].strip())
            base = posixpath.join(folder, audio)
            told = values[: -len(OWN_COLUMNS)]
            reading.found.append(
                Found(f"{path}:{number}", *told, base=base, timed=timed, terms=own)
            )
    return reading


def _table(path: Path, given: Given) -> tuple[Table, dict[str, str]]:
    """Return the rows of a table or of JSON lines, and its column for each of ours."""
    if path.suffix.lower() == ".jsonl":
        table = json_rows.read_table(path, lambda keys: recognise(keys, given, path).values())
    else:
        table = table_rows.read_table(path)
    if not table.rows and not table.refused:
        raise UserError(f"{path}: no rows below the header")
    return table, recognise(table.header, given, path)


def recognise(header: list[str], given: Given, table: Path) -> dict[str, str]:
    """Return the table's column for each of ours.

    Speaker and language need none where the user or the names of the files say them; session, sex,
    parent, licence and source never do.

    Raises:
        ValueError: a column is missing, or two could be meant.
    """
    columns = {}
    known = set(given.shared) | (given.pattern.fields if given.pattern else set())
    for ours in OURS:
        option = f"--{ours}-column"
        found = usual(ours, header)
        if ours in given.columns:
            if given.columns[ours] not in header:
                raise UserError(
                    f"{table}: {option} {given.columns[ours]!r} is missing; found {header}"
                )
            columns[ours] = given.columns[ours]
        elif ours in known or (ours in OPTIONAL and not found):
            continue
        elif len(found) != 1:
            what = f"could be any of {found}" if found else f"is missing; found {header}"
            too = f", --{ours} or --pattern" if ours in ("speaker", "language") else ""
            raise UserError(f"{table}: column for {ours} {what}; name it with {option}{too}")
        else:
            columns[ours] = found[0]
    return columns
