"""Convert a Whisper of CTranslate2, as faster-whisper uses it, to a folder of transformers.

    python -m fonoteka.whisper.conversion.from_ctranslate2 SOURCE OUT [--dtype float32]

SOURCE has model.bin, config.json, tokenizer.json and vocabulary.json or vocabulary.txt. The weights
keep their type, because a conversion of float16 to float32 doubles the file and adds no
information. Neither torch nor CTranslate2 is needed.

CTranslate2's tokenizer.json does not contain the 1,501 time stamps; they are added, because without
them transformers cannot decode the model's tokens above `<|notimestamps|>`.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file, atomic_folder, read_json, split_lines, write_json
from fonoteka.core.run_stage import FAILED, run_command
from fonoteka.whisper.conversion.ctranslate2_format import Arrays, Ct2Model, read_model
from fonoteka.whisper.conversion.ctranslate2_names import (
    ALIASES,
    ALIGNMENT,
    FLAGS,
    HEADS,
    NUMBERS,
    ZERO,
    layer_count,
    layout,
    require_names,
)
from fonoteka.whisper.conversion.tokens import (
    END,
    NO_TIME_STAMPS,
    START,
    TASKS,
    TIME_STAMPS,
    tokens_by_number,
)
from fonoteka.whisper.conversion.weights import DTYPES, EMBEDDINGS

ENGLISH_ONLY_END = 50256  # the number of `<|endoftext|>` in OpenAI's English models; else 50257
PLAIN_TOKEN = {
    "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False,
}  # fmt: skip


def write_folder(source: Path, folder: Path, dtype: str | None = None) -> None:
    """Write the files of transformers for a model of CTranslate2 into an existing folder.

    Args:
        source: folder of CTranslate2.
        folder: gets config.json, generation_config.json, preprocessor_config.json,
            tokenizer.json, tokenizer_config.json and model.safetensors.
        dtype: float16 or float32; None keeps the type of the weights.

    Raises:
        UserError: a file is missing or damaged, the weights are integers or not Whisper's, or
            vocabulary and tokenizer number a token differently.
    """
    model = read_model(source / "model.bin")
    weights = to_transformers(model, source)
    types = sorted({value.dtype.name for value in weights.values()})
    if len(types) > 1:
        raise UserError(f"{source}: weights of types {types}; expected one type")
    vocabulary = read_vocabulary(source, len(weights[EMBEDDINGS]))
    tokenizer = with_time_stamps(read_json(source / "tokenizer.json"), vocabulary, source)
    config = model_config(model, weights, vocabulary, dtype or types[0])
    bands = config["num_mel_bins"]
    write_json(folder / "config.json", config)
    write_json(folder / "generation_config.json", generation_config(source, vocabulary))
    write_json(folder / "preprocessor_config.json", preprocessor_config(bands))
    write_json(folder / "tokenizer.json", tokenizer)
    write_json(folder / "tokenizer_config.json", tokenizer_config(tokenizer))
    typed = {name: value.astype(dtype or types[0], copy=False) for name, value in weights.items()}
    with atomic_file(folder / "model.safetensors") as part:
        part.write_bytes(save(typed, metadata={"format": "pt"}))


def to_transformers(model: Ct2Model, place: Path) -> dict[str, NDArray[Any]]:
    """Return the weights of a model by the names that transformers has for them.

    Raises:
        UserError: the weights are integers, or are not exactly those of a Whisper.
    """
    variables = model.variables
    _require_floats(variables, place)
    if dict(model.aliases) != dict(ALIASES):
        raise UserError(f"{place}: aliases {dict(model.aliases)}; expected {dict(ALIASES)}")
    for name, expected in FLAGS.items():
        if name in variables and variables[name].tolist() != expected.tolist():
            raise UserError(
                f"{place}: {name} is {variables[name].tolist()}, and {expected.tolist()} in "
                "every Whisper"
            )
    names = layout(layer_count(variables, "encoder"), layer_count(variables, "decoder"))
    optional = {*ALIGNMENT} - {*variables}
    require_names({*names, *NUMBERS} - optional, {*variables}, place)
    weights: dict[str, NDArray[Any]] = {}
    for name, parts in names.items():
        weights |= _split(name, variables[name], parts, place)
    return weights


def _require_floats(variables: Arrays, place: Path) -> None:
    for name, value in variables.items():
        if name not in NUMBERS and value.dtype.name not in DTYPES:
            raise UserError(
                f"{place}: {name} has type {value.dtype.name}; a quantized model has lost the "
                "weights of transformers, convert one in float16 or float32"
            )


def _split(
    name: str, value: NDArray[Any], parts: tuple[str, ...], place: Path
) -> dict[str, NDArray[Any]]:
    """Return the parts of a variable that are stacked along its first axis."""
    if value.ndim == 0 or len(value) % len(parts):
        raise UserError(f"{place}: {name} has shape {value.shape}; expected {len(parts)} parts")
    arrays = dict(zip(parts, np.split(value, len(parts)), strict=True))
    if np.any(arrays.pop(ZERO, np.zeros(1))):
        raise UserError(f"{place}: {name} has a bias for the keys; in Whisper it is zero")
    return arrays


def read_vocabulary(source: Path, size: int) -> list[str]:
    """Return the tokens of a folder in the order of their numbers.

    Args:
        source: has vocabulary.json or, from older converters, vocabulary.txt.
        size: number of embeddings.

    Raises:
        UserError: the file is missing, or has another number of tokens than `size`.
    """
    path, text = source / "vocabulary.json", source / "vocabulary.txt"
    if path.is_file() or not text.is_file():
        tokens = read_json(path)
    else:
        path, tokens = text, split_lines(text.read_text(encoding="utf-8"))
    if not isinstance(tokens, list) or len(tokens) != size:
        raise UserError(f"{path}: {len(tokens)} tokens; the model has {size} embeddings")
    numbers = {token: number for number, token in enumerate(tokens)}
    if numbers.get(END) == ENGLISH_ONLY_END:
        raise UserError(f"{path}: an English-only Whisper; expected a multilingual one")
    for token in (END, START, *(f"<|{task}|>" for task in TASKS), NO_TIME_STAMPS):
        if token not in numbers:
            raise UserError(f"{path}: no token {token}; expected the vocabulary of a Whisper")
    return [str(token) for token in tokens]


def with_time_stamps(
    tokenizer: dict[str, Any], vocabulary: Sequence[str], place: Path
) -> dict[str, Any]:
    """Return the content of tokenizer.json with the time stamps, which CTranslate2's does not have.

    Raises:
        UserError: a token has another number in the vocabulary, or other tokens than the time
            stamps follow the tokenizer's last.
    """
    tokens = tokens_by_number(tokenizer, place / "tokenizer.json")
    for number, token in sorted(tokens.items()):
        other = vocabulary[number] if number < len(vocabulary) else None
        if token != other:
            raise UserError(
                f"{place}: token {number} is {token!r} in tokenizer.json and {other!r} in the "
                "vocabulary; both files must be of one model"
            )
    first = len(vocabulary) - len(TIME_STAMPS)
    # Some converters leave the time stamps in tokenizer.json; then there is nothing to add.
    if tuple(vocabulary[first:]) != TIME_STAMPS or not set(range(first)) <= set(tokens):
        raise UserError(
            f"{place}: the vocabulary must be the {len(tokens)} tokens of tokenizer.json and "
            f"{len(TIME_STAMPS)} time stamps"
        )
    stamps = [
        {"id": number, "content": vocabulary[number], **PLAIN_TOKEN}
        for number in range(first, len(vocabulary))
        if number not in tokens
    ]
    return tokenizer | {"added_tokens": [*tokenizer["added_tokens"], *stamps]}


def model_config(
    model: Ct2Model, weights: Arrays, vocabulary: Sequence[str], dtype: str
) -> dict[str, Any]:
    """Return the content of config.json; the sizes are those of the weights."""
    encoder_heads, decoder_heads = (int(model.variables[name]) for name in HEADS)
    width, bands, _ = weights["model.encoder.conv1.weight"].shape
    return {
        "architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper",
        "dtype": dtype, "activation_function": "gelu", "scale_embedding": False,
        "is_encoder_decoder": True, "tie_word_embeddings": True, "use_cache": True,
        "vocab_size": len(vocabulary), "d_model": width, "num_mel_bins": bands,
        "encoder_layers": layer_count(model.variables, "encoder"),
        "decoder_layers": layer_count(model.variables, "decoder"),
        "encoder_attention_heads": encoder_heads, "decoder_attention_heads": decoder_heads,
        "encoder_ffn_dim": len(weights["model.encoder.layers.0.fc1.weight"]),
        "decoder_ffn_dim": len(weights["model.decoder.layers.0.fc1.weight"]),
        "max_source_positions": len(weights["model.encoder.embed_positions.weight"]),
        "max_target_positions": len(weights["model.decoder.embed_positions.weight"]),
        **_token_numbers(vocabulary),
    }  # fmt: skip


def _token_numbers(vocabulary: Sequence[str]) -> dict[str, int]:
    end = vocabulary.index(END)
    return {
        "bos_token_id": end, "eos_token_id": end, "pad_token_id": end,
        "decoder_start_token_id": vocabulary.index(START),
    }  # fmt: skip


def generation_config(source: Path, vocabulary: Sequence[str]) -> dict[str, Any]:
    """Return the content of generation_config.json: tokens of languages, and those never decoded.

    Raises:
        UserError: config.json of CTranslate2 is missing or has not what every Whisper has.
    """
    path, numbers = source / "config.json", {token: n for n, token in enumerate(vocabulary)}
    config = read_json(path)
    try:
        return {
            "alignment_heads": config["alignment_heads"],
            "suppress_tokens": config["suppress_ids"],
            "begin_suppress_tokens": config["suppress_ids_begin"],
            "lang_to_id": {vocabulary[number]: number for number in config["lang_ids"]},
            "task_to_id": {task: numbers[f"<|{task}|>"] for task in TASKS},
            "is_multilingual": True, "return_timestamps": False,
            "no_timestamps_token_id": numbers[NO_TIME_STAMPS],
            "prev_sot_token_id": numbers["<|startofprev|>"],
            # A first time stamp above 1 s means that speech was missed, says OpenAI's decoder.
            "max_initial_timestamp_index": 50, "max_length": 448,
            **_token_numbers(vocabulary),
        }  # fmt: skip
    except (KeyError, TypeError, IndexError) as error:
        raise UserError(f"{path}: not the config.json of a Whisper: {error!r}") from error


def preprocessor_config(bands: int) -> dict[str, Any]:
    """Return the content of preprocessor_config.json: log-mel each 10 ms, padded to 30 s."""
    return {
        "feature_extractor_type": "WhisperFeatureExtractor", "processor_class": "WhisperProcessor",
        "feature_size": bands, "sampling_rate": 16000, "hop_length": 160, "n_fft": 400,
        "chunk_length": 30, "n_samples": 480000, "nb_max_frames": 3000, "dither": 0.0,
        "padding_side": "right", "padding_value": 0.0, "return_attention_mask": False,
    }  # fmt: skip


def tokenizer_config(tokenizer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of tokenizer_config.json.

    `extra_special_tokens` ends with `<|notimestamps|>`, because transformers takes the token after
    the last special one for the first time stamp.
    """
    special = [token["content"] for token in tokenizer["added_tokens"] if token["special"]]
    return {
        "tokenizer_class": "WhisperTokenizer", "processor_class": "WhisperProcessor",
        "bos_token": END, "eos_token": END, "pad_token": END, "unk_token": END,
        "extra_special_tokens": special, "add_prefix_space": False, "model_max_length": 1024,
        "return_attention_mask": False, "clean_up_tokenization_spaces": False,
    }  # fmt: skip


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--dtype", choices=DTYPES)
    args = parser.parse_args()
    with atomic_folder(args.out) as part:
        write_folder(args.source, part, args.dtype)


if __name__ == "__main__":
    run_command(main, undecided=FAILED)
