"""Understand the table that comes with recordings: which file, which columns, which clips."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from stages.common.corpora import TABLE_COLUMNS, Clip, checked_clip, files_below, is_audio
from stages.common.tables import Row, read_numbered

USUAL_NAMES: Mapping[str, tuple[str, ...]] = {
    "path": ("path", "file", "file_name", "filename", "audio", "audio_path", "audio_file",
             "audio_filepath", "wav", "wav_path", "wav_filename", "clip"),
    "text": ("text", "transcript", "transcription", "sentence", "utterance"),
    "speaker": ("speaker", "speaker_id", "speakerid", "spk", "spk_id", "client_id", "voice"),
    "language": ("language", "lang", "locale"),
}  # fmt: skip
DELIMITERS = ("\t", ";", "|", ",")
TABLE_SUFFIXES = (".csv", ".tsv")


@dataclass(frozen=True)
class Understood:
    """What a table says; a column of ours is not in `columns` where all rows share a value."""

    table: Path
    columns: dict[str, str]
    clips: list[Clip]


def find_table(folder: Path, given: Path | None) -> Path:
    """Return the table that was named, or the only one there is.

    Raises:
        ValueError: the folder or the table isn't there, or there is not exactly one.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    if given is not None:
        for path in (folder / given, given):
            if path.is_file():
                return path
        raise ValueError(f"{given}: no such table, neither here nor in {folder}")
    names = [n for n in files_below(folder) if PurePosixPath(n).suffix.lower() in TABLE_SUFFIXES]
    if len(names) != 1:
        raise ValueError(
            f"{folder} holds {len(names)} tables (.csv, .tsv), {names[:5]}; "
            + ("name one with --table" if names else "one is needed that says what each clip says")
        )
    return folder / names[0]


def delimiter_of(table: Path) -> str:
    """Return what parts the columns: a tab in a .tsv, else the commonest mark in the first line."""
    if table.suffix.lower() == ".tsv":
        return "\t"
    with table.open("rb") as file:
        first = file.readline().decode("utf-8", "replace")
    return max(DELIMITERS, key=first.count) if any(d in first for d in DELIMITERS) else ","


def recognise(
    header: list[str], given: Mapping[str, str], shared: Mapping[str, str], table: Path
) -> dict[str, str]:
    """Return the table's column for each of ours; one whose value all rows share needs none.

    Args:
        header: the table's columns.
        given: columns that the user named.
        shared: values that the user gave for all rows.
        table: named in errors.

    Raises:
        ValueError: a column is missing, or two could be meant.
    """
    columns = {}
    for ours in TABLE_COLUMNS:
        option = f"--{ours}-column"
        if ours in given:
            if given[ours] not in header:
                raise ValueError(f"{table}: {option} {given[ours]!r} is missing; found {header}")
            columns[ours] = given[ours]
        elif ours not in shared:
            usual = [n for n in header if re.sub(r"[\s-]", "_", n.lower()) in USUAL_NAMES[ours]]
            if len(usual) != 1:
                what = f"could be any of {usual}" if usual else f"is missing; found {header}"
                too = f" or --{ours}" if ours in ("speaker", "language") else ""
                raise ValueError(f"{table}: column for {ours} {what}; name it with {option}{too}")
            columns[ours] = usual[0]
    return columns


def understand(
    folder: Path, table: Path, given: Mapping[str, str], shared: Mapping[str, str]
) -> Understood:
    """Return the clips that a table names, sorted by path, each checked.

    Raises:
        ValueError: the table, a column or a row is wrong; see `recognise` and `checked_clip`.
    """
    numbered = read_numbered(table, (), delimiter_of(table))
    if not numbered:
        raise ValueError(f"{table}: no rows below the header")
    columns = recognise(list(numbered[0][1]), given, shared, table)
    files = list(files_below(folder))
    lines: dict[str, int] = {}
    clips = []
    for number, row in numbered:
        where = f"{table}:{number}"
        ours = {name: row[column] for name, column in columns.items()} | dict(shared)
        ours["language"] = re.split("[-_]", ours["language"].strip().lower())[0]
        clip = _clip(ours, folder, files, where)
        if clip.path in lines:
            raise ValueError(f"{where}: path {clip.path!r} is already on line {lines[clip.path]}")
        lines[clip.path] = number
        clips.append(clip)
    return Understood(table, columns, sorted(clips, key=lambda clip: clip.path))


def _clip(row: Row, folder: Path, files: list[str], where: str) -> Clip:
    """Check a row; a file named without its folders is found where only one has that name."""
    path = row["path"].strip()
    if path and not (folder / path).exists():
        ends = [name for name in files if name.endswith(f"/{path}")]
        if len(ends) > 1:
            raise ValueError(f"{where}: {path!r} could be any of {ends[:5]}; write their folders")
        row = row | {"path": ends[0] if ends else path}
    clip = checked_clip(row, folder, where)
    _check_inside(folder, clip.path, where)
    return clip


def _check_inside(folder: Path, path: str, where: str) -> None:
    if not (folder / path).resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{where}: {path!r} is a link out of {folder}; put the file itself there")


def untranscribed(folder: Path, clips: list[Clip]) -> list[str]:
    """Return the audio that has no row or an empty text, sorted.

    Raises:
        ValueError: a file is a link out of the folder.
    """
    silent = {clip.path for clip in clips if not clip.text}
    named = {clip.path for clip in clips}
    rowless = {path for path in files_below(folder) if is_audio(path)} - named
    for path in sorted(rowless):
        _check_inside(folder, path, str(folder))
    return sorted(silent | rowless)
