"""Which language Whisper finds in a clip: its most probable token after the start token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fonoteka.audio.dsp import Signal
from fonoteka.whisper.model import WINDOW_S, Whisper, language_probabilities

Probabilities = Mapping[str, float]
"""The probability of each language of the model, by code."""


@dataclass(frozen=True)
class ListeningWhisper(Whisper):
    """A Whisper that notes the languages of the clips which it encodes.

    The encoder is most of the work of both decoding and language recognition, so clips that are
    decoded anyway cost one step of the decoder more.

    Attributes:
        languages: of each clip, by the `id` of its array; clips have to be kept.
    """

    languages: dict[int, Probabilities] = field(default_factory=dict)

    @torch.inference_mode()
    def states(self, signals: Sequence[Signal], input_s: float) -> Tensor:
        """Return what `Whisper.states` returns."""
        states = super().states(signals, input_s)
        for signal, own in zip(signals, languages_of(self, states), strict=True):
            self.languages.setdefault(
                id(signal), own
            )  # the first input counts, not one that is redone
        return states


def listening(whisper: Whisper) -> ListeningWhisper:
    """Return a listening Whisper with the model of `whisper`."""
    return ListeningWhisper(whisper.model, whisper.tokenizer, whisper.rules, whisper.log_mel)


@torch.inference_mode()
def languages_of(whisper: Whisper, states: Tensor) -> list[Probabilities]:
    """Return the languages of clips from the encoder's states `[B, S, D]`."""
    start = torch.full((len(states), 1), whisper.rules.start)
    decoder = whisper.model.model.decoder
    output = decoder(input_ids=start, encoder_hidden_states=states, use_cache=False)
    logits = whisper.model.proj_out(output.last_hidden_state[:, -1])
    return [language_probabilities(row, whisper.rules) for row in logits.numpy()]


@torch.inference_mode()
def spoken_language(whisper: Whisper, signal: Signal) -> Probabilities:
    """Return the languages of a clip `[T]` of up to 30 s; it is padded to 30 s, as in training.

    Raises:
        ValueError: the clip is longer.
    """
    return languages_of(whisper, whisper.states([signal], WINDOW_S))[0]


def most_probable(languages: Probabilities, among: Sequence[str] | None = None) -> str:
    """Return the most probable language, of those in `among` if it is given.

    >>> most_probable({"de": 0.6, "hr": 0.3, "sr": 0.1}, among=["sr", "hr"])
    'hr'
    """
    codes = sorted(languages if among is None else set(among) & set(languages))
    return max(codes, key=lambda code: languages[code])
