"""Words as a sure recogniser gives them: samples and posteriors; noise that passes for speech."""

from __future__ import annotations

import numpy as np
from clip_maker import noise

from fonoteka.g2p.g2p import phones_of
from fonoteka.phones import LABELS, NUMBER
from fonoteka.speech_gate import CHUNK, SpeechGate

FRAMES = 4  # of each phone
PAUSE = 10  # frames before each word and at the end


class LoudGate(SpeechGate):
    """A gate for which every chunk with a sample above 0.3 is speech."""

    def _probabilities(self, samples):
        return iter((np.abs(samples).reshape(-1, CHUNK).max(axis=1) > 0.3).astype(np.float32))


def talk(seconds=1.0, seed=0):
    """Return noise that passes the loud gate."""
    return 4 * noise(seconds, seed)


def spoken(words, language="sr"):
    """Return samples and log posteriors of words that are spoken with pauses between them."""
    labels, loud = [], []
    for word in words:
        labels += [0] * PAUSE
        loud += [False] * PAUSE
        for phone in phones_of(word, language):
            labels += [NUMBER[phone]] * FRAMES
            loud += [True] * FRAMES
    labels += [0] * PAUSE
    loud += [False] * PAUSE
    rows = np.full((len(labels), len(LABELS)), 1e-3)
    rows[np.arange(len(labels)), labels] = 0.9
    tone = np.sin(np.arange(320) / 3)
    signal = np.concatenate([tone * (0.3 if on else 1e-5) for on in loud]).astype(np.float32)
    return signal, np.log(rows / rows.sum(axis=1, keepdims=True)).astype(np.float32)
