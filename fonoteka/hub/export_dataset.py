"""Write the folder of the data set: the clips that may be passed on, and a card.

Only clips whose licence `hub.licence_ids` lists are written; the card counts the others by licence.
"""

from __future__ import annotations

from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, read_json, write_text
from fonoteka.corpus.corpus import Card
from fonoteka.hub.clip_selection import select_clips
from fonoteka.hub.dataset_card import dataset_card
from fonoteka.hub.dataset_layouts import WRITERS
from fonoteka.hub.hub_folder import DATASET, write_record
from fonoteka.hub.params import HubParams
from fonoteka.lineage import read_parts
from fonoteka.packaging import CARD

FORMS = tuple(WRITERS)


def export_dataset(out: Path, form: str, params: HubParams, data: Path = Path("data")) -> None:
    """Write the folder of the data set, and print what it has and what was left out.

    Args:
        out: the folder; replaced, so the caller checks it with `require_replaceable`.
        form: one of `FORMS`.
        params: with the licences.
        data: with splits, audio and corpus/corpora.json.

    Raises:
        UserError: no clip may be passed on, or a file is missing.
    """
    splits = data / "splits"
    selection = select_clips(read_parts(splits), splits / "speakers.csv", params.licence_ids)
    if not selection.clips:
        licences = sorted({licence for _, licence in selection.left_out})
        raise UserError(
            f"{splits}: no clip may be passed on: hub.licence_ids in params.yaml lists none of "
            f"{licences}"
        )
    cards = {card["name"]: Card(**card) for card in read_json(data / "corpus" / "corpora.json")}
    with atomic_folder(out) as part:
        WRITERS[form](selection, data / "audio", part)
        write_text(part / CARD, dataset_card(selection, cards, form, params))
        write_record(part, DATASET, params.title)
    print(f"{out}: {len(selection.clips)} clips in the layout {form}")
    for (corpus, licence), clips in selection.left_out.items():
        print(f"left out: {clips} clips of {corpus}: hub.licence_ids does not list {licence!r}")
