"""A Whisper model with its tokenizer, on clips of their own length.

The input is the clip and 1 to 1.5 s of silence, see `fonoteka.whisper.rules`. A fine-tuned model is
trained on that input too, because the released weights do not stop on it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
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

from fonoteka.audio.dsp import Signal
from fonoteka.core.errors import UserError
from fonoteka.models.log_mel import LogMel
from fonoteka.models.whisper_encoder import encode_mel
from fonoteka.whisper.decode import Step

# Re-exported: most callers of a torch model need the rules of its input too.
from fonoteka.whisper.rules import MARGIN_S as MARGIN_S
from fonoteka.whisper.rules import MAX_TOKENS as MAX_TOKENS
from fonoteka.whisper.rules import STEP_S as STEP_S
from fonoteka.whisper.rules import WINDOW_S as WINDOW_S
from fonoteka.whisper.rules import TokenRules, padded_samples
from fonoteka.whisper.rules import input_length_s as input_length_s
from fonoteka.whisper.rules import language_probabilities as language_probabilities

disable_progress_bar()  # no progress bar for one local file


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

    @torch.inference_mode()
    def start(self, signals: Sequence[Signal], input_s: float) -> Step:
        """Return the step of a decoder that starts with clips; arguments as for `states`."""
        return torch_step(self.model, self.states(signals, input_s))


def padded(signals: Sequence[Signal], input_s: float) -> Tensor:
    """Return clips with silence to `input_s` seconds, `[B, N]`."""
    return torch.from_numpy(padded_samples(signals, input_s))


def torch_step(model: Any, states: Tensor) -> Step:
    """Return the step of a torch model for the states `[B, S, D]` of its encoder."""
    cache: Any = None

    @torch.inference_mode()
    def step(tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        nonlocal cache
        output = model.model.decoder(
            input_ids=torch.from_numpy(tokens), encoder_hidden_states=states,
            past_key_values=cache, use_cache=True,
        )  # fmt: skip
        cache = output.past_key_values
        logits: NDArray[np.float32] = model.proj_out(output.last_hidden_state[:, -1]).numpy()
        return logits

    return step


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
    except (OSError, SafetensorError, RuntimeError, json.JSONDecodeError) as error:
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
