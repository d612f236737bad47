"""Set aside what can't be used: files with a problem and sounds that are there already.

    python -m stages.corpus.dedupe data/corpus/inventory.csv data/corpus/accepted.csv \
        data/corpus/quarantined.csv

Reads   inventory.csv
Writes  accepted.csv: the inventory's rows that stay; quarantined.csv: the others, with the reason
Params  none

Sounds are compared as decoded samples, not as files, so that a FLAC copy of a WAV file is found.
Of several the first by id stays: that depends on names alone, so nothing flips between two runs.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from stages.common.cli import stage
from stages.common.corpora import ACCEPTED_COLUMNS, INVENTORY_COLUMNS, QUARANTINE_COLUMNS
from stages.common.tables import Row, read_table, write_table


def part_rows(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Return the rows that stay and the rows that leave, both sorted by id."""
    accepted: list[Row] = []
    quarantined: list[Row] = []
    first: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: row["id"]):
        if row["problem"]:
            quarantined.append(row | {"duplicate_of": ""})
        elif row["pcm_sha256"] in first:
            quarantined.append(_duplicate(row, first[row["pcm_sha256"]]))
        else:
            first[row["pcm_sha256"]] = row
            accepted.append(row)
    return accepted, quarantined


def _duplicate(row: Row, of: Row) -> Row:
    """Mark a row as a duplicate, and say where the two disagree about the same sound."""
    differ = [
        f"{name} {row[name]!r}, there {of[name]!r}"
        for name in ("text", "speaker", "language")
        if row[name] != of[name]
    ]
    return row | {"problem": "duplicate", "detail": "; ".join(differ), "duplicate_of": of["id"]}


def run(inventory: Path, accepted: Path, quarantined: Path) -> None:
    """Part the inventory in two tables.

    Raises:
        ValueError: nothing would stay.
    """
    stay, leave = part_rows(read_table(inventory, INVENTORY_COLUMNS))
    reasons = dict(sorted(Counter(row["problem"] for row in leave).items()))
    if not stay:
        raise ValueError(
            f"{inventory}: none of {len(leave)} files can be used: {reasons}; "
            f"add recordings with make add-corpus FROM=folder"
        )
    write_table(accepted, ACCEPTED_COLUMNS, [row | {"group": ""} for row in stay])
    kept = [{name: row[name] for name in QUARANTINE_COLUMNS} for row in leave]
    write_table(quarantined, QUARANTINE_COLUMNS, kept)
    print(f"dedupe: {len(stay)} accepted, {len(leave)} quarantined: {reasons or 'none'}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("inventory", "accepted", "quarantined"):
        parser.add_argument(name, type=Path)
    arguments = parser.parse_args()
    run(arguments.inventory, arguments.accepted, arguments.quarantined)


if __name__ == "__main__":
    stage(main)
