"""The states of a frozen encoder for each clip, computed once and stored on disk.

    states/000.safetensors    id to `[S, D]` float16, of clips with one input length

A clip of 2.5 s has 0.2 MB. The training of the decoder alone reads them in each epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from fonoteka.core.files import atomic_file
from fonoteka.models.step_checkpoints import write_tensors
from fonoteka.models.whisper_encoder import encode_mel
from fonoteka.whisper.examples import TextClip
from fonoteka.whisper.model import Whisper, padded

PER_FILE, BATCH = 64, 8
"""Clips in a file, which is what a kill loses, and clips that are encoded side by side."""


class EncoderStates:
    """Encoder states of examples, in a folder; files of another fingerprint are replaced."""

    def __init__(self, folder: Path, mark: str) -> None:
        self.folder, self.mark = folder, mark
        self.places: dict[str, Path] = {}

    def prepare(self, whisper: Whisper, examples: Sequence[TextClip]) -> None:
        """Compute the states that the folder does not have."""
        files = list(_files(examples))
        for number, some in enumerate(files):
            path = self.folder / f"{number:03d}.safetensors"
            if not self._has(path, some):
                with atomic_file(path) as part:
                    write_tensors(part, _encoded(whisper, some), {"mark": self.mark})
            self.places |= {e.id: path for e in some}
            print(f"states: file {number + 1} of {len(files)}", flush=True)

    def read(self, examples: Sequence[TextClip]) -> Tensor:
        """Return the states `[B, S, D]` of examples with one input length, float32."""
        rows = []
        for e in examples:
            with safe_open(self.places[e.id], framework="pt") as file:
                rows.append(file.get_tensor(e.id).float())
        return torch.stack(rows)

    def clear(self) -> None:
        """Remove the files."""
        for path in self.folder.glob("*.safetensors"):
            path.unlink()
        if self.folder.is_dir():
            self.folder.rmdir()

    def _has(self, path: Path, examples: Sequence[TextClip]) -> bool:
        if not path.is_file():
            return False
        try:
            with safe_open(path, framework="pt") as file:
                same = (file.metadata() or {}).get("mark") == self.mark
                return same and {*file.keys()} == {e.id for e in examples}
        except SafetensorError:
            return False


def _files(examples: Sequence[TextClip]) -> Iterator[list[TextClip]]:
    """Yield the examples of each file, which have one input length."""
    ordered = sorted(examples, key=lambda e: (e.input_s, e.id))
    for _, group in groupby(ordered, key=lambda e: e.input_s):
        some = list(group)
        yield from (some[i : i + PER_FILE] for i in range(0, len(some), PER_FILE))


@torch.no_grad()
def _encoded(whisper: Whisper, examples: Sequence[TextClip]) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for start in range(0, len(examples), BATCH):
        some = examples[start : start + BATCH]
        samples = padded([e.samples for e in some], some[0].input_s).to(whisper.model.device)
        states = encode_mel(whisper.model.model.encoder, whisper.log_mel(samples))
        tensors |= {e.id: row.half() for e, row in zip(some, states, strict=True)}
    return tensors
