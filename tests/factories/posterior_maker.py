"""Utterances of the test split with posteriors that decode to given phones."""

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

# speaker, language, reference phones, decoded phones, predicted phones of the segments
HEARD = [
    ("real/ana", "hr", "d a", "d a", "d a"),
    ("real/ana", "hr", "d a", "d o", "d o"),
    ("real/ivo", "sr", "n e", "n", "n a"),
    ("tts/eva", "en", "h i m", "h i m s", "h i m"),
]


def said_as(phones: str) -> np.ndarray:
    """Return log posteriors that decode to `phones`: two frames per phone and a blank after it."""
    best = [LABELS.index(p) for phone in phones.split() for p in [phone] * 2 + [LABELS[0]]]
    rows = np.full((len(best), len(LABELS)), np.log(0.1 / (len(LABELS) - 1)), dtype=np.float32)
    rows[np.arange(len(best)), best] = np.log(0.9)
    return rows


def named_as(symbols: str, confidence: float = 0.8) -> np.ndarray:
    """Return log probabilities of segments predicted as `symbols`, each with one confidence."""
    best = [INVENTORY.index(phone) for phone in symbols.split()]
    rest = (1 - confidence) / (len(INVENTORY) - 1)
    rows = np.full((len(best), len(INVENTORY)), rest, dtype=np.float32)
    rows[np.arange(len(best)), best] = confidence
    return np.log(rows)


def part_of(clips=HEARD, light=None, synthetic=True):
    """Return utterances, their posteriors and the table of their segments.

    `light` are the phones that the int8 file predicts for each.
    """
    utterances, arrays, rows = [], {}, []
    for number, (speaker, language, phones, hypothesis, symbols) in enumerate(clips):
        u = utterance(
            speaker, number, language, phones=tuple(phones.split()), id=f"u{number}",
            synthetic=synthetic and speaker.startswith("tts"),
        )  # fmt: skip
        utterances.append(u)
        arrays[u.id] = said_as(hypothesis)
        arrays[f"{u.id}#segments"] = named_as(symbols)
        if light is not None:
            arrays[f"{u.id}#int8"] = said_as(light[number])
        rows += [
            (u.id, "test", "phone", phone, 0.06 * index, 0.06 * index + 0.04, "corpus")
            for index, phone in enumerate(u.phones)
        ]
    return utterances, arrays, pd.DataFrame(rows, columns=COLUMNS)


def save_part(folder: Path, utterances, arrays, segments) -> list[Path]:
    """Write what the stage evaluate reads; return the paths in the order of its arguments."""
    (folder / "posteriors").mkdir()
    write_arrays(folder / "posteriors", arrays, 2)
    manifest.write(folder / "test.jsonl", utterances)
    foreign = segments.assign(part="train", symbol="x")
    words = segments.assign(kind="word", symbol="da")
    pd.concat([segments, foreign, words]).to_parquet(folder / "s.parquet", index=False)
    write_json(folder / "onnx.json", ABOUT)
    return [folder / name for name in ("posteriors", "test.jsonl", "s.parquet", "onnx.json")]
