"""Layouts with a table of clips, whose columns are matched by their usual names.

There are three: any CSV or TSV; the AudioFolder of Hugging Face, `metadata.csv` or `metadata.jsonl`
with a column `file_name` relative to it; and Common Voice, with recordings in `clips` and validated
sentences in `validated.tsv`.

Source: "Create an audio dataset" in Hugging Face's documentation; the data sheets of Common Voice.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from fonoteka.core.errors import UserError
from fonoteka.corpus.clip_terms import OWN_COLUMNS, SPELLINGS, ClipTerms
from fonoteka.corpus.corpus import KNOWN_COLUMNS, PHONES, TABLE_COLUMNS
from fonoteka.corpus.importers.layouts import json_rows, table_rows
from fonoteka.corpus.importers.layouts.base import (
    ImportOptions,
    ParsedLayout,
    SourceFolder,
    UncheckedClip,
)
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
    """Return whether a file is a table, by its name."""
    return PurePosixPath(name).suffix.lower() in TABLE_SUFFIXES


def usual(ours: str, header: list[str]) -> list[str]:
    """Return the columns of a header whose names are usual for one of our columns."""
    return [name for name in header if re.sub(r"[\s-]", "_", name.lower()) in USUAL_NAMES[ours]]


def names_clips(table: Path) -> bool:
    """Return whether a table has columns for path and text, by their usual names."""
    header = header_of(table)
    return bool(usual("path", header) and usual("text", header))


def claims_audiofolder(source: SourceFolder, name: str) -> bool:
    """Return whether a file is the table of an AudioFolder."""
    path = source.folder / name
    if path.name not in AUDIOFOLDER:
        return False
    if is_table(name):
        return AUDIOFOLDER_COLUMN in header_of(path)
    return json_rows.has_key(path, AUDIOFOLDER_COLUMN)


def claims_common_voice(source: SourceFolder, name: str) -> bool:
    """Return whether a file is a table of Common Voice."""
    path = source.folder / name
    return path.suffix.lower() == ".tsv" and set(header_of(path)) >= COMMON_VOICE_COLUMNS


def read(source: SourceFolder, index: list[str], options: ImportOptions) -> ParsedLayout:
    """Return the clips of the only table.

    Raises:
        ValueError: there are several tables, or a column is missing or ambiguous.
    """
    if len(index) != 1:
        raise UserError(
            f"{source.folder} holds {len(index)} tables (.csv, .tsv), {index[:5]}; "
            "name one with --table"
        )
    return _read(source, index, options)


def read_audiofolder(
    source: SourceFolder, index: list[str], options: ImportOptions
) -> ParsedLayout:
    """Return the clips of all tables; paths are relative to the table's folder."""
    return _read(source, index, options)


def read_common_voice(
    source: SourceFolder, index: list[str], options: ImportOptions
) -> ParsedLayout:
    """Return the clips of the table that the user named, of the only table, or of validated.tsv.

    Raises:
        ValueError: there are several tables, and not exactly one of them is validated.tsv.
    """
    best = index if len(index) == 1 else [n for n in index if Path(n).name == COMMON_VOICE_BEST]
    if len(best) != 1:
        raise UserError(
            f"{source.folder} holds {len(index)} tables of Common Voice, {index[:5]}; "
            "name one with --table"
        )
    parsed = _read(source, best, options, COMMON_VOICE_AUDIO)
    parsed.used |= set(index)
    if others := [Path(name).name for name in index if name not in best]:
        shown = ", ".join(map(repr, others))
        parsed.notes.append(("not read", f"{shown}; name one with --table"))
    return parsed


def _read(
    source: SourceFolder, index: list[str], options: ImportOptions, audio: str = ""
) -> ParsedLayout:
    """Return the clips of all tables in `index`.

    Args:
        source: the folder.
        index: the tables.
        options: columns that the user named, and values that need no column.
        audio: folder beside a table that its paths are relative to.
    """
    parsed = ParsedLayout(texts=", ".join(Path(name).name for name in index), used=set(index))
    for name in index:
        path = source.folder / name
        table, columns = _table(path, options)
        parsed.refused += table.refused
        parsed.declared |= set(columns)
        shown = ", ".join(f"{ours} from {column!r}" for ours, column in columns.items())
        parsed.notes.append(("columns", shown))
        # Paths in a table outside the folder are relative to the folder, without phones.jsonl.
        folder = posixpath.dirname(name) if name in source.files else ""
        phones = {}
        if name in source.files and (path.parent / PHONES).is_file():
            phones = read_phones(path.parent / PHONES, parsed.refused)
            parsed.used.add(posixpath.join(folder, PHONES))
        for number, row in table.rows:
            values = [row[columns[ours]] if ours in columns else "" for ours in OURS]
            terms = ClipTerms(*(" ".join(text.split()) for text in values[-len(OWN_COLUMNS) :]))
            timed = phones.get(row[columns["path"]].strip())
            base = posixpath.join(folder, audio)
            clip_values = values[: -len(OWN_COLUMNS)]
            parsed.clips.append(
                UncheckedClip(f"{path}:{number}", *clip_values, base=base, timed=timed, terms=terms)
            )
    return parsed


def _table(path: Path, options: ImportOptions) -> tuple[Table, dict[str, str]]:
    """Return the rows of a table or of JSON lines, and its column for each of our columns."""
    if path.suffix.lower() == ".jsonl":
        table = json_rows.read_table(path, lambda keys: match_columns(keys, options, path).values())
    else:
        table = table_rows.read_table(path)
    if not table.rows and not table.refused:
        raise UserError(f"{path}: no rows below the header")
    return table, match_columns(table.header, options, path)


def match_columns(header: list[str], options: ImportOptions, table: Path) -> dict[str, str]:
    """Return the table's column for each of our columns.

    Speaker and language need no column if the options or the names of the files state them;
    session, sex, parent, licence and source are optional.

    Raises:
        ValueError: a column is missing, or two columns match.
    """
    columns = {}
    declared = set(options.shared) | (options.pattern.fields if options.pattern else set())
    for ours in OURS:
        option = f"--{ours}-column"
        matches = usual(ours, header)
        if ours in options.columns:
            if options.columns[ours] not in header:
                raise UserError(
                    f"{table}: {option} {options.columns[ours]!r} is missing; found {header}"
                )
            columns[ours] = options.columns[ours]
        elif ours in declared or (ours in OPTIONAL and not matches):
            continue
        elif len(matches) != 1:
            problem = f"could be any of {matches}" if matches else f"is missing; found {header}"
            alternative = f", --{ours} or --pattern" if ours in ("speaker", "language") else ""
            raise UserError(
                f"{table}: column for {ours} {problem}; name it with {option}{alternative}"
            )
        else:
            columns[ours] = matches[0]
    return columns
