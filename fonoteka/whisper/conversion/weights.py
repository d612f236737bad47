"""Read the configuration and the weights of a folder of transformers, as numpy arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json

DTYPES = ("float16", "float32")  # in which weights convert
EMBEDDINGS = "model.decoder.embed_tokens.weight"
PROJECTION = "proj_out.weight"  # equal to the embeddings; `save_pretrained` leaves it out
SIZES = (
    "d_model", "decoder_attention_heads", "decoder_layers", "encoder_attention_heads",
    "encoder_layers", "max_source_positions", "max_target_positions", "num_mel_bins", "vocab_size",
)  # fmt: skip


def read_config(folder: Path) -> dict[str, Any]:
    """Return the content of config.json.

    Raises:
        UserError: it is missing, is not that of a Whisper, or lacks one of `SIZES`.
    """
    config = read_json(folder / "config.json")
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind != "whisper":
        raise UserError(f"{folder}: model_type {kind!r}; expected 'whisper'")
    if missing := [name for name in SIZES if not isinstance(config.get(name), int)]:
        raise UserError(f"{folder}: config.json has no number {missing[0]!r}")
    return dict(config)


def read_weights(folder: Path) -> dict[str, NDArray[Any]]:
    """Return the weights of model.safetensors without the projection, which is the embeddings.

    Raises:
        UserError: the file is missing or damaged, has a type that numpy does not have, such as
            bfloat16, or its projection is not the embeddings.
    """
    path = folder / "model.safetensors"
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected the weights in one file of safetensors")
    try:
        weights: dict[str, NDArray[Any]] = load_file(path)
    except (SafetensorError, TypeError, KeyError) as error:
        raise UserError(f"{path}: cannot be read by numpy: {error}") from error
    if PROJECTION in weights and EMBEDDINGS in weights:
        projection = weights.pop(PROJECTION)
        if not np.array_equal(projection, weights[EMBEDDINGS], equal_nan=True):
            raise UserError(f"{path}: {PROJECTION} differs from {EMBEDDINGS}; both must be tied")
    return weights


def convert_weight(value: NDArray[Any], name: str, dtype: str, place: Path) -> NDArray[Any]:
    """Return a weight as `dtype`, float16 or float32.

    Raises:
        UserError: it has a value that is not finite in that type.
    """
    with np.errstate(over="ignore"):
        converted = value.astype(dtype, copy=False)
    if not np.isfinite(converted).all():
        raise UserError(
            f"{place}: {name} has values that are not finite in {dtype}; train the model again or "
            "use --dtype float32"
        )
    return converted
