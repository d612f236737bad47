"""A Whisper model with its tokenizer, on clips of their own length.

transformers' `generate` pads each clip to 30 s: 0.9 CPU seconds of whisper-base's encoder for a clip
of 2.5 s, in place of 0.09. Here the input is the clip and 1 to 1.5 s of silence, and a fine-tuned
model is trained on that input too, because the released weights do not stop on it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor
from transformers import WhisperForConditionalGeneration, WhisperTokenizerFast
from transformers.utils.logging import disable_progress_bar

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError
from fonoteka.models.log_mel import LogMel
from fonoteka.models.whisper_encoder import encode_mel

disable_progress_bar()  # no progress bar for one local file

WINDOW_S = 30.0
"""The longest input; the positions of the encoder end there."""

MARGIN_S, STEP_S = 1.0, 0.5
"""The silence after a clip is at least 1 s. Inputs are whole half seconds: clips of equal input
length are decoded side by side, without an effect on each other."""

MAX_TOKENS = 448


@dataclass(frozen=True)
class TokenRules:
    """The tokens that steer decoding, from generation_config.json.

    Attributes:
        start: begins every prompt.
        end: ends every text.
        no_timestamps: the last token of a prompt.
        languages: token of each language code.
        tasks: token of `transcribe` and `translate`.
        suppressed: tokens that are never part of a text.
        suppressed_first: tokens that do not begin a text.
        first_timestamp: number of <|0.00|>; this token and those above it are times.
    """

    start: int
    end: int
    no_timestamps: int
    languages: Mapping[str, int]
    tasks: Mapping[str, int]
    suppressed: tuple[int, ...]
    suppressed_first: tuple[int, ...]
    first_timestamp: int

    def prompt(self, language: str, task: str = "transcribe") -> list[int]:
        """Return start, language, task and no-timestamps token.

        Raises:
            UserError: Whisper does not know the language.
        """
        if language not in self.languages:
            raise UserError(
                f"language {language!r} is unknown to this Whisper model; it knows "
                f"{', '.join(sorted(self.languages))}"
            )
        return [self.start, self.languages[language], self.tasks[task], self.no_timestamps]


@dataclass(frozen=True)
class Whisper:
    """A model, its tokenizer and its rules."""

    model: Any
    tokenizer: Any
    rules: TokenRules
    log_mel: LogMel

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, without special tokens and outer spaces."""
        text: str = self.tokenizer.decode(list(tokens), skip_special_tokens=True)
        return text.strip()

    def tokens(self, text: str) -> list[int]:
        """Return the tokens of a text, with the leading space of all Whisper texts.

        `tokenizer(text)` would add a start token and no language, so special tokens are off.
        """
        ids: list[int] = self.tokenizer.encode(" " + text.strip(), add_special_tokens=False)
        return ids

    def states(self, signals: Sequence[Signal], input_s: float) -> Tensor:
        """Return the encoder's states `[B, 50 input_s, D]` of clips at 16 kHz.

        Args:
            signals: clips `[T]`, each at most `input_s` long.
            input_s: seconds to which each clip is extended with silence; see `input_length_s`.

        Raises:
            ValueError: a clip is longer than `input_s`.
        """
        return encode_mel(self.model.model.encoder, self.log_mel(padded(signals, input_s)))


def padded(signals: Sequence[Signal], input_s: float) -> Tensor:
    """Return clips with silence to `input_s` seconds, `[B, N]`."""
    samples = np.zeros((len(signals), round(input_s * SAMPLE_RATE_HZ)), dtype=np.float32)
    for row, signal in zip(samples, signals, strict=True):
        row[: len(signal)] = signal  # numpy raises if the clip is longer than the row
    return torch.from_numpy(samples)


def input_length_s(samples: int) -> float:
    """Return the seconds of input of a clip: it, 1 s of silence, up to a whole half second.

    Raises:
        UserError: the clip is longer than 30 s.

    >>> input_length_s(16_000), input_length_s(16_001), input_length_s(29 * 16_000 + 1)
    (2.0, 2.5, 30.0)
    """
    seconds = samples / SAMPLE_RATE_HZ
    if seconds > WINDOW_S:
        raise UserError(f"a clip of {seconds:.1f} s; Whisper takes {WINDOW_S:.0f} s; cut it")
    steps = -(-(samples + round(MARGIN_S * SAMPLE_RATE_HZ)) // round(STEP_S * SAMPLE_RATE_HZ))
    return min(steps * STEP_S, WINDOW_S)


def load_whisper(folder: Path) -> Whisper:
    """Return a Whisper model in eval mode with float32 weights, from a folder of transformers.

    Raises:
        UserError: a file is missing or damaged, or some weights are missing.
    """
    for name in ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json"):
        if not (folder / name).is_file():
            raise UserError(f"{folder / name}: missing; expected the folder of a Whisper model")
    try:
        model, report = WhisperForConditionalGeneration.from_pretrained(
            folder, output_loading_info=True, dtype=torch.float32
        )
        tokenizer = WhisperTokenizerFast.from_pretrained(folder)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise UserError(f"{folder}: no Whisper model to load: {error}") from error
    missing = sorted(set(report["missing_keys"]) - {"proj_out.weight"})  # tied to the embeddings
    if missing:
        raise UserError(f"{folder}: a model without {missing[0]!r}; expected a complete one")
    rules = token_rules(model.generation_config, tokenizer)
    return Whisper(model.eval(), tokenizer, rules, LogMel(model.config.num_mel_bins))


def token_rules(generation: Any, tokenizer: Any) -> TokenRules:
    """Return the rules of a generation config of transformers."""
    languages = {
        re.sub(r"\W", "", token): number for token, number in generation.lang_to_id.items()
    }
    return TokenRules(
        start=int(generation.decoder_start_token_id),
        end=int(generation.eos_token_id),
        no_timestamps=int(generation.no_timestamps_token_id),
        languages=languages,
        tasks=dict(generation.task_to_id),
        suppressed=tuple(generation.suppress_tokens or ()),
        suppressed_first=tuple(generation.begin_suppress_tokens or ()),
        first_timestamp=int(tokenizer.convert_tokens_to_ids("<|0.00|>")),
    )


def language_probabilities(logits: NDArray[np.float32], rules: TokenRules) -> dict[str, float]:
    """Return the probability of each language, from the logits `[V]` after the start token."""
    codes = sorted(rules.languages)
    scores = logits[[rules.languages[code] for code in codes]].astype(np.float64)
    weights = np.exp(scores - scores.max())
    return dict(zip(codes, (weights / weights.sum()).tolist(), strict=True))
