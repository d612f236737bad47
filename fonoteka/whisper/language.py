"""Note which language Whisper finds in each clip that it decodes anyway, in torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fonoteka.audio.dsp import Signal
from fonoteka.whisper.model import Whisper, language_probabilities
from fonoteka.whisper.spoken_language import Probabilities


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
