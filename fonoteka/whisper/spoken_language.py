"""Which language is spoken in a clip, by a Whisper of torch or of ONNX Runtime.

torch is not imported here: a model in ONNX Runtime does not need its 4 CPU seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fonoteka.audio.dsp import Signal
from fonoteka.whisper.decode import Recogniser
from fonoteka.whisper.rules import WINDOW_S, language_probabilities

Probabilities = Mapping[str, float]
"""The probability of each language of the model, by code."""


def spoken_language(whisper: Recogniser, signal: Signal) -> Probabilities:
    """Return the languages of a clip `[T]` of up to 30 s; it is padded to 30 s, as in training.

    Raises:
        ValueError: the clip is longer.
    """
    step = whisper.start([signal], WINDOW_S)
    return language_probabilities(step(np.array([[whisper.rules.start]]))[0], whisper.rules)


def most_probable(languages: Probabilities, among: Sequence[str] | None = None) -> str:
    """Return the most probable language, of those in `among` if it is given.

    >>> most_probable({"de": 0.6, "hr": 0.3, "sr": 0.1}, among=["sr", "hr"])
    'hr'
    """
    codes = sorted(languages if among is None else set(among) & set(languages))
    return max(codes, key=lambda code: languages[code])
