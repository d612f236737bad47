"""What every shape gets and returns."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fonoteka.corpus.importers.layouts.base import ImportOptions
from fonoteka.corpus_fetch.catalogue import PublicCorpus

TABLE = "metadata.csv"
COLUMNS = ("path", "text", "speaker", "language", "sex")


@dataclass(frozen=True)
class FetchedFiles:
    """The downloaded files of a corpus.

    Attributes:
        corpus: the entry of the catalogue.
        languages: codes that were asked for.
        parts: the parts that were asked for.
        paths: by name in the catalogue, in its order.
    """

    corpus: PublicCorpus
    languages: tuple[str, ...]
    parts: tuple[str, ...]
    paths: Mapping[str, Path]


@dataclass(frozen=True)
class ArrangedFolder:
    """A folder that an importer can read.

    Attributes:
        options: its layout and table.
        notes: what was left out, with counts and reasons.
        release: of the archive, if only the archive states it; else empty.
    """

    options: ImportOptions
    notes: tuple[str, ...] = field(default=())
    release: str = ""


def write_rows(folder: Path, rows: Iterable[Sequence[str]]) -> ArrangedFolder:
    """Write the table of a folder, with `COLUMNS`, and return the folder as layout `table`.

    Texts stay as they are; only line breaks, which no corpus has on purpose, become spaces.
    """
    with (folder / TABLE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([" ".join(value.splitlines()) for value in row] for row in rows)
    return ArrangedFolder(ImportOptions(layout="table", tables=(Path(TABLE),)))
