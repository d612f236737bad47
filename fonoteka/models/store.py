"""Keep a small model: weights as safetensors and, beside them, what is needed to use them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file, read_json, sha256_file, write_json
from fonoteka.core.params import build
from fonoteka.models.causal import Stack, StackShape, stack_of

WEIGHTS, CONFIG = "model.safetensors", "model.json"


def save_small(folder: Path, model: Stack, shape: StackShape, facts: dict[str, Any]) -> None:
    """Write a model."""
    with atomic_file(folder / WEIGHTS) as part:
        part.write_bytes(save({k: v.contiguous() for k, v in model.state_dict().items()}))
        digest = sha256_file(part)
    write_json(folder / CONFIG, facts | {"shape": asdict(shape), "weights_sha256": digest})


def load_small(folder: Path) -> tuple[Stack, dict[str, Any]]:
    """Return a model ready to use and its JSON.

    Raises:
        ValueError: a file is missing, damaged or not the one that belongs to the other.
    """
    facts, weights = read_json(folder / CONFIG), folder / WEIGHTS
    model = stack_of(build(facts.get("shape", {}), StackShape, f"{folder / CONFIG}: shape"))
    if not weights.is_file():
        raise UserError(f"{weights}: no such file; run dvc checkout or dvc repro")
    if (found := sha256_file(weights)) != facts.get("weights_sha256"):
        raise UserError(
            f"{weights}: its SHA-256 is {found[:12]}, but {CONFIG} names "
            f"{str(facts.get('weights_sha256'))[:12]}; run dvc checkout to get the right one"
        )
    try:
        model.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError) as error:
        raise UserError(f"{weights}: {error}") from error
    return model.eval(), facts
