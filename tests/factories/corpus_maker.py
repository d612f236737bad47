"""Small corpora and manifests, made where a test needs them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from fonoteka.manifest import Utterance, utterance_id

RATE = 8000
SHARED = Path(__file__).resolve().parents[3] / "shared" / "corpora"
CARD = {"name": "mine", "licence": "CC0", "source": "a test", "synthetic": False}


def tone(seconds: float = 0.5, hz: float = 200.0) -> np.ndarray:
    """A sine at half of full scale; another `hz` is another sound."""
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)


def write_clip(path: Path, samples: np.ndarray, subtype: str = "PCM_16") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, samples, RATE, subtype=subtype)


COLUMNS = "path,text,speaker,language"


def make_corpus(
    raw: Path, rows: list[str], name: str = "mine", columns: str = COLUMNS, **card: object
) -> Path:
    """Write a corpus whose table has the given rows, with a tone of its own for each path."""
    folder = raw / name
    folder.mkdir(parents=True)
    for number, row in enumerate(rows):
        write_clip(folder / row.split(",")[0], tone(hz=200 + 20 * number))
    write_rows(folder, rows, columns)
    (folder / "corpus.json").write_text(json.dumps(CARD | {"name": name} | card))
    return folder


def write_rows(folder: Path, rows: list[str], header: str = COLUMNS) -> None:
    (folder / "metadata.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


def utterance(speaker: str, number: int = 0, language: str = "hr", **more: object) -> Utterance:
    """An utterance of `corpus/name` that says something of its own."""
    corpus, _, name = speaker.partition("/")
    path = f"{name}-{number}.wav"
    values = {
        "id": utterance_id(corpus, path), "audio": f"{corpus}/{path}", "speaker": speaker,
        "language": language, "text": f"{name} {number}", "normalized": f"{name} {number}",
        "phones": ("d", "a"), "duration_s": 1.0, "source": corpus, "licence": "CC0",
        "synthetic": False,
    }  # fmt: skip
    return Utterance(**(values | more))


def shared_corpus(name: str) -> Path:
    """Return a folder of real recordings beside the repository, or skip the test."""
    if not (SHARED / name).is_dir():
        pytest.skip(f"no ../shared/corpora/{name} beside the repository")
    return SHARED / name
