"""A phone recogniser that needs no training: what it decodes follows from the pitch of a tone."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from fonoteka.transcribe import PhoneModel

NAMES = ["<blank>", "a", "d", "o"]


class ToneModel:
    """A recogniser whose certainty falls with the pitch of the clip's tone."""

    def get_inputs(self):
        return [SimpleNamespace(name="samples")]

    def get_modelmeta(self):
        return SimpleNamespace(custom_metadata_map={"sample_rate_hz": "16000"})

    def run(self, _, inputs):
        (signal,) = inputs["samples"]
        crossings = int((np.diff(np.sign(signal)) != 0).sum())
        top = max(0.4, 0.99 - crossings / 1000)  # half a second of 200 to 340 Hz has 200 to 340
        frames = np.full((len(signal) // 320, 4), (1 - top) / 3, dtype=np.float32)
        frames[:, 0] = top
        if signal.any():  # the model predicts only blanks for silence
            frames[10:14] = np.roll(frames[10:14], 1 + crossings % 3, axis=1)
        return [np.log(frames)[None]]


def tone_phones(name: str) -> PhoneModel:
    """Return the recogniser, whatever its name."""
    return PhoneModel("tones", ToneModel(), NAMES)
