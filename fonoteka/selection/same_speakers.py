"""Rows of data/speakers.csv for speakers who are in the split already under another corpus.

A speaker of the split is `corpus/name`, so a person whose recordings are partly transcribed would
be two speakers, perhaps one in train and one in test.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from fonoteka.tables import read_table

SPLIT = Path("data/splits/speakers.csv")


def rows_to_add(
    new: str, speakers: Mapping[str, Collection[str]], table: Path = SPLIT
) -> list[str]:
    """Return the rows that keep the speakers of a new corpus in the parts that they are in.

    Args:
        new: name of the new corpus.
        speakers: name of a speaker to the corpora that have other recordings of that speaker.
        table: the split's table of speakers; without it nothing is assigned yet.

    Returns:
        Lines of data/speakers.csv, `corpus/name,part`, sorted.
    """
    if not table.is_file():
        return []
    parts = {row["speaker"]: row["part"] for row in read_table(table, ("speaker", "part"))}
    rows = []
    for speaker, corpora in sorted(speakers.items()):
        existing = sorted({parts[name] for c in corpora if (name := f"{c}/{speaker}") in parts})
        rows += [f"{new}/{speaker},{part}" for part in existing[:1]]
    return rows
