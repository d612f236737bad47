"""Detect the layout of a folder by the files that only this layout has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from fonoteka.core.errors import UserError
from fonoteka.corpus.importers.layouts import kaldi, librispeech, ljspeech, nemo, sidecar, textgrid
from fonoteka.corpus.importers.layouts import table as corpus_table
from fonoteka.corpus.importers.layouts.base import ImportOptions, ParsedLayout, SourceFolder


@dataclass(frozen=True)
class CorpusLayout:
    """How to detect a layout and how to parse it.

    Attributes:
        sign: description of the files by which it is detected, for messages.
        claims: whether a file is one of them.
        read: parser of the folder.
    """

    sign: str
    claims: Callable[[SourceFolder, str], bool]
    read: Callable[[SourceFolder, list[str], ImportOptions], ParsedLayout]


LAYOUTS: Mapping[str, CorpusLayout] = MappingProxyType({
    "audiofolder": CorpusLayout(
        "metadata.csv or metadata.jsonl with a column file_name",
        corpus_table.claims_audiofolder, corpus_table.read_audiofolder,
    ),
    "commonvoice": CorpusLayout(
        "a .tsv with the columns client_id, path and sentence",
        corpus_table.claims_common_voice, corpus_table.read_common_voice,
    ),
    "kaldi": CorpusLayout("wav.scp", kaldi.claims, kaldi.read),
    "librispeech": CorpusLayout("*.trans.txt", librispeech.claims, librispeech.read),
    "ljspeech": CorpusLayout(
        "metadata.csv with | and no header, and a folder wavs beside it",
        ljspeech.claims, ljspeech.read,
    ),
    "nemo": CorpusLayout("JSON lines with audio_filepath", nemo.claims, nemo.read),
    "sidecar": CorpusLayout(
        "a .txt or .lab beside a recording", sidecar.claims, sidecar.read
    ),
    "table": CorpusLayout(
        "a table (.csv, .tsv)", lambda _, name: corpus_table.is_table(name), corpus_table.read
    ),
    "textgrid": CorpusLayout("*.TextGrid", textgrid.claims, textgrid.read),
})  # fmt: skip
TABLES = ("audiofolder", "commonvoice", "table")


@dataclass(frozen=True)
class DetectedLayout:
    """The layout of a folder and the files by which it was detected."""

    name: str
    index: list[str]


def detect(source: SourceFolder, options: ImportOptions) -> DetectedLayout:
    """Return the layout that the user named, or the only one that fits the folder.

    Raises:
        ValueError: no layout fits, several fit, or an option does not apply to the one that fits.
    """
    tables = _tables(source, options)
    fitting = candidates(source, tables or list(source.files))
    if options.layout:
        sign = LAYOUTS[options.layout].sign
        signs = tables or fitting.get(options.layout) or _claimed(source, options.layout)
        if not signs:
            raise UserError(f"{source.folder}: no sign of layout {options.layout}, which is {sign}")
        fitting = {options.layout: signs}
    elif tables and not fitting:
        fitting = {"table": tables}  # a table that the user named may have any suffix
    elif options.columns and len(fitting) > 1:
        fitting = {name: index for name, index in fitting.items() if name in TABLES} or fitting
    if not fitting:
        listed = "; ".join(f"{name}: {layout.sign}" for name, layout in LAYOUTS.items())
        links = f"; {source.refused[0]}" if source.refused else ""
        raise UserError(
            f"{source.folder}: contains no transcripts in a known layout; expected one of {listed}"
            f"{links}"
        )
    if len(fitting) > 1:
        choices = " or ".join(f"{name} ({index[0]})" for name, index in fitting.items())
        raise UserError(f"{source.folder} could be {choices}; say which with --layout")
    name, index = fitting.popitem()
    _check_options(name, options)
    return DetectedLayout(name, index)


def candidates(source: SourceFolder, names: list[str]) -> dict[str, list[str]]:
    """Return the layouts that have signs among some files, each with its signs.

    A table that another layout claims does not count as layout `table`. Beside another layout, a
    table counts only if it has columns for path and text, because many corpora contain other
    tables. Layout `textgrid` includes the texts beside the recordings.
    """
    special = {name: layout for name, layout in LAYOUTS.items() if name != "table"}
    claimed_by = {
        name: index
        for name, layout in special.items()
        if (index := [file for file in names if layout.claims(source, file)])
    }
    if "textgrid" in claimed_by:
        claimed_by.pop("sidecar", None)
    claimed = {file for index in claimed_by.values() for file in index}
    tables = [n for n in names if corpus_table.is_table(n) and n not in claimed]
    if claimed_by:
        tables = [name for name in tables if corpus_table.names_clips(source.folder / name)]
    return claimed_by | ({"table": tables} if tables else {})


def _claimed(source: SourceFolder, layout: str) -> list[str]:
    return [name for name in source.files if LAYOUTS[layout].claims(source, name)]


def _tables(source: SourceFolder, options: ImportOptions) -> list[str]:
    """Return the tables that the user named, relative to the folder if they are inside it.

    Raises:
        ValueError: there is no such file in the folder or in the current folder.
    """
    names = []
    for table in options.tables:
        inside = source.folder / table
        if not inside.is_file() and not table.is_file():
            raise UserError(f"{table}: no such table, neither here nor in {source.folder}")
        path = (inside if inside.is_file() else table).resolve()
        is_inside = path.is_relative_to(source.folder.resolve())
        folder = source.folder.resolve()
        names.append(path.relative_to(folder).as_posix() if is_inside else str(Path(path)))
    return names


def _check_options(layout: str, options: ImportOptions) -> None:
    """Refuse options that the layout would ignore."""
    if options.columns and layout not in (*TABLES, "ljspeech"):
        option = f"--{next(iter(options.columns))}-column"
        raise UserError(f"{option} is for tables, and this is layout {layout}")
    if options.tiers and layout != "textgrid":
        option = f"--{next(iter(options.tiers))}-tier"
        raise UserError(f"{option} is for layout textgrid, and this is layout {layout}")
    if options.tables and layout in ("librispeech", "sidecar", "textgrid"):
        raise UserError(f"--table is for layouts with a list of clips, and this is {layout}")
