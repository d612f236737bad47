"""The probability of speech in each chunk of a signal, by silero-vad, an ONNX model of 1.2 MB.

The model is taken from the package's files; the package itself would import torch and is not
imported.

Source: Silero Team 2024, "Silero VAD", https://github.com/snakers4/silero-vad, MIT.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.audio.dsp import Signal
from fonoteka.core.errors import UserError
from fonoteka.onnx_export.session import open_model

CHUNK, CONTEXT = 512, 64
"""Samples per probability, 32 ms, and samples before them that the model sees too."""

_MODEL = Path("data", "silero_vad_16k_sequence.onnx")


def model_path() -> Path:
    """Return the path of silero-vad's model for 16 kHz.

    Raises:
        UserError: the package is not installed.
    """
    spec = importlib.util.find_spec("silero_vad")  # finds the package and does not import it
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise UserError("the package silero-vad is not installed; run make .venv")
    return Path(places[0]) / _MODEL


class SileroModel:
    """The model with the state of one signal."""

    def __init__(self) -> None:
        """Load the model.

        Raises:
            UserError: the package silero-vad is not installed.
        """
        self._session = open_model(model_path())
        self.reset()

    def reset(self) -> None:
        """Prepare for another signal."""
        self._state = [np.zeros((1, 1, 128), dtype=np.float32) for _ in range(2)]
        self._context = np.zeros(CONTEXT, dtype=np.float32)

    def probabilities(self, chunks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of speech in each of the next chunks `[N, CHUNK]`, N >= 1."""
        before = np.concatenate([self._context[None], chunks[:-1, -CONTEXT:]])
        self._context = chunks[-1, -CONTEXT:].copy()
        inputs: dict[str, Signal] = {
            "input": np.concatenate([before, chunks], axis=1),
            "h": self._state[0],
            "c": self._state[1],
        }
        values: Any
        values, *self._state = self._session.run(["speech_probs", "hn", "cn"], inputs)
        probabilities: NDArray[np.float32] = values.reshape(-1)
        return probabilities
