"""Checkpoints of a training, from which a killed run resumes with the same result.

A checkpoint is one safetensors file that is replaced atomically, so a kill leaves the last one or
none. It contains a fingerprint of everything that the result depends on, code included; a
checkpoint with another fingerprint is ignored.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from fonoteka.compute.source_fingerprint import loaded_sources
from fonoteka.core.files import atomic_file, sha256_json


def fingerprint(*parts: Any) -> str:
    """Return a hash of JSON values and of the source of all imported modules of this project."""
    return sha256_json([list(parts), loaded_sources(), torch.__version__])


class Checkpoint:
    """One file in its own folder, valid for one fingerprint."""

    def __init__(self, folder: Path, mark: str) -> None:
        self.path = folder / "state.safetensors"
        self.mark = mark

    def save(self, module: nn.Module, optimizer: torch.optim.Optimizer, notes: Any) -> None:
        """Write weights, optimizer state and `notes`, any JSON value."""
        tensors = {f"module.{k}": v.contiguous() for k, v in module.state_dict().items()}
        for number, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{k}": v.contiguous() for k, v in state.items()}
        header = {"mark": self.mark, "notes": json.dumps(notes)}
        with atomic_file(self.path) as part:
            part.write_bytes(save({k: v.clone() for k, v in tensors.items()}, header))

    def restore(self, module: nn.Module, optimizer: torch.optim.Optimizer) -> Any:
        """Load module and optimizer and return the notes, or None if there is nothing to resume."""
        if not self.path.is_file():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                header = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except SafetensorError:
            return None  # foreign or damaged: a new start gives the same result
        if header.get("mark") != self.mark:
            return None
        module.load_state_dict(_below("module", tensors))
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _below("optimizer", tensors).items():
            number, key = name.split(".", 1)
            state.setdefault(int(number), {})[key] = tensor
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})
        return json.loads(header["notes"])

    def clear(self) -> None:
        """Remove the checkpoint of a finished training."""
        shutil.rmtree(self.path.parent, ignore_errors=True)


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
