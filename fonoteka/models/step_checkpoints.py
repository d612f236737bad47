"""Checkpoints of a training in steps: one file each, of which the last two are kept.

    step-000040.safetensors    tensors, and in its metadata the fingerprint and the notes as JSON

A file is written tensor by tensor, because the state of a model with 72 million weights has 1.1 GiB
and a second copy in memory is not needed. It is renamed when it is whole, so a kill or a full disk
leaves the files before it.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file

KEPT = 2
"""If the last file is damaged, the one before it gives the same result."""

_TYPES = {
    torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
}  # fmt: skip


@dataclass(frozen=True)
class TrainingState:
    """What a checkpoint contains: tensors by name, and notes, any JSON value."""

    tensors: Mapping[str, Tensor]
    notes: Any


class StepCheckpoints:
    """The checkpoints of a run in its folder, valid for one fingerprint."""

    def __init__(self, folder: Path, mark: str) -> None:
        self.folder, self.mark = folder, mark

    def paths(self) -> list[Path]:
        """Return the files from the first step to the last."""
        return sorted(self.folder.glob("step-*.safetensors"))

    def save(self, step: int, state: TrainingState) -> None:
        """Write the state after a step and remove all but the last two files.

        Raises:
            UserError: the disk is full; the earlier checkpoints stay.
        """
        path = self.folder / f"step-{step:06d}.safetensors"
        size = sum(t.nbytes for t in state.tensors.values())
        header = {"mark": self.mark, "notes": json.dumps(state.notes)}
        try:
            with atomic_file(path) as part:
                write_tensors(part, state.tensors, header)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise UserError(
                f"{path}: No space left on device for a checkpoint of {size / 2**20:.0f} MiB; the "
                "earlier one is kept: make room and run it again, and the training continues there"
            ) from error
        for old in self.paths()[:-KEPT]:
            old.unlink()

    def restore(self) -> TrainingState | None:
        """Return the last state of this fingerprint, or None; print which files are ignored."""
        for path in reversed(self.paths()):
            state = self._read(path)
            if isinstance(state, TrainingState):
                return state
            print(f"{path}: ignored, because {state}", flush=True)
        return None

    def clear(self) -> None:
        """Remove the checkpoints of a finished training."""
        for path in self.paths():
            path.unlink()

    def _read(self, path: Path) -> TrainingState | str:
        """Return the state in a file, or the reason for which the file is ignored."""
        try:
            with safe_open(path, framework="pt") as file:
                header = file.metadata() or {}
                if header.get("mark") != self.mark:
                    return "it is of other data, parameters or code"
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except SafetensorError:
            return "it is damaged"
        return TrainingState(tensors, json.loads(header["notes"]))


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file without a second copy of all tensors in memory.

    `safetensors.torch.save` makes one, and `save_file` raises its own error on a full disk.

    Source: https://github.com/huggingface/safetensors#format.
    """
    entries: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.nbytes
        entries[name] = {
            "dtype": _TYPES[tensor.dtype], "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }  # fmt: skip
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % 8)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for tensor in tensors.values():
            file.write(_bytes(tensor))


def _bytes(tensor: Tensor) -> memoryview:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data
