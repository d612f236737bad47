"""An inventory of a toy corpus, by the stage's own `run`."""

from __future__ import annotations

from dataclasses import replace

from fonoteka.corpus.corpus import INVENTORY_COLUMNS
from fonoteka.tables import read_table
from stages.corpus.inventory.stage import InventoryOutputs, InventoryParams, run

PARAMS = InventoryParams(
    corpora=("mine",), untranscribed="refuse", min_s=0.1, max_s=20.0, max_bytes=10_000_000,
    max_channels=2, max_decode_s=20.0, memory_mib=512, silent_below_dbfs=-60.0,
    max_clipped_fraction=0.01,
)  # fmt: skip
QUARANTINE = replace(PARAMS, untranscribed="quarantine")


def outputs(folder):
    """Return where the stage writes, in one folder."""
    names = ("inventory.csv", "prints.npy", "phones.jsonl", "corpora.json")
    return InventoryOutputs(*(folder / name for name in names))


def take(raw, params=PARAMS, workers=1):
    out = outputs(raw.parent)
    run(raw, out, params, workers)
    return {row["path"]: row for row in read_table(out.inventory, INVENTORY_COLUMNS)}
