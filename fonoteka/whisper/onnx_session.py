"""Recognition with an exported Whisper model in ONNX Runtime, one thread, without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.audio.dsp import Signal
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.onnx_export.session import open_model
from fonoteka.whisper.conversion.tokens import letter_values
from fonoteka.whisper.decode import Step
from fonoteka.whisper.rules import TokenRules, padded_samples

Arrays = Mapping[str, NDArray[np.float32]]
PARTS = ("encoder", "decoder")
VOCABULARY = "tokenizer.json"


@dataclass(frozen=True)
class OnnxWhisper:
    """Both sessions of an exported model, for `fonoteka.whisper.decode.recognise`.

    Attributes:
        encoder: samples to states, keys and values.
        decoder: tokens, keys and values to logits.
        rules: from the metadata of the decoder's file.
        vocabulary: the bytes of each token, without special tokens, which come after them.
    """

    encoder: Any
    decoder: Any
    rules: TokenRules
    vocabulary: Sequence[bytes]

    def encoded(self, samples: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return the outputs of the encoder for samples `[B, N]` by name."""
        names = [output.name for output in self.encoder.get_outputs()]
        return dict(zip(names, self.encoder.run(names, {"samples": samples}), strict=True))

    def start(self, signals: Sequence[Signal], input_s: float) -> Step:
        """Return the step of a decoder that starts with clips at 16 kHz.

        Args:
            signals: clips `[T]`, each at most `input_s` long.
            input_s: seconds to which each clip is extended with silence.

        Raises:
            ValueError: a clip is longer than `input_s`.
        """
        return onnx_step(self.decoder, self.encoded(padded_samples(signals, input_s)))

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, without special tokens and outer spaces.

        Bytes that are not UTF-8 become U+FFFD, as in the tokenizer of transformers.
        """
        # Joined before they are decoded: a letter of two bytes may be divided between two tokens.
        plain = (self.vocabulary[token] for token in tokens if token < len(self.vocabulary))
        return b"".join(plain).decode(errors="replace").strip()


def open_whisper(folder: Path, int8: bool = False) -> OnnxWhisper:
    """Return the model of a folder that the stage export_whisper wrote.

    Args:
        folder: with encoder.onnx, decoder.onnx and tokenizer.json.
        int8: use the int8 file of each part that has one.

    Raises:
        UserError: a file is missing or damaged, or no part has an int8 file.
    """
    paths = {part: folder / f"{part}.onnx" for part in PARTS}
    if int8:
        small = {part: folder / f"{part}.int8.onnx" for part in PARTS}
        paths |= {part: path for part, path in small.items() if path.is_file()}
        if not set(small.values()) & set(paths.values()):
            raise UserError(f"{folder}: neither part has an int8 file; use the fp32 files")
    return open_parts(paths["encoder"], paths["decoder"], folder / VOCABULARY)


def open_parts(encoder: Path, decoder: Path, vocabulary: Path) -> OnnxWhisper:
    """Return the model of three files; see `open_whisper`."""
    for path in (encoder, decoder, vocabulary):
        if not path.is_file():
            raise UserError(f"{path}: missing; run the stage export_whisper")
    session = open_model(decoder)
    rules = rules_of(session.get_modelmeta().custom_metadata_map, decoder)
    return OnnxWhisper(open_model(encoder), session, rules, byte_vocabulary(vocabulary, rules.end))


def rules_of(properties: Mapping[str, str], path: Path) -> TokenRules:
    """Return the rules in the metadata of a decoder's file.

    Raises:
        UserError: the metadata has no rules.
    """
    names = [field.name for field in fields(TokenRules)]
    if missing := [name for name in names if name not in properties]:
        raise UserError(f"{path}: no {missing[0]!r} in its metadata; export it with this project")
    values = {name: json.loads(properties[name]) for name in names}
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return TokenRules(**(values | lists))


def onnx_step(decoder: Any, encoded: Arrays) -> Step:
    """Return the step of a decoder session for the outputs of the encoder."""
    inputs = {node.name: node.shape for node in decoder.get_inputs()}
    outputs = [node.name for node in decoder.get_outputs()]
    cross = {name: encoded[name] for name in inputs if name.startswith("cross")}
    batch = len(encoded["states"])
    # Keys and values of no token: the first step then has the graph and the speed of all others.
    past = {
        name: np.zeros((batch, shape[1], 0, shape[3]), np.float32)
        for name, shape in inputs.items()
        if name.startswith("past")
    }

    def step(tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        nonlocal past
        results = decoder.run(outputs, {"tokens": tokens} | cross | past)
        values = dict(zip(outputs, results, strict=True))
        past = {name: values[f"next_{name}"] for name in past}
        return np.asarray(values["logits"], dtype=np.float32)

    return step


def byte_vocabulary(path: Path, count: int) -> list[bytes]:
    """Return the bytes of the first `count` tokens of a tokenizer.json, see `letter_values`.

    Raises:
        UserError: a token is missing, or has a letter that is not a byte.
    """
    byte_of = letter_values()
    vocabulary = read_json(path)["model"]["vocab"]
    letters = {number: token for token, number in vocabulary.items() if number < count}
    try:
        return [bytes(byte_of[letter] for letter in letters[number]) for number in range(count)]
    except KeyError as error:
        raise UserError(f"{path}: no byte-level vocabulary of {count} tokens: {error}") from error
