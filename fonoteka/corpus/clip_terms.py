"""Under which licence a clip may be used and where it comes from.

A corpus says both in corpus.json, once for all of its clips. Where some of them came under other
terms, its metadata.csv has a column `licence` (or `license`), a column `source`, or both; an empty
cell means what corpus.json says. The inventory has the terms that hold for each clip.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fonoteka.core.errors import UserError
from fonoteka.corpus.corpus import TABLE, Card
from fonoteka.tables import Row, read_numbered

LICENCE, SOURCE = "licence", "source"
OWN_COLUMNS = (LICENCE, SOURCE)
SPELLINGS: Mapping[str, tuple[str, ...]] = {LICENCE: ("licence", "license"), SOURCE: ("source",)}
"""Under which names a column of metadata.csv says it."""


@dataclass(frozen=True)
class Terms:
    """What holds for a clip; empty is what its corpus says.

    Attributes:
        licence: under which it may be used.
        source: where it comes from.
    """

    licence: str = ""
    source: str = ""

    def within(self, card: Card) -> Terms:
        """Return the same with what the corpus says in place of what is empty."""
        return Terms(self.licence or card.licence.strip(), self.source or card.source.strip())


AS_THE_CORPUS = Terms()


def own_terms(folder: Path) -> dict[str, Terms]:
    """Return the terms of the clips that have some of their own, by path below a corpus's folder.

    Raises:
        ValueError: the table is missing or broken, or has the column of the licence twice, in both
            spellings.
    """
    table = folder / TABLE
    found: dict[str, Terms] = {}
    columns: dict[str, str] | None = None
    for _, row in read_numbered(table, ("path",)):
        if columns is None:
            columns = _columns(row, table)
        if not columns:
            return {}
        said = {name: " ".join(row[column].split()) for name, column in columns.items()}
        if any(said.values()):
            found[PurePosixPath(row["path"].strip()).as_posix()] = Terms(**said)
    return found


def _columns(row: Row, table: Path) -> dict[str, str]:
    """Return the column of the table for each of ours that it has."""
    columns = {}
    for name, spellings in SPELLINGS.items():
        there = [spelling for spelling in spellings if spelling in row]
        if len(there) > 1:
            raise UserError(f"{table}: has the columns {there}, which mean the same; keep one")
        if there:
            columns[name] = there[0]
    return columns
