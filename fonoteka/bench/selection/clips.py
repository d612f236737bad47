"""Clips with embeddings and phones: of the Free Spoken Digit Dataset, or of a build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fonoteka import manifest
from fonoteka.audio.dsp import FRAMES_PER_SECOND
from fonoteka.core.errors import UserError
from fonoteka.g2p.g2p import phones_of
from fonoteka.shards import open_arrays, write_arrays
from fonoteka.tables import read_table
from fonoteka.text.normalizer import normalize
from fonoteka.transcribe import load_recording

LABELS = "labels.tsv"
FSDD_SHARDS = 8
SPACE = "\t"


@dataclass(frozen=True)
class LabelledClip:
    """A clip whose transcript is known, and may be hidden.

    Attributes:
        id: of the clip.
        embeddings: `[T, D]`, one vector per 20 ms.
        phones: of the transcript.
        speaker: `corpus/name`.
        language: code.
    """

    id: str
    embeddings: NDArray[np.float32]
    phones: tuple[str, ...]
    speaker: str
    language: str

    @property
    def seconds(self) -> float:
        """What a transcript of the clip costs, in seconds of speech."""
        return len(self.embeddings) / FRAMES_PER_SECOND


@dataclass(frozen=True)
class Material:
    """The clips of a simulation.

    Attributes:
        name: of the corpus.
        pool: clips that may be transcribed.
        test: clips that errors are counted on.
    """

    name: str
    pool: tuple[LabelledClip, ...]
    test: tuple[LabelledClip, ...]


def fsdd(folder: Path, encoder: Path, store: Path) -> Material:
    """Return the Free Spoken Digit Dataset: takes 0 to 4 of each digit and speaker are the test.

    Args:
        folder: with labels.tsv.
        encoder: folder of an encoder.
        store: folder that keeps the embeddings for the next run.

    Raises:
        UserError: the folder is not the dataset, or the encoder is not one.
    """
    rows = read_table(folder / LABELS, ("path", "speaker", "language", "text", "split"), SPACE)
    paths = [row["path"] for row in rows]
    embeddings = _stored(store, paths) or _encoded(folder, encoder, store, paths)
    clips: dict[str, list[LabelledClip]] = {"train": [], "test": []}
    for row in rows:
        phones = phones_of(normalize(row["text"], row["language"]), row["language"])
        clip = LabelledClip(
            row["path"], embeddings[row["path"]], phones, f"fsdd/{row['speaker']}", row["language"]
        )
        clips[row["split"]].append(clip)
    return Material("fsdd", tuple(clips["train"]), tuple(clips["test"]))


def _stored(store: Path, paths: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
    try:
        return open_arrays(store, paths)
    except UserError:
        return {}


def _encoded(
    folder: Path, encoder: Path, store: Path, paths: Sequence[str]
) -> dict[str, NDArray[np.float32]]:
    # Imported here: transformers takes 7 CPU seconds, and the store is there from the second run.
    from fonoteka.models.clip_encoder import load_clip_encoder

    model = load_clip_encoder(encoder)
    arrays = {}
    for number, path in enumerate(paths, start=1):
        arrays[path] = model.embed(load_recording(folder / path))
        if number % 500 == 0:
            print(f"selection: {number} of {len(paths)} clips embedded", flush=True)
    store.mkdir(parents=True, exist_ok=True)
    write_arrays(store, arrays, FSDD_SHARDS)
    return arrays


def build(splits: Path, embeddings: Path, corpus: str) -> Material:
    """Return the clips of a corpus in a build: the pool is train, without changed copies.

    Raises:
        UserError: the build has no clip of the corpus in train or test.
    """
    parts = []
    for part in ("train", "test"):
        rows = [u for u in manifest.read(splits / f"{part}.jsonl") if u.source == corpus]
        rows = [u for u in rows if u.parent is None]
        if not rows:
            raise UserError(f"{splits / part}.jsonl: no clip of corpus {corpus!r}")
        arrays = open_arrays(embeddings, [u.id for u in rows])
        parts.append(
            tuple(LabelledClip(u.id, arrays[u.id], u.phones, u.speaker, u.language) for u in rows)
        )
    return Material(corpus, *parts)
