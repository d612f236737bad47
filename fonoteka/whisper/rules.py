"""Rules of Whisper's input and tokens, without torch: torch and ONNX Runtime follow the same.

transformers' `generate` pads each clip to 30 s: 0.9 CPU seconds of whisper-base's encoder for a
clip of 2.5 s, in place of 0.09. Here the input is the clip and 1 to 1.5 s of silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError

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


def padded_samples(signals: Sequence[Signal], input_s: float) -> NDArray[np.float32]:
    """Return clips with silence to `input_s` seconds, `[B, N]`.

    Raises:
        ValueError: a clip is longer than `input_s`.
    """
    samples = np.zeros((len(signals), round(input_s * SAMPLE_RATE_HZ)), dtype=np.float32)
    for row, signal in zip(samples, signals, strict=True):
        row[: len(signal)] = signal  # numpy raises if the clip is longer than the row
    return samples


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


def language_probabilities(logits: NDArray[np.float32], rules: TokenRules) -> dict[str, float]:
    """Return the probability of each language, from the logits `[V]` after the start token."""
    codes = sorted(rules.languages)
    scores = logits[[rules.languages[code] for code in codes]].astype(np.float64)
    weights = np.exp(scores - scores.max())
    return dict(zip(codes, (weights / weights.sum()).tolist(), strict=True))
