"""The work of `augment` on one recording: a changed copy, as a task that other processes can do."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from fonoteka.audio.dsp import Signal, flac_bytes, to_mono_16k
from fonoteka.audio.recipe import AugmentRecipe
from fonoteka.audiocheck.downmix import select_channel
from fonoteka.audiocheck.read_recording import read_recording
from fonoteka.compute.source_fingerprint import source_fingerprint
from fonoteka.core.errors import UserError
from fonoteka.core.files import sha256_json
from fonoteka.manifest import utterance_id

_FACTOR = struct.Struct("<d")
PEAK = 0.98
"""A copy that would exceed full scale gets this peak; all others keep their level."""


@dataclass(frozen=True)
class CopyItem:
    """One copy to make.

    Attributes:
        path: of the recording, relative to the folder of its corpus.
        number: of the copy, from 1.
        sha256: of the recording's file.
    """

    path: str
    number: int
    sha256: str


@dataclass(frozen=True)
class AugmentedCopy:
    """A copy of a recording.

    Attributes:
        flac: its file, one channel at 16 kHz.
        factor: its speed relative to the recording.
    """

    flac: bytes
    factor: float


@dataclass(frozen=True)
class CopyTask:
    """Copies of the recordings of a corpus; a `fonoteka.compute.clip_task.ClipTask`.

    Attributes:
        folder: of the corpus, whose name is part of the seed of each copy.
        recipe: the changes.
        seed: of all copies.
        fingerprint: of code, recipe and seed, see `copy_task`.
        name: of its folder in the cache.
    """

    folder: Path
    recipe: AugmentRecipe
    seed: int
    fingerprint: str
    name: str = "augment"

    def open(self) -> Callable[[CopyItem], AugmentedCopy]:
        """Return the function that makes a copy."""
        return self.changed

    def changed(self, item: CopyItem) -> AugmentedCopy:
        """Return a copy; the draws depend on the seed, the clip and the copy's number alone.

        Raises:
            UserError: the recording cannot be read, or has no sample.
        """
        # Imported here: the filters take 1.8 CPU seconds to load, and the driver changes nothing.
        from fonoteka.audio.augment import augment

        path = self.folder / item.path
        samples, rate = read_recording(path)
        signal = to_mono_16k(select_channel(samples, rate), rate)
        if not signal.size:
            raise UserError(f"{path}: no sample; remove its row or record it again")
        seed = int(sha256_json([self.seed, self.clip(item)]), 16)
        changed, factor = augment(signal, self.recipe, np.random.default_rng(seed))
        return AugmentedCopy(flac_bytes(_within_full_scale(changed)), factor)

    def clip(self, item: CopyItem) -> str:
        """Return the id of the recording and the number of the copy."""
        return f"{utterance_id(self.folder.name, item.path)}#{item.number}"

    def content(self, item: CopyItem) -> str:
        """Return the hash of the recording."""
        return item.sha256

    def encode(self, result: AugmentedCopy) -> bytes:
        """Return the factor and the file."""
        return _FACTOR.pack(result.factor) + result.flac

    def decode(self, data: bytes) -> AugmentedCopy:
        """Return the result of `encode`."""
        return AugmentedCopy(data[_FACTOR.size :], _FACTOR.unpack(data[: _FACTOR.size])[0])


def copy_task(folder: Path, recipe: AugmentRecipe, seed: int) -> CopyTask:
    """Return the task for a corpus."""
    # The name of a recipe changes no sample.
    changes = [asdict(change) for change in recipe.changes]
    return CopyTask(
        folder, recipe, seed, sha256_json([source_fingerprint(__name__), changes, seed])
    )


def _within_full_scale(signal: Signal) -> Signal:
    peak = float(np.abs(signal).max())
    return signal if peak <= 1.0 else np.asarray(signal * (PEAK / peak), dtype=np.float32)
