"""Test parts with posteriors that are heard as it is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from corpus_maker import utterance

from fonoteka import manifest
from fonoteka.core.files import write_json
from fonoteka.phones import INVENTORY, LABELS
from fonoteka.shards import write_arrays

ABOUT = {
    "parameters": {"head": 7, "encoder": 70},
    "bytes": {"head": 8, "model": 80, "head_int8": 2, "model_int8": 20},
}
COLUMNS = ["utterance", "part", "kind", "symbol", "start_s", "end_s", "origin"]

# speaker, language, what was said, what is heard, what the segments are named
HEARD = [
    ("real/ana", "hr", "d a", "d a", "d a"),
    ("real/ana", "hr", "d a", "d o", "d o"),
    ("real/ivo", "sr", "n e", "n", "n a"),
    ("tts/eva", "en", "h i m", "h i m s", "h i m"),
]


def said_as(said: str) -> np.ndarray:
    """Log posteriors that are heard as `said`: two frames a phone and a blank after it."""
    best = [LABELS.index(p) for phone in said.split() for p in [phone] * 2 + [LABELS[0]]]
    rows = np.full((len(best), len(LABELS)), np.log(0.1 / (len(LABELS) - 1)), dtype=np.float32)
    rows[np.arange(len(best)), best] = np.log(0.9)
    return rows


def named_as(named: str, sure: float = 0.8) -> np.ndarray:
    """Log probabilities of segments that are named `named`, each with confidence `sure`."""
    best = [INVENTORY.index(phone) for phone in named.split()]
    rest = (1 - sure) / (len(INVENTORY) - 1)
    rows = np.full((len(best), len(INVENTORY)), rest, dtype=np.float32)
    rows[np.arange(len(best)), best] = sure
    return np.log(rows)


def part_of(heard=HEARD, light=None, synthetic=True):
    """Utterances, their posteriors and the table of their segments.

    With `light`, what the int8 file hears of each.
    """
    told, arrays, rows = [], {}, []
    for number, (speaker, language, said, decoded, named) in enumerate(heard):
        u = utterance(
            speaker, number, language, phones=tuple(said.split()), id=f"u{number}",
            synthetic=synthetic and speaker.startswith("tts"),
        )  # fmt: skip
        told.append(u)
        arrays[u.id] = said_as(decoded)
        arrays[f"{u.id}#segments"] = named_as(named)
        if light is not None:
            arrays[f"{u.id}#int8"] = said_as(light[number])
        rows += [
            (u.id, "test", "phone", phone, 0.06 * at, 0.06 * at + 0.04, "corpus")
            for at, phone in enumerate(u.phones)
        ]
    return told, arrays, pd.DataFrame(rows, columns=COLUMNS)


def save_part(folder: Path, told, arrays, segments) -> list[Path]:
    """Write what the stage evaluate reads, in the order in which it takes it."""
    (folder / "posteriors").mkdir()
    write_arrays(folder / "posteriors", arrays, 2)
    manifest.write(folder / "test.jsonl", told)
    foreign = segments.assign(part="train", symbol="x")
    words = segments.assign(kind="word", symbol="da")
    pd.concat([segments, foreign, words]).to_parquet(folder / "s.parquet", index=False)
    write_json(folder / "onnx.json", ABOUT)
    return [folder / name for name in ("posteriors", "test.jsonl", "s.parquet", "onnx.json")]
