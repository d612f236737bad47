"""Which layout a folder of recordings has, by the files that only such a folder holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from fonoteka.core.errors import UserError
from fonoteka.corpus.importers.layouts import kaldi, librispeech, ljspeech, nemo, sidecar, textgrid
from fonoteka.corpus.importers.layouts import table as corpus_table
from fonoteka.corpus.importers.layouts.base import Given, Reading, Source


@dataclass(frozen=True)
class Layout:
    """How to know a layout and how to read it.

    Attributes:
        sign: the files by which it is known, for a person.
        claims: whether a file is one of them.
        read: what the files say.
    """

    sign: str
    claims: Callable[[Source, str], bool]
    read: Callable[[Source, list[str], Given], Reading]


LAYOUTS: Mapping[str, Layout] = MappingProxyType({
    "audiofolder": Layout(
        "metadata.csv or metadata.jsonl with a column file_name",
        corpus_table.claims_audiofolder, corpus_table.read_audiofolder,
    ),
    "commonvoice": Layout(
        "a .tsv with the columns client_id, path and sentence",
        corpus_table.claims_common_voice, corpus_table.read_common_voice,
    ),
    "kaldi": Layout("wav.scp", kaldi.claims, kaldi.read),
    "librispeech": Layout("*.trans.txt", librispeech.claims, librispeech.read),
    "ljspeech": Layout(
        "metadata.csv with | and no header, and a folder wavs beside it",
        ljspeech.claims, ljspeech.read,
    ),
    "nemo": Layout("JSON lines with audio_filepath", nemo.claims, nemo.read),
    "sidecar": Layout(
        "a .txt or .lab beside a recording", sidecar.claims, sidecar.read
    ),
    "table": Layout(
        "a table (.csv, .tsv)", lambda _, name: corpus_table.is_table(name), corpus_table.read
    ),
    "textgrid": Layout("*.TextGrid", textgrid.claims, textgrid.read),
})  # fmt: skip
TABLES = ("audiofolder", "commonvoice", "table")


@dataclass(frozen=True)
class Recognised:
    """The layout of a folder and the files by which it is known."""

    name: str
    index: list[str]


def recognise(source: Source, given: Given) -> Recognised:
    """Return the layout that the user named, or the only one that the folder can have.

    Raises:
        ValueError: no layout fits, or several do, or an option means nothing to the one that does.
    """
    tables = _tables(source, given)
    fitting = candidates(source, tables or list(source.files))
    if given.layout:
        sign = LAYOUTS[given.layout].sign
        found = tables or fitting.get(given.layout) or _claimed(source, given.layout)
        if not found:
            raise UserError(f"{source.folder}: no sign of layout {given.layout}, which is {sign}")
        fitting = {given.layout: found}
    elif tables and not fitting:
        fitting = {"table": tables}  # whatever its name is
    elif given.columns and len(fitting) > 1:
        fitting = {name: index for name, index in fitting.items() if name in TABLES} or fitting
    if not fitting:
        signs = "; ".join(f"{name}: {layout.sign}" for name, layout in LAYOUTS.items())
        links = f"; {source.refused[0]}" if source.refused else ""
        raise UserError(
            f"{source.folder}: nothing there says what the recordings say; one is needed of {signs}"
            f"{links}"
        )
    if len(fitting) > 1:
        could = " or ".join(f"{name} ({index[0]})" for name, index in fitting.items())
        raise UserError(f"{source.folder} could be {could}; say which with --layout")
    name, index = fitting.popitem()
    _check_options(name, given)
    return Recognised(name, index)


def candidates(source: Source, names: list[str]) -> dict[str, list[str]]:
    """Return each layout that has a sign among some files, with its signs.

    A table that another layout claims is no table of its own. Beside another layout a table only
    counts if it names clips, for many corpora carry tables about other things. A TextGrid takes
    the texts beside it along.
    """
    special = {name: layout for name, layout in LAYOUTS.items() if name != "table"}
    found = {
        name: index
        for name, layout in special.items()
        if (index := [file for file in names if layout.claims(source, file)])
    }
    if "textgrid" in found:
        found.pop("sidecar", None)
    claimed = {file for index in found.values() for file in index}
    tables = [n for n in names if corpus_table.is_table(n) and n not in claimed]
    if found:
        tables = [name for name in tables if corpus_table.names_clips(source.folder / name)]
    return found | ({"table": tables} if tables else {})


def _claimed(source: Source, layout: str) -> list[str]:
    return [name for name in source.files if LAYOUTS[layout].claims(source, name)]


def _tables(source: Source, given: Given) -> list[str]:
    """Return the tables that the user named, relative to the folder where they lie in it.

    Raises:
        ValueError: there is no such file, in the folder or from here.
    """
    names = []
    for table in given.tables:
        inside = source.folder / table
        if not inside.is_file() and not table.is_file():
            raise UserError(f"{table}: no such table, neither here nor in {source.folder}")
        path = (inside if inside.is_file() else table).resolve()
        within = path.is_relative_to(source.folder.resolve())
        folder = source.folder.resolve()
        names.append(path.relative_to(folder).as_posix() if within else str(Path(path)))
    return names


def _check_options(layout: str, given: Given) -> None:
    """Refuse options that the layout would pass over."""
    if given.columns and layout not in (*TABLES, "ljspeech"):
        options = [f"--{name}-column" for name in given.columns]
        raise UserError(f"{options[0]} is for tables, and this is layout {layout}")
    if given.tiers and layout != "textgrid":
        options = [f"--{name}-tier" for name in given.tiers]
        raise UserError(f"{options[0]} is for layout textgrid, and this is layout {layout}")
    if given.tables and layout in ("librispeech", "sidecar", "textgrid"):
        raise UserError(f"--table is for layouts with a list of clips, and this is {layout}")
