"""Convert a Whisper of transformers to CTranslate2's folder, for faster-whisper.

    python -m fonoteka.whisper.conversion.to_ctranslate2 SOURCE OUT [--dtype float32]

SOURCE is a folder that `save_pretrained` wrote: config.json, generation_config.json,
model.safetensors, tokenizer.json, and preprocessor_config.json or, from transformers 5,
processor_config.json. Neither torch nor CTranslate2 is needed.

The result has the bytes that CTranslate2's own converter writes: from OpenAI's base model in
float16 comes the model.bin of Systran/faster-whisper-base.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, read_json, write_json
from fonoteka.core.run_stage import FAILED, run_command
from fonoteka.whisper.conversion.ctranslate2_format import Arrays, Ct2Model, write_model
from fonoteka.whisper.conversion.ctranslate2_names import (
    ALIASES,
    ALIGNMENT,
    FLAGS,
    HEADS,
    ZERO,
    layout,
    require_names,
)
from fonoteka.whisper.conversion.tokens import TIME_STAMPS, tokens_by_number
from fonoteka.whisper.conversion.weights import (
    DTYPES,
    EMBEDDINGS,
    convert_weight,
    read_config,
    read_weights,
)


def write_folder(source: Path, folder: Path, dtype: str = "float16") -> None:
    """Write the files of CTranslate2 for a model of transformers into an existing folder.

    Args:
        source: folder of transformers.
        folder: gets model.bin, config.json, tokenizer.json, vocabulary.json and
            preprocessor_config.json.
        dtype: float16 or float32, the type of the stored weights.

    Raises:
        UserError: a file is missing or damaged, the weights are not those of a Whisper, or one is
            not a finite number in `dtype`.
    """
    config, weights = read_config(source), read_weights(source)
    model = to_ctranslate2(weights, config, dtype, source)
    tokenizer = read_json(source / "tokenizer.json")
    vocabulary = vocabulary_of(tokenizer, len(weights[EMBEDDINGS]), source / "tokenizer.json")
    write_model(folder / "model.bin", model)
    write_json(folder / "config.json", _ct2_config(source, config))
    write_json(folder / "tokenizer.json", without_time_stamps(tokenizer))
    write_json(folder / "vocabulary.json", vocabulary)
    write_json(folder / "preprocessor_config.json", _preprocessor(source))


def to_ctranslate2(weights: Arrays, config: Mapping[str, Any], dtype: str, place: Path) -> Ct2Model:
    """Return a model of CTranslate2.

    Args:
        weights: by the names that transformers has for them.
        config: content of config.json.
        dtype: float16 or float32.
        place: named in error messages.

    Raises:
        UserError: a weight is missing, unknown or not a finite number in `dtype`.
    """
    names = layout(int(config["encoder_layers"]), int(config["decoder_layers"]))
    require_names({n for parts in names.values() for n in parts} - {ZERO}, {*weights}, place)
    variables: dict[str, NDArray[Any]] = {**FLAGS, **ALIGNMENT}
    for name, side in zip(HEADS, ("encoder", "decoder"), strict=True):
        variables[name] = np.array(config[f"{side}_attention_heads"], dtype=np.int16)
    for name, parts in names.items():
        empty = np.zeros(config["d_model"], dtype=dtype)
        arrays = [convert_weight(weights[n], n, dtype, place) if n else empty for n in parts]
        variables[name] = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
    return Ct2Model(variables, ALIASES)


def without_time_stamps(tokenizer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of tokenizer.json without the time stamps, as Systran's folders have it.

    faster-whisper takes the number of the first one from that of `<|notimestamps|>`.
    """
    stamps = set(TIME_STAMPS)
    added = [token for token in tokenizer["added_tokens"] if token["content"] not in stamps]
    return {**tokenizer, "added_tokens": added}


def vocabulary_of(tokenizer: Mapping[str, Any], size: int, place: Path) -> list[str]:
    """Return the tokens in the order of their numbers.

    Raises:
        UserError: they are not numbered from 0 to `size` - 1.
    """
    tokens = tokens_by_number(tokenizer, place)
    if sorted(tokens) != list(range(size)):
        raise UserError(
            f"{place}: {len(tokens)} tokens, the last with number {max(tokens, default=-1)}; the "
            f"model has {size} embeddings"
        )
    return [tokens[number] for number in range(size)]


def _ct2_config(source: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    path = source / "generation_config.json"
    generation = read_json(path)
    try:
        return {
            "alignment_heads": generation.get("alignment_heads") or _last_half(config),
            "lang_ids": sorted(generation["lang_to_id"].values()),
            "suppress_ids": generation["suppress_tokens"],
            "suppress_ids_begin": generation["begin_suppress_tokens"],
        }
    except KeyError as error:
        raise UserError(f"{path}: no {error}; expected that of a multilingual Whisper") from error


def _last_half(config: Mapping[str, Any]) -> list[list[int]]:
    """Return all heads of the last half of the layers, OpenAI's choice for an unknown model."""
    layers, heads = config["decoder_layers"], config["decoder_attention_heads"]
    return [list(pair) for pair in product(range(layers // 2, layers), range(heads))]


def _preprocessor(source: Path) -> dict[str, Any]:
    """Return the content of preprocessor_config.json; transformers 5 has it in another file."""
    path = source / "processor_config.json"
    if (source / "preprocessor_config.json").is_file() or not path.is_file():
        return dict(read_json(source / "preprocessor_config.json"))
    return dict(read_json(path)["feature_extractor"])


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--dtype", choices=DTYPES, default="float16")
    args = parser.parse_args()
    with atomic_folder(args.out) as part:
        write_folder(args.source, part, args.dtype)


if __name__ == "__main__":
    run_command(main, undecided=FAILED)
