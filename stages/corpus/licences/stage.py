"""State the licence of every recording that is used, and of fetched weights.

    python -m stages.corpus.licences data/corpus/accepted.csv data/corpus/corpora.json \
        data/models/whisper_base data/models/voices DATA_LICENSES.md

Reads   accepted.csv; corpora.json: the cards of the corpora; provenance.json of the weights
Writes  DATA_LICENSES.md, which is in git
Params  privacy

The page is at the top of the repository, where readers look for licences. It counts the clips that
are used; a quarantined clip is in data/raw under the same terms.
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
from stages.corpus.licences.page import encoder_section, page, used_corpora, weights_section


def run(
    accepted: Path, cards_path: Path, weights: Path, voices: Path, out: Path, params: PrivacyParams
) -> None:
    """Write the page.

    Args:
        accepted: the table of the clips that are used.
        cards_path: the cards of the corpora.
        weights: the folder of Whisper's weights.
        voices: the folder of the speaker encoder's weights.
        out: the page.
        params: whether people may be named.
    """
    rows = read_table(accepted, ACCEPTED_COLUMNS)
    names = {row["corpus"] for row in rows}
    cards = {card["name"]: Card(**card) for card in read_json(cards_path) if card["name"] in names}
    clips = (
        (row["corpus"], ClipTerms(row["licence"], row["source"]), float(row["duration_s"]))
        for row in rows
    )
    used = used_corpora(cards, clips)
    provenance = read_json(weights / "provenance.json")
    encoder = read_json(voices / "provenance.json")
    sections = [weights_section(provenance), encoder_section(encoder)]
    write_text(out, "\n".join([page(used, params.name_people), *sections]))
    for corpus in used:
        differ = sum(terms != corpus.own for terms, _ in corpus.clips)
        print(
            f"licences: {corpus.card.name}: {len(corpus.clips)} clips, {differ} of them under "
            "terms of their own"
        )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("accepted", "corpora", "weights", "voices", "out"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    run(
        args.accepted, args.corpora, args.weights, args.voices, args.out,
        load("privacy", PrivacyParams),
    )  # fmt: skip
