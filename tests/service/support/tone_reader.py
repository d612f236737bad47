"""Reads tones from PCM16 as a recogniser reads phones, so that a wrong rate gives wrong phones."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

PHONES = {440: "a", 660: "e", 880: "i", 1320: "u"}  # Hz
PHONE_S = 0.5  # of sound per committed phone
PAUSE_S = 0.3  # a longer silence is an endpoint
STEP_S = 0.1
SILENCE = 0.01  # root mean square of a step


class ToneReader:
    """One stream: bytes of PCM16 in, messages of the native socket out.

    Attributes:
        phones: the committed phones of each utterance.
    """

    def __init__(self, sample_rate):
        self.rate = sample_rate
        self.received = 0
        self.phones = [[]]
        self.rest = b""
        self.sound, self.sound_start_s = [], 0.0
        self.silence_s, self.spoken = 0.0, False

    @property
    def audio_s(self):
        return self.received / 2 / self.rate

    def feed(self, data):
        """Return the updates that some bytes complete."""
        self.received += len(data)
        self.rest += data
        size = 2 * round(self.rate * STEP_S)
        updates = []
        while len(self.rest) >= size:
            step, self.rest = self.rest[:size], self.rest[size:]
            updates.append(self._step(np.frombuffer(step, "<i2") / 32768))
        return updates

    def _step(self, samples):
        end_s = (self.received - len(self.rest)) / 2 / self.rate
        committed, endpoint = [], None
        if np.sqrt(np.mean(samples**2)) < SILENCE:
            self.sound = []
            self.silence_s += STEP_S
            if self.spoken and self.silence_s >= PAUSE_S:
                endpoint, self.spoken = "silence", False
                self.phones.append([])
        else:
            self.silence_s = 0.0
            self.sound.append(samples)
            if len(self.sound) >= round(PHONE_S / STEP_S):
                committed, self.sound, self.spoken = [self._phone(end_s)], [], True
                self.phones[-1] += committed
        provisional = [self._phone(end_s)] if self.sound else []
        return {
            "type": "update", "audio_s": end_s, "committed": committed,
            "provisional": provisional, "endpoint": endpoint,
        }  # fmt: skip

    def _phone(self, end_s):
        sound = np.concatenate(self.sound)
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 16))
        peak_hz = np.argmax(spectrum) * self.rate / (1 << 16)
        tone = min(PHONES, key=lambda hz: abs(hz - peak_hz))
        near = abs(tone - peak_hz) < 0.03 * tone
        start_s = end_s - len(sound) / self.rate
        phone = PHONES[tone] if near else f"{peak_hz:.0f} Hz"
        return {"phone": phone, "start": start_s, "end": end_s, "confidence": 0.9}


def write_tones(path: Path, tones, rate=16_000):
    """Write a recording of tones `(Hz, seconds)`; 0 Hz is silence."""
    parts = [
        0.3 * np.sin(2 * np.pi * hz * np.arange(round(rate * length_s)) / rate)
        for hz, length_s in tones
    ]
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((np.concatenate(parts) * 32767).astype("<i2").tobytes())
    return path
