"""Say under which licence every recording that is used may be used.

    python -m stages.corpus.licences data/corpus/accepted.csv data/raw DATA_LICENSES.md

Reads   accepted.csv; of each of its corpora corpus.json and metadata.csv
Writes  DATA_LICENSES.md, which is in git
Params  privacy

It stands at the top of the repository, where people look for it, and counts what is used: a clip
that was set aside is in data/raw under the same terms. A corpus without a licence is refused, for
nobody may use it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from fonoteka.core.files import write_text
from fonoteka.core.params import load
from fonoteka.corpus.clip_terms import own_terms
from fonoteka.corpus.corpus import ACCEPTED_COLUMNS, read_card
from fonoteka.pseudonyms import PrivacyParams
from fonoteka.tables import read_table
from stages.corpus.licences.page import holdings_of, page


def run(accepted: Path, raw: Path, out: Path, params: PrivacyParams) -> None:
    """Write the page.

    Raises:
        ValueError: a corpus has no card or no licence, or its table is wrong.
    """
    rows = read_table(accepted, ACCEPTED_COLUMNS)
    names = sorted({row["corpus"] for row in rows})
    cards = {name: read_card(raw / name) for name in names}
    own = {name: own_terms(raw / name) for name in names}
    clips = (
        (row["corpus"], row["path"].removeprefix(f"{row['corpus']}/"), float(row["duration_s"]))
        for row in rows
    )
    held = holdings_of(cards, own, clips)
    write_text(out, page(held, params.name_people))
    for holding in held:
        differ = sum(terms != holding.own for terms, _ in holding.clips)
        print(
            f"licences: {holding.card.name}: {len(holding.clips)} clips, {differ} of them under "
            "terms of their own"
        )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("accepted", "raw", "out"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    run(given.accepted, given.raw, given.out, load("privacy", PrivacyParams))
