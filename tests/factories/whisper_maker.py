"""The untrained Whisper as a folder of CTranslate2, written by hand, value by value."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

from fonoteka.whisper.conversion.untrained import (
    HEADS,
    LANGUAGES,
    LAYERS,
    PREPROCESSOR,
    STAMPS,
    WIDTH,
    generation_config,
    model_config,
    special_tokens,
    tiny_whisper,
    tokenizer,
    vocabulary,
    weights,
    write,
)

__all__ = [  # tests take the parts of the model from here too
    "HEADS",
    "LANGUAGES",
    "LAYERS",
    "PREPROCESSOR",
    "STAMPS",
    "TYPES",
    "WIDTH",
    "ct2_folder",
    "ct2_model",
    "ct2_name",
    "ct2_variables",
    "generation_config",
    "model_config",
    "special_tokens",
    "tiny_whisper",
    "tokenizer",
    "vocabulary",
    "weights",
    "write",
]


def ct2_folder(folder: Path, seed: int = 0, no_speech: str = "<|nospeech|>") -> Path:
    """Write the same model as CTranslate2 keeps it, in float16, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.bin").write_bytes(ct2_model(ct2_variables(seed)))
    tokens = vocabulary(no_speech)
    generation = generation_config(no_speech)
    config = {
        "alignment_heads": generation["alignment_heads"],
        "lang_ids": sorted(generation["lang_to_id"].values()),
        "suppress_ids": generation["suppress_tokens"],
        "suppress_ids_begin": generation["begin_suppress_tokens"],
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    write(folder / "tokenizer.json", tokenizer(no_speech, stamps=False))
    (folder / "vocabulary.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    return folder


def ct2_variables(seed: int = 0) -> dict[str, np.ndarray]:
    """Return CTranslate2's variables, from the first to the last of the file."""
    own = weights(seed, "float16")
    variables = {"decoder/embeddings/weight": own["model.decoder.embed_tokens.weight"]}
    zeros = np.zeros(WIDTH, dtype=np.float16)
    for conv in ("conv1", "conv2"):
        for part in ("weight", "bias"):
            variables[f"encoder/{conv}/{part}"] = own[f"model.encoder.{conv}.{part}"]
    for side in ("encoder", "decoder"):
        variables[f"{side}/position_encodings/encodings"] = own[
            f"model.{side}.embed_positions.weight"
        ]
        variables |= ct2_norm(f"{side}", own, f"model.{side}.layer_norm")
        variables[f"{side}/num_heads"] = np.array(HEADS, dtype=np.int16)
        for n in range(LAYERS):
            start, layer = f"model.{side}.layers.{n}", f"{side}/layer_{n}"
            for part in ("weight", "bias"):
                variables[f"{layer}/ffn/linear_0/{part}"] = own[f"{start}.fc1.{part}"]
                variables[f"{layer}/ffn/linear_1/{part}"] = own[f"{start}.fc2.{part}"]
                attention = f"{start}.self_attn"
                q, k, v, o = (own.get(f"{attention}.{p}_proj.{part}", zeros) for p in ATTENTION)
                variables[f"{layer}/self_attention/linear_0/{part}"] = np.concatenate([q, k, v])
                variables[f"{layer}/self_attention/linear_1/{part}"] = o
                if side == "decoder":
                    attention = f"{start}.encoder_attn"
                    q, k, v, o = (own.get(f"{attention}.{p}_proj.{part}", zeros) for p in ATTENTION)
                    variables[f"{layer}/attention/linear_0/{part}"] = q
                    variables[f"{layer}/attention/linear_1/{part}"] = np.concatenate([k, v])
                    variables[f"{layer}/attention/linear_2/{part}"] = o
            variables |= ct2_norm(f"{layer}/ffn", own, f"{start}.final_layer_norm")
            variables |= ct2_norm(f"{layer}/self_attention", own, f"{start}.self_attn_layer_norm")
            if side == "decoder":
                variables |= ct2_norm(f"{layer}/attention", own, f"{start}.encoder_attn_layer_norm")
    numbers = {"activation": 3, "alibi": 0, "pre_norm": 1, "scale_embeddings": 0,
               "start_from_zero_embedding": 0}  # fmt: skip
    variables |= {f"decoder/{name}": np.array(n, dtype=np.int8) for name, n in numbers.items()}
    variables["decoder/alignment_heads"] = np.array(1, dtype=np.int16)
    variables["decoder/alignment_layer"] = np.array(-1, dtype=np.int16)
    return dict(sorted(variables.items()))


ATTENTION = ("q", "k", "v", "out")


def ct2_norm(place: str, own: dict[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    return {
        f"{place}/layer_norm/beta": own[f"{name}.bias"],
        f"{place}/layer_norm/gamma": own[f"{name}.weight"],
    }


TYPES = ("float32", "int8", "int16", "int32", "float16")


def ct2_model(
    variables: dict[str, np.ndarray], head: tuple[int, str, int] = (6, "WhisperSpec", 3)
) -> bytes:
    """Return the bytes of `model.bin`: variables, and the projection as an alias."""
    version, name, revision = head
    data = [
        struct.pack("<I", version),
        ct2_name(name),
        struct.pack("<II", revision, len(variables)),
    ]
    for key, value in variables.items():
        data += [ct2_name(key), struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape)]
        data += [struct.pack("<BI", TYPES.index(value.dtype.name), value.nbytes), value.tobytes()]
    data += [struct.pack("<I", 1), ct2_name("decoder/projection/weight")]
    return b"".join([*data, ct2_name("decoder/embeddings/weight")])


def ct2_name(text: str) -> bytes:
    raw = text.encode() + b"\0"
    return struct.pack("<H", len(raw)) + raw
