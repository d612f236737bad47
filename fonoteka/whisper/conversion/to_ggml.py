"""Convert a Whisper of transformers to one file for whisper.cpp.

    python -m fonoteka.whisper.conversion.to_ggml SOURCE OUT.bin [--dtype float32]

    magic, 11 sizes and types of the model
    mel filters: rows, columns, values
    tokens below <|endoftext|>: their number, then each: length, bytes
    weights, each: rank, length of the name, type, shape from the last axis, name, values

All numbers are 32 bits and little-endian. In float16, vectors and position embeddings stay in
float32. whisper.cpp has the numbers of the special tokens built in, so a model with another
vocabulary than OpenAI's would decode to wrong texts: it is refused.

Source: whisper.cpp 1.8.5, `models/convert-h5-to-ggml.py` and `src/whisper.cpp`.
"""

from __future__ import annotations

import argparse
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file, read_json
from fonoteka.core.run_stage import FAILED, run_command
from fonoteka.whisper.conversion.ctranslate2_names import ZERO, layout, require_names
from fonoteka.whisper.conversion.tokens import END, letter_values, tokens_by_number
from fonoteka.whisper.conversion.weights import DTYPES, convert_weight, read_config, read_weights

MAGIC = 0x67676D6C  # "ggml"
MULTILINGUAL_END = 50257  # the number of `<|endoftext|>` in whisper.cpp
FREQUENCIES = 201  # of a Fourier transform of 400 samples
HEADER = (
    "vocab_size", "max_source_positions", "d_model", "encoder_attention_heads", "encoder_layers",
    "max_target_positions", "d_model", "decoder_attention_heads", "decoder_layers", "num_mel_bins",
)  # fmt: skip
# Parts of the names that transformers gives, and those of OpenAI, in the order of replacement.
NAMES = (
    ("model.", ""), ("layers.", "blocks."), ("self_attn_layer_norm", "attn_ln"),
    ("encoder_attn_layer_norm", "cross_attn_ln"), ("final_layer_norm", "mlp_ln"),
    ("encoder.layer_norm", "encoder.ln_post"), ("decoder.layer_norm", "decoder.ln"),
    ("self_attn", "attn"), ("encoder_attn", "cross_attn"), ("q_proj", "query"), ("k_proj", "key"),
    ("v_proj", "value"), ("out_proj", "out"), ("fc1", "mlp.0"), ("fc2", "mlp.2"),
    ("embed_positions.weight", "positional_embedding"), ("embed_tokens", "token_embedding"),
)  # fmt: skip


def write_file(source: Path, path: Path, dtype: str = "float16") -> None:
    """Write the file of whisper.cpp for a folder of transformers.

    Args:
        source: the folder.
        path: the file.
        dtype: float16 or float32, the type of the matrices.

    Raises:
        UserError: a file is missing or damaged, the weights are not those of a Whisper, or the
            vocabulary is not OpenAI's multilingual one.
    """
    config, weights = read_config(source), read_weights(source)
    names = layout(config["encoder_layers"], config["decoder_layers"])
    require_names({n for parts in names.values() for n in parts} - {ZERO}, {*weights}, source)
    tokens = token_bytes(read_json(source / "tokenizer.json"), source / "tokenizer.json")
    if len(tokens) != MULTILINGUAL_END:
        raise UserError(
            f"{source}: {END} has number {len(tokens)}; whisper.cpp has {MULTILINGUAL_END} built in"
        )
    with atomic_file(path) as part, part.open("wb") as file:
        for piece in ggml_pieces(config, weights, tokens, dtype, source):
            file.write(piece)


def ggml_pieces(
    config: Mapping[str, Any], weights: Mapping[str, NDArray[Any]], tokens: Sequence[bytes],
    dtype: str, place: Path,
) -> Iterator[bytes]:  # fmt: skip
    """Yield the file in pieces; the weights come sorted by the names of transformers.

    Raises:
        UserError: a weight is not a finite number in `dtype`; `place` is named in the message.
    """
    sizes = [int(config[name]) for name in HEADER]
    yield struct.pack("<12i", MAGIC, *sizes, DTYPES[::-1].index(dtype))
    filters = mel_filters(config["num_mel_bins"])
    yield struct.pack("<2i", *filters.shape) + filters.astype("<f4").tobytes()
    yield struct.pack("<i", len(tokens))
    for token in tokens:
        yield struct.pack("<i", len(token)) + token
    for name, value in sorted(weights.items()):
        yield _tensor(name, value, dtype, place)


def _tensor(name: str, value: NDArray[Any], dtype: str, place: Path) -> bytes:
    small = value.ndim == 1 or "embed_positions" in name  # whisper.cpp adds these in float32
    array = convert_weight(value, name, "float32" if small else dtype, place)
    if re.fullmatch(r"model\.encoder\.conv\d\.bias", name):
        array = array[:, None]  # it is added to [channels, frames]
    text = openai_name(name).encode()
    kind = DTYPES[::-1].index(array.dtype.name)
    head = struct.pack(f"<3i{array.ndim}i", array.ndim, len(text), kind, *array.shape[::-1])
    return head + text + array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def openai_name(name: str) -> str:
    """Return the name that OpenAI and whisper.cpp have for a weight of transformers.

    >>> openai_name("model.decoder.layers.0.encoder_attn.k_proj.weight")
    'decoder.blocks.0.cross_attn.key.weight'
    """
    for old, new in NAMES:
        name = name.replace(old, new)
    return name


def mel_filters(bands: int) -> NDArray[np.float32]:
    """Return the mel filters of Whisper, shape `[bands, 201]`: Slaney's scale and norm."""
    from transformers.audio_utils import mel_filter_bank  # 1 CPU second

    filters = mel_filter_bank(
        num_frequency_bins=FREQUENCIES, num_mel_filters=bands, min_frequency=0.0,
        max_frequency=SAMPLE_RATE_HZ / 2, sampling_rate=SAMPLE_RATE_HZ, norm="slaney",
        mel_scale="slaney",
    )  # fmt: skip
    return np.asarray(filters.T, dtype=np.float32)


def token_bytes(tokenizer: Mapping[str, Any], place: Path) -> list[bytes]:
    """Return the bytes of each token below `<|endoftext|>`, in the order of their numbers.

    Raises:
        UserError: the tokenizer has no `<|endoftext|>` or a gap below it.
    """
    tokens = tokens_by_number(tokenizer, place)
    end = min((number for number, token in tokens.items() if token == END), default=-1)
    if end < 0 or any(number not in tokens for number in range(end)):
        raise UserError(f"{place}: expected every token below {END}")
    values = letter_values()
    try:
        return [bytes(values[letter] for letter in tokens[number]) for number in range(end)]
    except KeyError as error:
        raise UserError(f"{place}: a token contains {error}, which is not a byte") from error


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--dtype", choices=DTYPES, default="float16")
    args = parser.parse_args()
    write_file(args.source, args.out, args.dtype)


if __name__ == "__main__":
    run_command(main, undecided=FAILED)
