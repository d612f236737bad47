"""Files of a causal network: weights as safetensors, shape and metadata as JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file, read_json, sha256_file, write_json
from fonoteka.core.params import build
from fonoteka.models.causal import Stack, StackShape, build_stack

WEIGHTS, CONFIG = "model.safetensors", "model.json"


def save_stack(folder: Path, model: Stack, shape: StackShape, metadata: dict[str, Any]) -> None:
    """Write the weights and the JSON of a model."""
    with atomic_file(folder / WEIGHTS) as part:
        part.write_bytes(save({k: v.contiguous() for k, v in model.state_dict().items()}))
        digest = sha256_file(part)
    write_json(folder / CONFIG, metadata | {"shape": asdict(shape), "weights_sha256": digest})


def load_stack(folder: Path) -> tuple[Stack, dict[str, Any]]:
    """Return a model in eval mode and its JSON.

    Raises:
        UserError: a file is missing or damaged, or the two do not belong together.
    """
    metadata, weights = read_json(folder / CONFIG), folder / WEIGHTS
    model = build_stack(build(metadata.get("shape", {}), StackShape, f"{folder / CONFIG}: shape"))
    if not weights.is_file():
        raise UserError(f"{weights}: no such file; run dvc checkout or dvc repro")
    if (digest := sha256_file(weights)) != metadata.get("weights_sha256"):
        raise UserError(
            f"{weights}: its SHA-256 is {digest[:12]}, but {CONFIG} names "
            f"{str(metadata.get('weights_sha256'))[:12]}; run dvc checkout to get the right one"
        )
    try:
        model.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError) as error:
        raise UserError(f"{weights}: {error}") from error
    return model.eval(), metadata
