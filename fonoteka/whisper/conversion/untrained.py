"""A tiny untrained Whisper of 2 + 2 layers, for trying out the pipeline in seconds.

The tokenizer is byte-level BPE with few merges, so it encodes any text, and its special tokens
have the order of OpenAI's multilingual models: 99 languages, tasks, 1,501 time stamps. The values
of all weights are float16 numbers, so the folder in float32 and the one in float16 are one model.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from fonoteka.whisper.conversion.tokens import letter_values

LAYERS, WIDTH, HEADS, FFN, BANDS, SOURCE, TARGET = 2, 32, 2, 64, 80, 1500, 448
CODES = (
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th "
    "ur hr bg lt la mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr "
    "pa si km sn yo so af oc ka be tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt "
    "haw ln ha ba jw su"
)
LANGUAGES = CODES.split()
# The pairs that are joined, as text; each is in its turn one of the letters that bytes are.
MERGED = (" d", " s", " j", "ne", "je", "an", "th", "the", " da", " je")
RARE = 1501 + 106  # tokens after <|endoftext|>; small, or most of what is decoded would be stamps
STAMPS = [f"<|{number / 50:.2f}|>" for number in range(1501)]
FIXED = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}


@cache
def merges() -> list[tuple[str, str]]:
    """Return the merges: each makes one of `MERGED` out of what is before its last letter."""
    texts = [text.replace(" ", "Ġ") for text in MERGED]
    pairs = [(text[:-1], text[-1]) for text in texts]
    letters = {*letter_values(), *texts}
    assert all({*pair} <= letters for pair in pairs)
    return pairs


def special_tokens(no_speech: str = "<|nospeech|>") -> list[str]:
    """Return the special tokens in Whisper's order, without the time stamps."""
    languages = [f"<|{code}|>" for code in LANGUAGES]
    tasks = ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>"]
    start = ["<|endoftext|>", "<|startoftranscript|>"]
    return [*start, *languages, *tasks, no_speech, "<|notimestamps|>"]


def vocabulary(no_speech: str = "<|nospeech|>") -> list[str]:
    """Return every token in the order of its number."""
    joined = ["".join(pair) for pair in merges()]
    return [*letter_values(), *joined, *special_tokens(no_speech), *STAMPS]


def tokenizer(no_speech: str = "<|nospeech|>", stamps: bool = True) -> dict[str, Any]:
    """Return `tokenizer.json`; CTranslate2's has no time stamps."""
    tokens = vocabulary(no_speech)
    first = tokens.index("<|endoftext|>")
    special = special_tokens(no_speech)
    added = [*special, *STAMPS] if stamps else special
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    around = [token_part(t) for t in ("<|startoftranscript|>", "<|notimestamps|>")]
    end = token_part("<|endoftext|>")
    text = [{"Sequence": {"id": "A", "type_id": 0}}]
    return {
        "version": "1.0", "truncation": None, "padding": None, "normalizer": None,
        "added_tokens": [
            {"id": first + n, "content": token, **FIXED, "special": token in special}
            for n, token in enumerate(added)
        ],
        "pre_tokenizer": level | {"use_regex": True},
        "post_processor": {
            "type": "TemplateProcessing", "single": [*around, *text, end],
            "pair": [*around, *text, {"Sequence": {"id": "B", "type_id": 1}}, end],
            "special_tokens": {
                token: {"id": token, "ids": [tokens.index(token)], "tokens": [token]}
                for token in ("<|endoftext|>", "<|notimestamps|>", "<|startoftranscript|>")
            },
        },
        "decoder": level | {"add_prefix_space": True, "use_regex": True},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": False,
            "vocab": {token: number for number, token in enumerate(tokens[: first + 1])},
            "merges": [" ".join(pair) for pair in merges()],
        },
    }  # fmt: skip


def token_part(token: str) -> dict[str, Any]:
    """Return a special token as the template of tokenizer.json names it."""
    return {"SpecialToken": {"id": token, "type_id": 0}}


def suppressed(tokens: list[str]) -> list[int]:
    """Return the numbers of a few signs and of the tokens that a text never contains."""
    names = ['"', "(", "[", *tokens[tokens.index("<|translate|>") :][:5]]
    return sorted(tokens.index(name) for name in [*names, "<|startoftranscript|>"])


def generation_config(no_speech: str = "<|nospeech|>") -> dict[str, Any]:
    """Return generation_config.json."""
    tokens = vocabulary(no_speech)
    number = {token: n for n, token in enumerate(tokens)}
    end = number["<|endoftext|>"]
    return {
        "alignment_heads": [[0, 1], [1, 0]],
        "suppress_tokens": suppressed(tokens), "begin_suppress_tokens": [number["Ġ"], end],
        "lang_to_id": {f"<|{code}|>": number[f"<|{code}|>"] for code in LANGUAGES},
        "task_to_id": {task: number[f"<|{task}|>"] for task in ("transcribe", "translate")},
        "is_multilingual": True, "return_timestamps": False,
        "no_timestamps_token_id": number["<|notimestamps|>"],
        "prev_sot_token_id": number["<|startofprev|>"],
        "max_initial_timestamp_index": 50, "max_length": TARGET,
        "bos_token_id": end, "eos_token_id": end, "pad_token_id": end,
        "decoder_start_token_id": end + 1,
    }  # fmt: skip


def model_config(dtype: str = "float32") -> dict[str, Any]:
    """Return config.json."""
    tokens = vocabulary()
    end = tokens.index("<|endoftext|>")
    return {
        "architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper",
        "dtype": dtype, "activation_function": "gelu", "scale_embedding": False,
        "is_encoder_decoder": True, "tie_word_embeddings": True, "use_cache": True,
        "vocab_size": len(tokens), "d_model": WIDTH, "num_mel_bins": BANDS,
        "encoder_layers": LAYERS, "decoder_layers": LAYERS,
        "encoder_attention_heads": HEADS, "decoder_attention_heads": HEADS,
        "encoder_ffn_dim": FFN, "decoder_ffn_dim": FFN,
        "max_source_positions": SOURCE, "max_target_positions": TARGET,
        "dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0,
        "encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0,
        "bos_token_id": end, "eos_token_id": end, "pad_token_id": end,
        "decoder_start_token_id": end + 1,
    }  # fmt: skip


PREPROCESSOR = {
    "feature_extractor_type": "WhisperFeatureExtractor", "processor_class": "WhisperProcessor",
    "feature_size": BANDS, "sampling_rate": 16000, "hop_length": 160, "n_fft": 400,
    "chunk_length": 30, "n_samples": 480000, "nb_max_frames": 3000, "dither": 0.0,
    "padding_side": "right", "padding_value": 0.0, "return_attention_mask": False,
}  # fmt: skip
TOKENIZER_CONFIG: dict[str, Any] = {
    "tokenizer_class": "WhisperTokenizer", "processor_class": "WhisperProcessor",
    "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>",
    "unk_token": "<|endoftext|>", "add_prefix_space": False, "model_max_length": 1024,
    "return_attention_mask": False, "clean_up_tokenization_spaces": False,
}  # fmt: skip


def shapes() -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight under the name that transformers has for it."""
    sizes: dict[str, tuple[int, ...]] = {
        "model.encoder.conv1.weight": (WIDTH, BANDS, 3), "model.encoder.conv1.bias": (WIDTH,),
        "model.encoder.conv2.weight": (WIDTH, WIDTH, 3), "model.encoder.conv2.bias": (WIDTH,),
        "model.encoder.embed_positions.weight": (SOURCE, WIDTH),
        "model.decoder.embed_positions.weight": (TARGET, WIDTH),
        "model.decoder.embed_tokens.weight": (len(vocabulary()), WIDTH),
    }  # fmt: skip
    for side, attentions in {
        "encoder": ["self_attn"],
        "decoder": ["self_attn", "encoder_attn"],
    }.items():
        for layer in range(LAYERS):
            start = f"model.{side}.layers.{layer}"
            for attention in attentions:
                for letter in "qkv":
                    sizes[f"{start}.{attention}.{letter}_proj.weight"] = (WIDTH, WIDTH)
                for letter in "qv":
                    sizes[f"{start}.{attention}.{letter}_proj.bias"] = (WIDTH,)
                sizes[f"{start}.{attention}.out_proj.weight"] = (WIDTH, WIDTH)
                sizes[f"{start}.{attention}.out_proj.bias"] = (WIDTH,)
            sizes |= {f"{start}.fc1.weight": (FFN, WIDTH), f"{start}.fc1.bias": (FFN,)}
            sizes |= {f"{start}.fc2.weight": (WIDTH, FFN), f"{start}.fc2.bias": (WIDTH,)}
            for norm in [*(f"{a}_layer_norm" for a in attentions), "final_layer_norm"]:
                sizes |= {f"{start}.{norm}.{part}": (WIDTH,) for part in ("weight", "bias")}
        sizes |= {f"model.{side}.layer_norm.{part}": (WIDTH,) for part in ("weight", "bias")}
    return dict(sorted(sizes.items()))


def weights(seed: int = 0, dtype: str = "float32") -> dict[str, np.ndarray]:
    """Return random weights: layer norms near 1, biases near 0, the rest of unit gain."""
    random = np.random.default_rng(seed)
    arrays = {}
    for name, shape in shapes().items():
        values = random.standard_normal(shape).astype(np.float32)
        if name.endswith("norm.weight"):
            values = 1 + 0.1 * values
        elif name.endswith("bias"):
            values *= 0.1
        elif "embed_positions" in name:
            values *= 0.3
        else:
            values /= np.sqrt(np.prod(shape[1:]))
        if "embed_tokens" in name:
            values[len(vocabulary()) - RARE :] *= 0.1
        arrays[name] = values.astype(np.float16).astype(dtype)
    return arrays


def tiny_whisper(
    folder: Path, seed: int = 0, dtype: str = "float32", no_speech: str = "<|nospeech|>"
) -> Path:
    """Write the folder that `from_pretrained` loads, and return it.

    Args:
        folder: made if it is missing.
        seed: of the weights.
        dtype: float32 or float16, in which the weights are stored.
        no_speech: the name of that token; in OpenAI's first models it is `<|nocaptions|>`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights(seed, dtype), folder / "model.safetensors", metadata={"format": "pt"})
    write(folder / "config.json", model_config(dtype))
    write(folder / "generation_config.json", generation_config(no_speech))
    write(folder / "preprocessor_config.json", PREPROCESSOR)
    write(folder / "tokenizer.json", tokenizer(no_speech))
    special = {"extra_special_tokens": special_tokens(no_speech)}
    write(folder / "tokenizer_config.json", TOKENIZER_CONFIG | special)
    return folder


def write(path: Path, content: Any) -> None:
    """Write JSON on one line."""
    path.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")
