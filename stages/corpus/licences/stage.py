"""State under which licence every recording that is used may be used.

    python -m stages.corpus.licences data/corpus/accepted.csv data/corpus/corpora.json \
        DATA_LICENSES.md

Reads   accepted.csv; corpora.json: the cards of the corpora
Writes  DATA_LICENSES.md, which is in git
Params  privacy

It stands at the top of the repository, where people look for it, and counts what is used: a clip
that was set aside is in data/raw under the same terms.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from fonoteka.core.files import read_json, write_text
from fonoteka.core.params import load
from fonoteka.corpus.clip_terms import ClipTerms
from fonoteka.corpus.corpus import ACCEPTED_COLUMNS, Card
from fonoteka.pseudonyms import PrivacyParams
from fonoteka.tables import read_table
from stages.corpus.licences.page import holdings_of, page


def run(accepted: Path, corpora: Path, out: Path, params: PrivacyParams) -> None:
    """Write the page."""
    rows = read_table(accepted, ACCEPTED_COLUMNS)
    used = {row["corpus"] for row in rows}
    cards = {card["name"]: Card(**card) for card in read_json(corpora) if card["name"] in used}
    clips = (
        (row["corpus"], ClipTerms(row["licence"], row["source"]), float(row["duration_s"]))
        for row in rows
    )
    held = holdings_of(cards, clips)
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
    for name in ("accepted", "corpora", "out"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    run(args.accepted, args.corpora, args.out, load("privacy", PrivacyParams))
