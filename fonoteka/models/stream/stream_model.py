"""A streaming recogniser in a folder: Whisper's encoder with bounded context, and a causal head.

config.json, encoder.safetensors   the encoder that was fine-tuned, and the shape of its stream
model.json, model.safetensors      the head, its labels and how it was trained
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file, read_json, sha256_file, write_json
from fonoteka.core.params import build
from fonoteka.models.heads import TdnnShape
from fonoteka.models.stream.causal_head import CausalTdnnHead
from fonoteka.models.stream.stream_encoder import StreamEncoder, StreamShape
from fonoteka.models.stream.stream_step import StreamStep

ENCODER_CONFIG, CONFIG = "config.json", "model.json"
WEIGHTS: Mapping[str, str] = {"encoder": "encoder.safetensors", "head": "model.safetensors"}


def rounded_weights(module: nn.Module) -> None:
    """Round all weights to float16 and back, so that a file of half the size holds them exactly."""
    with torch.no_grad():
        for weights in module.state_dict().values():
            weights.copy_(weights.half().float())


def save_stream_model(
    folder: Path, step: StreamStep, head: TdnnShape, config: WhisperConfig,
    metadata: Mapping[str, Any],
) -> None:  # fmt: skip
    """Write encoder and head; their weights have to be those of `rounded_weights`.

    Args:
        folder: written to; it exists.
        step: the recogniser.
        head: the shape of its head.
        config: of the Whisper encoder that it was made from.
        metadata: name, labels and how it was trained.
    """
    digests = {}
    for part, name in WEIGHTS.items():
        state = getattr(step, part).state_dict()
        with atomic_file(folder / name) as file:
            file.write_bytes(save({k: v.half().contiguous() for k, v in state.items()}))
            digests[part] = sha256_file(file)
    shape = step.encoder.shape
    write_json(
        folder / ENCODER_CONFIG,
        {
            "d_model": config.d_model, "encoder_attention_heads": config.encoder_attention_heads,
            "encoder_ffn_dim": config.encoder_ffn_dim, "encoder_layers": shape.layers,
            "max_source_positions": config.max_source_positions,
            "num_mel_bins": config.num_mel_bins, "stream": asdict(shape),
        },
    )  # fmt: skip
    write_json(
        folder / CONFIG,
        dict(metadata) | {"kind": "stream", "shape": asdict(head), "weights_sha256": digests},
    )


def load_stream_model(folder: Path) -> tuple[StreamStep, dict[str, Any]]:
    """Return a recogniser in eval mode, and its JSON.

    Raises:
        UserError: a file is missing or damaged, or the files do not belong together.
    """
    for name in (ENCODER_CONFIG, CONFIG, *WEIGHTS.values()):
        if not (folder / name).is_file():
            raise UserError(f"{folder / name}: no such file; run dvc checkout or dvc repro")
    metadata, config = read_json(folder / CONFIG), read_json(folder / ENCODER_CONFIG)
    if metadata.get("kind") != "stream":
        raise UserError(f"{folder / CONFIG}: kind {metadata.get('kind')!r}; expected 'stream'")
    shape = build(config.pop("stream", {}), StreamShape, f"{folder / ENCODER_CONFIG}: stream")
    head = build(metadata["shape"], TdnnShape, f"{folder / CONFIG}: shape")
    encoder = StreamEncoder(WhisperEncoder(WhisperConfig(**config)), shape)
    step = StreamStep(encoder, CausalTdnnHead(head))
    for part, name in WEIGHTS.items():
        path, recorded = folder / name, metadata["weights_sha256"].get(part)
        if (digest := sha256_file(path)) != recorded:
            raise UserError(
                f"{path}: its SHA-256 is {digest[:12]}, but {CONFIG} names {str(recorded)[:12]}; "
                "run dvc checkout to get the right one"
            )
        try:
            # Stored as float16, see `rounded_weights`; computed in float32, as on any processor.
            state = {key: value.float() for key, value in load_file(path).items()}
            getattr(step, part).load_state_dict(state)
        except (SafetensorError, RuntimeError) as error:
            raise UserError(f"{path}: {error}") from error
    return step.eval(), metadata
