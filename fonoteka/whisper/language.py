"""Note which language Whisper finds in each clip that it decodes anyway."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fonoteka.audio.dsp import Signal
from fonoteka.whisper.decode import Step
from fonoteka.whisper.onnx_session import OnnxWhisper, onnx_step
from fonoteka.whisper.rules import language_probabilities, padded_samples
from fonoteka.whisper.spoken_language import Probabilities


@dataclass(frozen=True)
class ListeningWhisper(OnnxWhisper):
    """A Whisper that notes the languages of the clips which it encodes.

    The encoder is most of the work of both decoding and language recognition, so clips that are
    decoded anyway cost one step of the decoder more.

    Attributes:
        languages: of each clip, by the `id` of its array; clips have to be kept.
    """

    languages: dict[int, Probabilities] = field(default_factory=dict)

    def start(self, signals: Sequence[Signal], input_s: float) -> Step:
        """Return what `OnnxWhisper.start` returns."""
        encoded = self.encoded(padded_samples(signals, input_s))
        logits = onnx_step(self.decoder, encoded)(np.full((len(signals), 1), self.rules.start))
        for signal, row in zip(signals, logits, strict=True):
            # The first input counts, not that of a clip which is decoded again.
            self.languages.setdefault(id(signal), language_probabilities(row, self.rules))
        return onnx_step(self.decoder, encoded)


def listening(whisper: OnnxWhisper) -> ListeningWhisper:
    """Return a listening Whisper with the model of `whisper`."""
    return ListeningWhisper(whisper.encoder, whisper.decoder, whisper.rules, whisper.vocabulary)
