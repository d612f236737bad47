"""The licence and the source of single clips.

corpus.json states both once for all clips of a corpus. If some clips came under other terms,
metadata.csv has a column `licence` (or `license`), a column `source`, or both; an empty cell means
the value of corpus.json. The inventory contains the resulting terms of each clip.
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
"""Accepted names of the columns in metadata.csv."""


@dataclass(frozen=True)
class ClipTerms:
    """The terms of a clip; an empty value means the value of its corpus.

    Attributes:
        licence: under which the clip may be used.
        source: where the clip comes from.
    """

    licence: str = ""
    source: str = ""

    def within(self, card: Card) -> ClipTerms:
        """Return the same terms with empty values replaced by those of the corpus."""
        return ClipTerms(self.licence or card.licence.strip(), self.source or card.source.strip())


AS_THE_CORPUS = ClipTerms()


def own_terms(folder: Path) -> dict[str, ClipTerms]:
    """Return the terms of clips that have their own, by path relative to the corpus's folder.

    Raises:
        ValueError: the table is missing or invalid, or has a column in both spellings.
    """
    table = folder / TABLE
    terms_by_path: dict[str, ClipTerms] = {}
    columns: dict[str, str] | None = None
    for _, row in read_numbered(table, ("path",)):
        if columns is None:
            columns = _columns(row, table)
        if not columns:
            return {}
        values = {name: " ".join(row[column].split()) for name, column in columns.items()}
        if any(values.values()):
            terms_by_path[PurePosixPath(row["path"].strip()).as_posix()] = ClipTerms(**values)
    return terms_by_path


def _columns(row: Row, table: Path) -> dict[str, str]:
    """Return the table's column for `licence` and for `source`, if it has one."""
    columns = {}
    for name, spellings in SPELLINGS.items():
        present = [spelling for spelling in spellings if spelling in row]
        if len(present) > 1:
            raise UserError(f"{table}: has the columns {present}, which mean the same; keep one")
        if present:
            columns[name] = present[0]
    return columns
